"""The pages' links lead somewhere: to a file that is there, and to a heading that is in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
PAGES = sorted(
    [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md"), *(PROJECT / "notebooks").rglob("[!.]*.ipynb")]
)
LINK = re.compile(r"\]\(([^)\s]+)\)|<img[^>]*\ssrc=\"([^\"]+)\"")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)


def prose(page: Path) -> str:
    """A page's Markdown, without its code."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        text = "\n".join(
            "".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"
        )
    return CODE.sub("", text)


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings can be reached."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken(page: Path, link: str) -> bool:
    if re.match(r"https?://", link):
        return False  # what lies elsewhere is not asked for
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return not target.exists() or (bool(anchor) and anchor not in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = ["".join(found) for found in LINK.findall(prose(page))]
    assert [link for link in links if broken(page, link)] == []


def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One heading\n[a](#one-heading) [b](#another) [c](page.md) [d](none.md) `[e](code.md)`\n")
    links = ["".join(found) for found in LINK.findall(prose(page))]
    assert [link for link in links if broken(page, link)] == ["#another", "none.md"]


def test_the_first_page_names_every_guide() -> None:
    front = prose(PROJECT / "README.md")
    assert [path.name for path in (PROJECT / "docs").glob("*.md") if f"(docs/{path.name})" not in front] == []
