"""The first notebook in JupyterLab and in Notebook 7: opened, run from the menu, and looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .jupyter import JupyterServer
from .pages import NotebookPage, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.mark.parametrize("kind", ["lab", "notebook7"])
def test_start_here_runs_from_the_menu_and_shows_its_pictures(
    kind: str, chromium: Browser, request: pytest.FixtureRequest
) -> None:
    server: JupyterServer = request.getfixturevalue(kind)
    with watched(chromium) as (page, errors):
        book = NotebookPage(server, page, errors)
        book.open("00-start-here.ipynb")
        book.run_all()
        assert book.tracebacks() == []
        widths = book.pictures()
        assert len(widths) == 2 and min(widths) > 300
        table = book.output(0).locator("table").first
        assert table.is_visible() and "server3" in table.inner_text()
        book.page.locator(".jp-OutputArea-output img").first.scroll_into_view_if_needed()
        book.shoot(f"start-here-{kind}")
        book.assert_quiet()
