"""How Sphinx builds the site, without the network. `make docs` calls docs/build.py, which lays its source out first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes

import rpclab

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "rpclab"
author = copyright = "rpclab contributors"
release = version = rpclab.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
root_doc = "index"
exclude_patterns = ["data"]

# ---- pages and notebooks
myst_enable_extensions: list[str] = []  # plain Markdown, as other viewers show it; a $ is a dollar
myst_heading_anchors = 3
myst_url_schemes = {
    "http": None,
    "https": None,
}
nb_execution_mode = "off"  # build.py has run them
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # a widget shows its text/html, which needs no script from elsewhere
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
nb_merge_streams = True
suppress_warnings = ["mystnb.unknown_mime_type"]

# ---- the reference
autodoc_default_options = {"show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100
add_module_names = False
default_role = "code"

# ---- looks
html_theme = "furo"
html_title = f"rpclab {version}"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["looks"]
html_css_files = ["site.css"]
pygments_style = "friendly"
pygments_dark_style = "github-dark"


def as_it_stands(app: Sphinx, what: str, name: str, about: object, options: Any, lines: list[str]) -> None:
    """Our docstrings are plain text: a paragraph that is indented is shown as it stands, as in Markdown."""
    shown: list[str] = []
    literal = False
    for line, before in zip(lines, ["", *lines], strict=False):
        if line.startswith("    ") and not before.strip() and not literal:
            shown += ["::", ""]
            literal = True
        elif line.strip() and not line.startswith(" "):
            shown += [""] if literal else []
            literal = False
        shown.append(line)
    lines[:] = shown


def name_pictures(app: Sphinx, document: nodes.document) -> None:
    """A picture that a cell has put out is told, to those who can't see it, by the code that made it."""
    for cell in document.findall(lambda node: isinstance(node, nodes.container) and "cell" in node["classes"]):
        code = next((each.astext() for each in cell.findall(nodes.literal_block)), "")
        for picture in cell.findall(nodes.image):
            picture["alt"] = f"The picture that this code makes: {code}"


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", name_pictures)
    app.connect("autodoc-process-docstring", as_it_stands)
