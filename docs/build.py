"""Builds the site: lays its pages out, runs the notebooks, writes the list of modules, and has Sphinx do the rest.

`python docs/build.py` runs all notebooks; `python docs/build.py 00 03` only these, shows the others without results, and leaves
out the pages of source code, which take half of Sphinx's time.
"""

from __future__ import annotations

import ast
import os
import pathlib
import shutil
import sys
import time
from typing import Any

import nbformat
from nbclient import NotebookClient
from sphinx.cmd.build import main as sphinx

ROOT = pathlib.Path(__file__).parents[1]
BUILD = ROOT / "build" / "docs"
SOURCE = BUILD / "source"
PAGES = ("ARCHITECTURE.md", "DESIGN.md", "CONTRIBUTING.md", "CHANGELOG.md")
CELL_S = 120
BEYOND_NOTEBOOKS = """

```{toctree}
:hidden:
:caption: Notebooks
:glob:

notebooks/*
```

```{toctree}
:hidden:
:caption: Labs
:glob:

notebooks/labs/*
```

```{toctree}
:hidden:
:caption: Guides
:glob:

docs/teachers
docs/stage
docs/pictures
docs/reliability
docs/security
docs/checking
docs/*
```

```{toctree}
:hidden:
:caption: Reference

api/index
ARCHITECTURE
DESIGN
CONTRIBUTING
CHANGELOG
```
"""
FIRST = ("__init__", "local", "simulated", "session", "history")  # of a package's modules, what most people come for
PACKAGES = {  # in the order in which a reader needs them
    "cluster": "Clusters, started and broken from a notebook or a script.",
    "client": "What backs files up and gets them back.",
    "study": "What is read from the event logs: the history, measures, checks, experiments, theory.",
    "plots": "The pictures.",
    "widgets": "What is clicked on.",
    "labs": "Exercises that check themselves.",
    "rpc": "Remote procedure calls: messages, packets, connections, stubs.",
    "manager": "Which servers there are, where files go, and what is repaired.",
    "server": "What stores files.",
    "world": "All that a node may touch outside its memory, real and simulated.",
    "commands": "The command line.",
}


def lay_out_pages() -> None:
    """Copy what the site shows, in the folders in which the repository has it, so that its links hold."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE / "docs", ignore=shutil.ignore_patterns("*.py", "looks", "__pycache__"))
    shutil.copytree(ROOT / "notebooks", SOURCE / "notebooks", ignore=shutil.ignore_patterns(".*"))
    shutil.copytree(ROOT / "data", SOURCE / "data", ignore=shutil.ignore_patterns("runs", "servers", "notebooks"))
    for page in PAGES:
        shutil.copy(ROOT / page, SOURCE)
    front = (ROOT / "README.md").read_text(encoding="utf-8")
    (SOURCE / "index.md").write_text(front + BEYOND_NOTEBOOKS, encoding="utf-8")
    for page in SOURCE.rglob("*.md"):
        page.write_text(page.read_text(encoding="utf-8").replace("README.md)", "index.md)"), encoding="utf-8")


def run_notebooks(chosen: list[str]) -> None:
    """Run the notebooks whose names begin so, or all; each has its results in its file then."""
    os.environ |= {"RPCLAB_DATA": str(SOURCE / "data"), "PYTHONPATH": str(ROOT)}
    for path in sorted((SOURCE / "notebooks").rglob("*.ipynb")):
        if not chosen or path.name.startswith(tuple(chosen)):
            began = time.monotonic()
            notebook = nbformat.read(path, as_version=4)
            NotebookClient(notebook, timeout=CELL_S, resources={"metadata": {"path": str(path.parent)}}).execute()
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    cell.outputs = [output for output in cell.outputs if not live_only(output)]
            nbformat.write(notebook, path)
            print(f"{path.name}: run in {time.monotonic() - began:.0f} s", flush=True)


def live_only(output: Any) -> bool:
    """Whether this is a widget with nothing to show without a kernel, such as a progress bar that came to its end."""
    shown = output.get("data", {})
    return "application/vnd.jupyter.widget-view+json" in shown and "text/html" not in shown


def write_reference() -> None:
    """A page for each package, with every name that its modules offer."""
    folder = SOURCE / "api"
    folder.mkdir()
    pages = []
    for package, owns in PACKAGES.items():
        modules = [Module(path) for path in sorted((ROOT / "rpclab" / package).rglob("*.py"), key=order)]
        if any(module.offers for module in modules):
            pages.append(package)
            write_page(folder / f"{package}.md", f"rpclab.{package}", owns, modules)
    top = [Module(path) for path in sorted((ROOT / "rpclab").glob("*.py"), key=order)]
    write_page(folder / "rpclab.md", "rpclab", "What is imported first, and what all parts share.", top)
    listed = "\n".join(["rpclab", *pages])
    (folder / "index.md").write_text(f"# The package\n\n```{{toctree}}\n{listed}\n```\n", encoding="utf-8")


def order(path: pathlib.Path) -> tuple[int, str]:
    return FIRST.index(path.stem) if path.stem in FIRST else len(FIRST), str(path)


class Module:
    """What a module of the package offers: the names defined in it, and where those come from that it only hands on."""

    def __init__(self, path: pathlib.Path) -> None:
        parts = path.relative_to(ROOT).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self.offers: list[str] = []
        self.handed_on: dict[str, str] = {}
        package = list(parts[:-1])
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                self.offers = [ast.literal_eval(name) for name in getattr(node.value, "elts", [])]
            elif isinstance(node, ast.ImportFrom) and node.level:
                home = ".".join([*package[: len(package) + 1 - node.level], *filter(None, [node.module])])
                self.handed_on |= {each.asname or each.name: f"{home}.{each.name}" for each in node.names}
        self.handed_on = {name: self.handed_on[name] for name in self.offers if name in self.handed_on}
        self.defines = [name for name in self.offers if name not in self.handed_on and name[0] != "_"]


def write_page(page: pathlib.Path, title: str, owns: str, modules: list[Module]) -> None:
    lines = [f"# {title}", "", owns, ""]
    for module in modules:
        if module.offers:
            lines += [f"## {module.name}", "", "```{eval-rst}", f".. automodule:: {module.name}"]
            lines += [f"   :members: {', '.join(module.defines)}"] if module.defines else []
            lines += ["```", ""]
            links = [f"{{py:obj}}`{name} <{home}>`" for name, home in module.handed_on.items()]
            lines += [f"Offers {', '.join(links)}.", ""] if links else []
    page.write_text("\n".join(lines), encoding="utf-8")


def main(chosen: list[str]) -> int:
    sys.path.insert(0, str(ROOT))
    lay_out_pages()
    run_notebooks(chosen)
    write_reference()
    began = time.monotonic()
    options = ["-W", "--keep-going", "-q", "-j", "auto", "-b", "html", "-c", str(ROOT / "docs")]
    if chosen:
        options += ["-D", "extensions=myst_nb,sphinx.ext.autodoc"]
    failed = sphinx([*options, str(SOURCE), str(BUILD / "site")])
    print(f"Sphinx took {time.monotonic() - began:.0f} s: {(BUILD / 'site' / 'index.html').relative_to(ROOT)}")
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
