"""`rpclab app`: a cluster, and a page to use it, in the browser; both end with Ctrl-C."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pathlib
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import click

from ..cluster.desk import DATA_VARIABLE, NAME_VARIABLE, ROOT_VARIABLE, Desk
from ..cluster.local import LocalCluster
from ..cluster.process import new_session, package_environment, wait_until
from ..config import is_loopback
from ..errors import StartFailed, UsageError
from ..text import counted
from .output import Exit, Output, json_option
from .page_server import TOKEN_VARIABLE
from .reach import Reach, cluster_options, refuse_shared_data
from .settings import settings_options

__all__ = ["app"]

_START_S = 60.0  # Voilà takes seconds to load
_STOP_S = 10.0
_TRIES = 5  # a free port may be somebody else's by the time that Voilà has loaded
_SERVER = "rpclab.commands.page_server"
_NOTEBOOK = pathlib.Path(__file__).parents[1] / "widgets" / "app.ipynb"
_EXPOSED = """\
{host} can be reached from other machines, and what is said is not encrypted. Whoever learns the address with its token
can read, replace and delete every stored file, back up what lies below {root}, and end every part of the cluster. Show it
to nobody else, and put a server that speaks TLS in front of it."""


@click.command()
@settings_options
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="where the page is served [127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="its port [a free one]")
@click.option("--root", metavar="DIR", help="where files on the disk may be chosen [the clients' folders]")
@click.option("--browser/--no-browser", default=True, help="open it in the browser [yes]")
@cluster_options
@json_option
def app(out: Output, reach: Reach, host: str, port: int, root: str | None, browser: bool, **settings: Any) -> int:
    """Start a cluster and a page with its dashboard and uploader.

    Both end with Ctrl-C. What is stored stays.
    """
    if importlib.util.find_spec("voila") is None or importlib.util.find_spec("anywidget") is None:
        raise UsageError(
            "the page needs Voilà and anywidget, which are not installed: pip install 'voila>=0.5.8' anywidget"
        )
    if not settings["clients"]:
        raise UsageError("--clients 0: the page needs a client whose files it backs up")
    if root is not None and not os.path.isdir(root):
        raise UsageError(f"--root: there is no folder {root}")
    refuse_shared_data(reach.data)
    with LocalCluster(**settings, data=reach.data, name=reach.name) as cluster, Desk(cluster):
        if not is_loopback((host, port)):
            out.problem(_EXPOSED.format(host=host, root=root or cluster.data / "clients"))
        with _served(cluster, host, port, root) as (address, server):
            out.line(
                f"{counted(len(cluster.nodes), 'part')} of the cluster {cluster.name} run. The page is at\n\n  {address}\n"
            )
            out.line("It is yours alone: the token in it lets its bearer do everything. The end: Ctrl-C.")
            out.document(Exit.ALL_HELD, address=address, process=os.getpid())
            sys.stdout.flush()
            if browser:
                _open(address, cluster.folder)
            with contextlib.suppress(KeyboardInterrupt):
                server.wait()
                raise StartFailed(f"the page's server has ended by itself; it said:\n{_tail(cluster.folder)}")
            out.line("\nEnding the page and the cluster.")
    out.line(f"Ended. What is stored stays in {pathlib.Path(reach.data, 'servers')}.")
    return Exit.ALL_HELD


@contextlib.contextmanager
def _served(
    cluster: LocalCluster, host: str, port: int, root: str | None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The page while it is served: its address with the token, and the server's process. Errors: StartFailed."""
    token = secrets.token_urlsafe(32)
    environment = {**package_environment(), TOKEN_VARIABLE: token}
    environment |= {DATA_VARIABLE: str(cluster.data.absolute()), NAME_VARIABLE: cluster.name}
    environment |= {} if root is None else {ROOT_VARIABLE: os.path.abspath(root)}
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    for tries_left in reversed(range(_TRIES)):
        chosen = port or _free_port(host)
        address = f"http://{f'[{shown}]' if ':' in shown else shown}:{chosen}/"
        with _process(cluster.folder, host, chosen, environment) as server:
            wait_until(lambda: server.poll() is not None or _answers(address), time.monotonic() + _START_S)  # noqa: B023
            if server.poll() is None and _answers(address):
                yield f"{address}?token={token}", server
                return
            if port or not tries_left or not _is_taken(host, chosen):  # else somebody took it meanwhile
                raise StartFailed(f"the page's server did not start; it said:\n{_tail(cluster.folder)}")


@contextlib.contextmanager
def _process(
    folder: pathlib.Path, host: str, port: int, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-P", "-m", _SERVER, host, str(port), str(_NOTEBOOK)]
    with open(_log(folder), "wb") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=environment, **new_session()
        )
    try:
        yield server
    finally:
        assert server.stdin is not None
        server.stdin.close()  # its lifeline
        try:
            server.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _answers(address: str) -> bool:
    """Whether somebody answers there, be it that the token is missing."""
    try:
        with urllib.request.urlopen(f"{address}static/none", timeout=2):
            return True
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return True
    except OSError:
        return False


def _free_port(host: str) -> int:
    try:
        return _bound(host, 0)
    except OSError as error:
        raise UsageError(f"--host {host}: {error.strerror or error}") from None


def _is_taken(host: str, port: int) -> bool:
    try:
        _bound(host, port)
    except OSError:
        return True
    return False


def _bound(host: str, port: int) -> int:
    """The port that one gets by asking for this one, 0 for any; it is let go again. Errors: OSError."""
    family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as asked:
        asked.bind(where)
        return int(asked.getsockname()[1])


def _open(address: str, folder: pathlib.Path) -> None:
    """Open the browser, by a file that only this person can read: all can read what programs are started with."""
    import webbrowser

    path = folder / "page.html"
    path.touch(mode=0o600)
    path.write_text(f'<meta charset="utf-8"><meta http-equiv="refresh" content="0; url={address}">', encoding="utf-8")
    with contextlib.suppress(webbrowser.Error):
        webbrowser.open(path.absolute().as_uri())


def _log(folder: pathlib.Path) -> pathlib.Path:
    return folder / "page.log"


def _tail(folder: pathlib.Path) -> str:
    lines = _log(folder).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-12:]) or "  (nothing)"
