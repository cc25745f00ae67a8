"""`rpclab app`: the dashboard and the uploader as a page of their own, in the browser; `tests/commands/` has the command."""

from __future__ import annotations

import pathlib
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import psutil
import pytest

from .jupyter import environment, lay_out, node_processes
from .pages import accessibility, shoot, watched
from .widgets import choose, has_phase, has_word, node

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, WebSocketRoute

STARTS_WITHIN_S = 120.0  # Voilà's first page takes seconds, and many on a loaded machine
ENDS_WITHIN_S = 60.0


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
        opens(page, address)
        yield page, errors


def opens(page: Page, address: str) -> None:
    """Go there, and wait for the dashboard; where Voilà fails, the page has to help itself."""
    page.goto(address, timeout=STARTS_WITHIN_S * 1000)
    comes_up(page)


def comes_up(page: Page) -> None:
    page.locator(".rpclab-dashboard .rpclab-node").first.wait_for(timeout=STARTS_WITHIN_S * 1000)


def kernels(folder: pathlib.Path) -> list[psutil.Process]:
    """The processes behind the pages of this folder's cluster."""
    lines = {process: " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])}
    servers = [process for process, line in lines.items() if "page_server" in line and str(folder) in _place(process)]
    return [
        each
        for server in servers
        for each in server.children(recursive=True)
        if "ipykernel_launcher" in " ".join(each.cmdline())
    ]


def _place(process: psutil.Process) -> str:
    try:
        return process.environ().get("RPCLAB_DATA", "")
    except psutil.Error:
        return ""


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


def test_a_page_whose_widgets_have_not_come_loads_itself_again(chromium: Browser, address: str) -> None:
    spoilt: list[str] = []

    def spoil(line: WebSocketRoute) -> None:
        """On the first load, hear of no widgets: the control channel is silent, and the kernel's list an error."""
        server = line.connect_to_server()
        first, _ = not spoilt, spoilt.append(line.url)

        def to_page(message: str | bytes) -> None:
            assert isinstance(message, bytes)
            if first and b'"update_states"' in message:
                return
            if first and b'"comm_info_reply"' in message:
                message = message.replace(b'"status": "ok"', b'"status": "no"')
            line.send(message)

        server.on_message(to_page)

    with watched(chromium) as (page, errors):
        page.route_web_socket(re.compile("/channels"), spoil)
        opens(page, address)
        assert len(spoilt) == 2
        page.wait_for_function("sessionStorage.getItem('rpclab-loaded-again') === null")
        assert errors == []


def test_a_page_that_never_comes_up_says_so_and_has_a_button(chromium: Browser, address: str) -> None:
    with watched(chromium) as (page, _):
        page.clock.install()
        script = re.compile(r"/voila\.js")
        page.route(script, lambda route: route.abort())
        page.goto(address, timeout=STARTS_WITHIN_S * 1000)
        assert page.locator(".rpclab-dead-page").count() == 0
        page.clock.run_for(1_000)
        page.clock.run_for(61_000)
        page.locator(".rpclab-dead-page", has_text="did not come up within 60 s").wait_for()
        shoot(page, "app-dead")
        page.unroute(script)
        page.clock.resume()
        page.get_by_role("button", name="Load the page again").click()
        comes_up(page)
        assert page.locator(".rpclab-dead-page").count() == 0


def test_a_page_whose_kernel_has_ended_says_so(chromium: Browser, address: str, folder: pathlib.Path) -> None:
    with watched(chromium) as (page, _):
        page.clock.install()
        before = kernels(folder)
        opens(page, address)
        (own,) = set(kernels(folder)) - set(before)
        problem = page.locator(".rpclab-dashboard .rpclab-said .rpclab-problem")
        assert problem.is_hidden()
        own.kill()
        page.clock.run_for(20_000)
        assert problem.is_hidden()  # it may be busy
        page.clock.run_for(20_000)
        problem.get_by_text("The kernel does not answer.").wait_for()
        shoot(page, "app-kernel-ended")
        page.reload(timeout=STARTS_WITHIN_S * 1000)
        comes_up(page)
        assert problem.is_hidden()
