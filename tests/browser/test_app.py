"""`rpclab app`: the dashboard and the uploader as a page of their own, in the browser; `tests/commands/` has the command."""

from __future__ import annotations

import pathlib
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from .jupyter import environment, lay_out, node_processes
from .pages import accessibility, shoot, watched
from .widgets import choose, has_phase, has_word, node

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STARTS_WITHIN_S = 120.0  # Voilà's first page takes seconds, and many on a loaded machine
ENDS_WITHIN_S = 60.0
TRIES = (
    4  # on a busy machine Voilà may show its widgets before they have come, and say so; the page is then loaded again
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return lay_out(tmp_path_factory.mktemp("app") / "work")


@pytest.fixture(scope="module")
def address(chromium: Browser, folder: pathlib.Path) -> Iterator[str]:
    """What the command prints: the page's address, with its token. At the end nothing of it is left."""
    command = [sys.executable, "-m", "rpclab", "app", "--no-browser", "--ports", "free", "--clients", "1"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            assert running.stdout is not None
            lines = iter(running.stdout)  # they end with the command, which gives up by itself
            yield next(found[0] for line in lines if (found := re.search(r"http://\S+token=\S+", line)))
        finally:
            running.terminate() if sys.platform == "win32" else running.send_signal(signal.SIGINT)
            running.wait(ENDS_WITHIN_S)
    assert node_processes(folder / "data") == []


@pytest.fixture(scope="module")
def page(chromium: Browser, address: str) -> Iterator[tuple[Page, list[str]]]:
    with watched(chromium) as (page, errors):
        failed = page.get_by_text("Error displaying widget")
        for _ in range(TRIES):
            page.goto(address, timeout=STARTS_WITHIN_S * 1000)
            page.locator(".rpclab-dashboard .rpclab-node").or_(failed).first.wait_for(timeout=STARTS_WITHIN_S * 1000)
            if failed.count() == 0:
                break
        yield page, errors


def test_a_file_is_uploaded_and_a_server_killed_on_the_page(
    page: tuple[Page, list[str]], folder: pathlib.Path, make_file: Callable[..., pathlib.Path]
) -> None:
    shown, errors = page
    photo = make_file("photo.bin", 5_000_000)
    has_phase(choose(shown, photo), "done")
    copies = list((folder / "data" / "servers").glob("*/Backups/client1/photo.bin"))
    assert [copy.read_bytes() == photo.read_bytes() for copy in copies] == [True, True]
    server = node(shown, "server1")
    server.locator(".rpclab-kill").click()
    has_word(server, "dead")
    shoot(shown, "app", whole=True)
    server.locator(".rpclab-restart").click()
    has_word(server, "alive")
    assert errors == []


def test_the_page_is_accessible(page: tuple[Page, list[str]], axe: pathlib.Path) -> None:
    found = accessibility(page[0], "body")
    assert found == [], "\n".join(found)
