"""The stepper, by the keyboard alone: a call stepped through, back, another way; in JupyterLab, Notebook 7 and Voilà."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from .jupyter import serve, serve_page, write_notebook
from .pages import NotebookPage, accessibility, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIMULATED = """from rpclab import SimCluster
from rpclab.widgets import Stepper
cluster = SimCluster(seed=1, servers=3, clients=1)
client = cluster.clients["client1"]
client.put("notes.txt", b"some bytes")
def backup():
    return client.backup("notes.txt")
stepper = Stepper(cluster, backup)
stepper"""
REAL = """from rpclab import LocalCluster
from rpclab.config import Limits
from rpclab.widgets import Stepper
cluster = LocalCluster(servers=2, clients=0, ports="free", fresh=True, dead_s=300)
ann = cluster.connect("ann", limits=Limits(call_s=600))
def call():
    return ann.manager.string("hello")
stepper = Stepper(cluster, call)
stepper"""
TREE = "print(stepper.steps)"
STOP = """cluster.stop()
print("stopped")"""


@pytest.fixture
def opened(chromium: Browser, tmp_path: pathlib.Path) -> Iterator[Callable[..., NotebookPage]]:
    """Run the first of these cells in JupyterLab (Voilà runs all of them), and hand its page over with the stepper in sight."""
    with contextlib.ExitStack() as ends:

        def run(*cells: str, kind: str = "lab") -> NotebookPage:
            path = tmp_path / "work" / "stepper.ipynb"
            path.parent.mkdir()
            write_notebook(path, *cells)
            page, errors = ends.enter_context(watched(chromium))
            page.set_viewport_size({"width": 1500, "height": 1300})
            served = serve_page(path) if kind == "voila" else serve(kind, path.parent)
            book = NotebookPage(ends.enter_context(served), page, errors)
            book.open(path.name)
            if kind != "voila":
                book.run(0)
            page.locator(".rpclab-stepper .rpclab-message").first.wait_for()
            return book

        yield run


def status(page: Page, text: str) -> None:
    page.locator(".rpclab-stepper .rpclab-status", has_text=text).wait_for()


def reach(page: Page) -> None:
    """From the cell, whose editor Escape leaves, or from the page's top, to the stepper."""
    for _ in range(20):
        if page.evaluate("document.activeElement.matches('.rpclab-stepper .rpclab-body')"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("the tab key does not lead to the stepper")


def test_a_backup_is_stepped_back_and_another_way_by_the_keyboard_alone(opened: Callable[..., NotebookPage]) -> None:
    book = opened(SIMULATED, TREE, STOP)
    page, press = book.page, book.page.keyboard.press
    cells = page.locator(".jp-Notebook .jp-CodeCell").count()
    reach(page)
    status(page, "Step 1: began backup")
    press("n")
    status(page, "Step 2: delivered placeFile request, client1 → manager")
    assert page.locator(".rpclab-card[data-name='manager'] [data-change='new']").first.is_visible()
    assert page.locator(".rpclab-card.rpclab-changed").count() >= 1
    press("n")
    status(page, "Step 3: delivered placeFile reply")
    assert page.locator(".rpclab-picture .rpclab-arrow").count() == 1  # the selected message, in the diagram
    book.shoot("stepper-lab")
    press("ArrowLeft")
    status(page, "Step 2: ")
    press("x")
    status(page, "Step 3: dropped placeFile reply")
    assert page.locator(".rpclab-fork").count() == 1
    press("b")  # would add a cell, were the notebook to hear it
    press("d")
    press("d")  # would delete one
    press("t")
    press("Home")
    press("ArrowDown")
    press("ArrowDown")
    press("Enter")
    status(page, "Step 2: ")
    press("Escape")
    reach(page)

    press("c")  # a byte is chosen in the grid, and what becomes of it
    press("ArrowRight")
    press("ArrowDown")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("byte 17:")
    press("Enter")
    assert page.locator(".rpclab-byte").input_value() == "17"
    press("Enter")
    status(page, "corrupted placeFile reply, manager → client1, byte 17")
    assert page.locator(".rpclab-fork").count() == 2
    press("ArrowLeft")
    status(page, "Step 2: ")
    press("r")
    status(page, "backup: ")
    page.locator(".rpclab-stepper .rpclab-outcome").wait_for()
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == cells
    book.shoot("stepper-tree-lab")
    book.darken()
    book.shoot("stepper-dark-lab")
    book.darken(False)
    tree = book.run(1)
    assert "dropped placeFile reply" in tree and "corrupted placeFile reply" in tree
    assert "stopped" in book.run(2)
    assert book.tracebacks() == []

    book.assert_quiet()


@pytest.mark.parametrize("kind", ["notebook", "voila"])
def test_notebook_and_voila_step_on_back_and_another_way(kind: str, opened: Callable[..., NotebookPage]) -> None:
    book = opened(SIMULATED, kind=kind)
    page, press = book.page, book.page.keyboard.press
    cells = page.locator(".jp-CodeCell, [cell-index]").count()
    reach(page)
    status(page, "Step 1: began backup")
    press("n")
    status(page, "Step 2: delivered placeFile request, client1 → manager")
    press("n")
    status(page, "Step 3: delivered placeFile reply")
    assert page.locator(".rpclab-picture .rpclab-arrow").count() == 1
    press("ArrowLeft")
    status(page, "Step 2: ")
    press("x")
    status(page, "Step 3: dropped placeFile reply")
    assert page.locator(".rpclab-fork").count() == 1
    press("b")  # would add a cell in a notebook
    press("d")
    press("d")  # would delete one
    press("ArrowLeft")
    status(page, "Step 2: ")
    assert page.locator(".jp-CodeCell, [cell-index]").count() == cells
    book.shoot(f"stepper-{kind}")
    book.assert_quiet()


def test_a_call_between_processes_is_stepped_through_by_the_keyboard_alone(opened: Callable[..., NotebookPage]) -> None:
    book = opened(REAL, TREE, STOP)
    page, press = book.page, book.page.keyboard.press
    reach(page)
    press("n")
    status(page, "Step 2: delivered string request, ann → manager")
    press("ArrowLeft")
    status(page, "Step 1: ")
    page.locator(".rpclab-past").wait_for()
    assert page.locator(".rpclab-drop-it").is_disabled()
    press("ArrowRight")
    status(page, "Step 2: ")
    press("n")
    status(page, "call: done")
    page.locator(".rpclab-outcome .rpclab-meaning", has_text="call: done").wait_for()
    book.shoot("stepper-processes-lab")
    assert "delivered string reply" in book.run(1)
    assert "stopped" in book.run(2)

    book.assert_quiet()


def test_the_stepper_is_accessible(opened: Callable[..., NotebookPage], axe: pathlib.Path) -> None:
    book = opened(SIMULATED)
    for dark in (False, True):
        book.darken(dark)
        found = accessibility(book.page, ".rpclab-stepper")
        book.shoot(f"stepper-{'dark' if dark else 'light'}")
        assert found == [], "\n".join(found)
    book.assert_quiet()
