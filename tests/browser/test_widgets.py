"""The uploader and the dashboard in JupyterLab, used as a person does: through the file chooser, the buttons and the keyboard."""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import psutil
import pytest

from .jupyter import JupyterServer, node_processes, write_notebook
from .pages import NotebookPage, accessibility, watched
from .widgets import choose, has_phase, has_word, node

if TYPE_CHECKING:
    from playwright.sync_api import Browser

START = """from rpclab import LocalCluster
cluster = LocalCluster(servers=3, clients=1, ports="free", fresh=True, dead_s=3)"""
UPLOADER = """from rpclab.widgets import Uploader
uploader = Uploader(cluster)
uploader"""
DASHBOARD = """from rpclab.widgets import Dashboard
dashboard = Dashboard(cluster)
dashboard"""
WATCH_PROGRESS = """place => {
    window.shares = [];
    const note = () => place.querySelectorAll("progress").forEach(
        bar => { if (bar.checkVisibility() && bar.value > 0 && bar.value < 1) shares.push(bar.value); });
    new MutationObserver(note).observe(place, {subtree: true, childList: true, attributes: true, characterData: true});
}"""


@pytest.fixture(scope="module")
def book(chromium: Browser, lab: JupyterServer) -> Iterator[NotebookPage]:
    """A notebook with a cluster, an uploader and a dashboard, all cells run."""
    write_notebook(lab.folder / "widgets.ipynb", START, UPLOADER, DASHBOARD)
    with watched(chromium) as (page, errors):
        book = NotebookPage(lab, page, errors)
        book.open("widgets.ipynb")
        book.run_all()
        page.locator(".rpclab-dashboard .rpclab-node").first.wait_for()
        yield book


@pytest.fixture(autouse=True)
def nothing_went_wrong(book: NotebookPage) -> Iterator[None]:
    """After each test: no cell ended with an error, and the console is silent."""
    yield
    assert book.tracebacks() == []
    book.assert_quiet()


def test_a_file_from_the_chooser_is_seen_on_its_way_and_its_copies_on_the_disks(
    book: NotebookPage, lab: JupyterServer, make_file: Callable[..., pathlib.Path]
) -> None:
    balance = book.page.locator(".rpclab-dashboard .rpclab-balance")
    before, words = balance.bounding_box(), balance.get_attribute("aria-label")
    book.page.locator(".rpclab-uploader").evaluate(WATCH_PROGRESS)
    photo = make_file("photo.bin", 20_000_000)
    row = choose(book.page, photo)
    has_phase(row, "done")
    shares = book.page.evaluate("shares")
    assert len(set(shares)) > 3, f"the progress that was seen: {shares}"
    assert "server" in row.locator(".rpclab-words").inner_text()

    digest = hashlib.sha256(photo.read_bytes()).hexdigest()
    copies = [path for path in (lab.data / "servers").glob("*/Backups/client1/photo.bin") if path.is_file()]
    assert [hashlib.sha256(copy.read_bytes()).hexdigest() for copy in copies] == [digest] * 2

    stored = book.page.locator(".rpclab-dashboard .rpclab-stored[data-name='client1/photo.bin']")
    stored.wait_for()
    holders = sorted(copy.parents[2].name for copy in copies)
    assert sorted(re.findall(r"server\d", stored.locator(".rpclab-copies").inner_text())) == holders
    book.page.wait_for_function(
        "([picture, words]) => picture.getAttribute('aria-label') !== words", arg=[balance.element_handle(), words]
    )
    after = balance.bounding_box()
    assert before and after and before["height"] == after["height"], (
        "the picture's height stays, or the page would jump"
    )
    book.page.locator(".rpclab-uploader").scroll_into_view_if_needed()
    book.shoot("uploaded")


def test_a_server_that_is_killed_by_its_button_is_seen_dead_and_comes_back_by_the_keyboard(
    book: NotebookPage, lab: JupyterServer, eventually: Callable[..., None]
) -> None:
    def runs() -> bool:
        return node_processes(lab.data, "server2") != []

    server = node(book.page, "server2")
    assert runs()
    server.locator(".rpclab-kill").click()
    has_word(server, "dead")
    eventually(lambda: not runs(), what="the end of server2's process")
    book.page.locator(".rpclab-dashboard").scroll_into_view_if_needed()
    book.shoot("killed")
    server.locator(".rpclab-restart").focus()
    book.page.keyboard.press("Enter")
    has_word(server, "alive")
    assert runs()


def test_a_paused_server_is_suspected_and_heard_again_after_it_was_resumed(
    book: NotebookPage, lab: JupyterServer
) -> None:
    def stands_still() -> bool:
        (process,) = node_processes(lab.data, "server3")
        return process.status() == psutil.STATUS_STOPPED

    told = book.page.locator(".rpclab-dashboard .rpclab-told li")
    suspected = told.filter(has_text="server3 is suspected: silent for")
    heard = told.filter(has_text=re.compile("server3 is (heard again|known to the manager)"))
    server, before = node(book.page, "server3"), heard.count()
    assert not stands_still() and suspected.count() == 0
    server.locator(".rpclab-pause").click()
    has_word(server, "paused")
    assert stands_still()
    suspected.first.wait_for()
    assert heard.count() == before
    server.locator(".rpclab-resume").click()
    has_word(server, "alive")
    assert not stands_still()
    heard.nth(before).wait_for()


def test_an_upload_that_is_cancelled_leaves_nothing(
    book: NotebookPage, lab: JupyterServer, tmp_path: pathlib.Path, eventually: Callable[..., None]
) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(1 << 20) * 96)
    row = choose(book.page, large)
    row.locator(".rpclab-cancel").press("Enter")  # a click waits until nothing moves: by then it may be over
    has_phase(row, "cancelled")
    eventually(
        lambda: not [path for path in lab.data.rglob("*") if path.name == "large.bin" or path.suffix == ".part"],
        what="the end of what had arrived",
    )
    row.locator(".rpclab-retry").click()
    has_phase(row, "done")


def test_a_small_file_comes_back_as_a_download(book: NotebookPage, make_file: Callable[..., pathlib.Path]) -> None:
    notes = make_file("diary.txt", b"what was written today\n" * 1000)
    has_phase(choose(book.page, notes), "done")
    stored = book.page.locator(".rpclab-dashboard .rpclab-stored[data-name='client1/diary.txt']")
    with book.page.expect_download() as download:
        stored.locator(".rpclab-restore").click()
    assert pathlib.Path(download.value.path()).read_bytes() == notes.read_bytes()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_the_widgets_show_is_accessible(book: NotebookPage, axe: pathlib.Path, theme: str) -> None:
    book.darken(theme == "dark")
    book.page.locator(".rpclab-uploader").scroll_into_view_if_needed()
    found = accessibility(book.page, ".rpclab-uploader", ".rpclab-dashboard")
    book.shoot(f"widgets-{theme}")
    assert found == [], "\n".join(found)


def test_the_check_itself_sees_what_is_not_accessible(book: NotebookPage, axe: pathlib.Path) -> None:
    place = book.page.locator(".rpclab-uploader")
    place.evaluate("place => place.insertAdjacentHTML('beforeend', '<img id=bad src=data:,>')")
    found = accessibility(book.page, ".rpclab-uploader")
    place.evaluate("place => place.querySelector('#bad').remove()")
    assert [line.split()[0] for line in found] == ["image-alt"]
