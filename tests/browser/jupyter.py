"""Real Jupyter servers for the tests: JupyterLab, Notebook 7 and Voilà, each with settings, a port and a token of its own."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import nbformat
import psutil

__all__ = [
    "PROJECT",
    "JupyterServer",
    "free_port",
    "lay_out",
    "node_processes",
    "serve",
    "serve_page",
    "started",
    "write_notebook",
]

PROJECT = pathlib.Path(__file__).parents[2]
STARTS_WITHIN_S = 90.0  # Lab takes 3 s on an idle machine
ENDS_WITHIN_S = 20.0
NAMES = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}
SETTINGS = {  # each changes what would make a run differ from the next one
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},  # asks a question, and the net
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page, also far below
    "docmanager-extension/plugin": {"autosave": False},
    "apputils-extension/themes": {"theme": "JupyterLab Light", "adaptive-theme": False},
}


@dataclass
class JupyterServer:
    """A server that runs: `kind` is lab, notebook or voila, `folder` holds the notebooks, and `data` the cluster's."""

    kind: str
    address: str
    token: str
    folder: pathlib.Path
    log: pathlib.Path
    process: subprocess.Popen[bytes]

    @property
    def data(self) -> pathlib.Path:
        return self.folder / "data"

    def page(self, notebook: str) -> str:
        """The address of a notebook's page, with the token."""
        path = {"lab": f"lab/tree/{notebook}", "notebook": f"notebooks/{notebook}", "voila": ""}[self.kind]
        return f"{self.address}/{path}?token={self.token}"


def lay_out(folder: pathlib.Path) -> pathlib.Path:
    """The notebooks and the sample data, copied, so that the project's own are not touched."""
    shutil.copytree(PROJECT / "data", folder / "data", ignore=shutil.ignore_patterns("runs", "servers", "notebooks"))
    shutil.copytree(PROJECT / "notebooks", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    return folder


def write_notebook(path: pathlib.Path, *cells: str) -> None:
    """A notebook with these code cells."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])  # type: ignore[no-untyped-call]
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)  # type: ignore[no-untyped-call]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serve(kind: str, folder: pathlib.Path) -> Iterator[JupyterServer]:
    """Start JupyterLab or Notebook 7 over a folder; it and its kernels have ended when the block has."""
    port, token = free_port(), secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyter", kind, "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", "--allow-root"]
    command += [f"--ServerApp.root_dir={folder}", f"--{NAMES[kind]}.expose_app_in_browser=True"]
    with started(kind, command, f"http://127.0.0.1:{port}", token, folder, "/api/status") as server:
        yield server


@contextlib.contextmanager
def serve_page(notebook: pathlib.Path) -> Iterator[JupyterServer]:
    """Start Voilà with one notebook; it and its kernels have ended when the block has."""
    port, token = free_port(), secrets.token_hex(16)
    command = [sys.executable, "-m", "voila", str(notebook), "--no-browser", "--Voila.ip=127.0.0.1", f"--port={port}"]
    command += ["--Voila.port_retries=0", f"--Voila.token={token}"]
    with started("voila", command, f"http://127.0.0.1:{port}", token, notebook.parent, "/static/none") as server:
        yield server


@contextlib.contextmanager
def started(
    kind: str, command: list[str], address: str, token: str, folder: pathlib.Path, answers: str
) -> Iterator[JupyterServer]:
    """Run a server until the block ends; `answers` is a path that is answered, with whatever, once the server is up."""
    log = folder.parent / f"{folder.name}-{kind}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _until_it_answers(f"{address}{answers}?token={token}", process, log)
            yield JupyterServer(kind, address, token, folder, log, process)
        finally:
            _end(process)


def environment(folder: pathlib.Path) -> dict[str, str]:
    """Everything that Jupyter would look for or leave in the user's folders lies beside the notebooks, and starts empty."""
    private = folder.parent / f"{folder.name}-settings"
    for name, values in SETTINGS.items():
        path = private / "lab" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "lab",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "RPCLAB_"))},
        **{name: str(private / place) for name, place in places.items()},
        "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "RPCLAB_DATA": str(folder / "data"),
    }


def _until_it_answers(address: str, process: subprocess.Popen[bytes], log: pathlib.Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    pause = threading.Event()
    while True:
        assert process.poll() is None, f"the server ended with {process.returncode}:\n{log.read_text()}"
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except urllib.error.HTTPError as answer:
            answer.close()
            return  # it answers
        except OSError:
            assert time.monotonic() < until, f"no answer within {STARTS_WITHIN_S} s:\n{log.read_text()}"
            pause.wait(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM asks no question and ends the kernels too; what does not end is killed."""
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(children, timeout=ENDS_WITHIN_S)
    for child in alive:
        child.kill()
    assert not alive, f"these outlived their Jupyter server: {alive}"


def node_processes(data: pathlib.Path, name: str = "") -> list[psutil.Process]:
    """The nodes that run over this data folder; with a name, the ones of that name."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if "-m rpclab." in line and str(data) in line and name in line:
            found.append(process)
    return found
