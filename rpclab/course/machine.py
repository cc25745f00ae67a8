"""Tries whether this machine has all that the labs need: each thing is used once, not only looked for."""

from __future__ import annotations

import contextlib
import importlib
import os
import pathlib
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..config import MANAGER_PORT
from ..errors import RpclabError, error_text
from ..labs.checking import check_submission
from ..labs.lab import Broken, lab_named
from ..labs.scenes import back_up_and_restore, restart_everything
from ..labs.submission import Submission
from ..labs.trial import Trial
from ..running import data_folder
from ..text import bytes_text
from .sources import course_files, starters

__all__ = ["Finding", "try_machine"]

_OLDEST, _NEWEST = (3, 11), (3, 14)
_PACKAGES = ("jupyterlab", "ipykernel", "ipywidgets", "anywidget", "matplotlib", "numpy", "pandas", "greenlet")
_ROOM_BYTES = 1 << 30  # environment aside, a term's labs and notebooks took less than half of it
_INSTALL = 'pip install "rpclab[notebook]"'


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried: whether it works, what was seen, and, where it does not, what to do."""

    name: str
    works: bool
    seen: str
    do: str = ""


def try_machine() -> Iterator[Finding]:
    """Try one thing after the other, the cheap ones first; it takes about a minute on two cores."""
    for name, function in (("python", _python), ("packages", _packages), ("folder", _folder), ("ports", _ports)):
        yield _tried(name, function)
    yield _tried("simulated cluster", _simulated)
    yield _tried("real cluster", _real)
    for lab in starters():
        yield _tried(lab, lambda lab=lab: _lab(lab))  # type: ignore[misc]


def _tried(name: str, function: Callable[[], tuple[bool, str, str]]) -> Finding:
    try:
        return Finding(name, *function())
    except (RpclabError, Broken) as error:
        return Finding(name, False, f"{type(error).__name__}: {error_text(error)}", "mend what stands above it first")
    except (OSError, ImportError) as error:
        return Finding(name, False, f"{type(error).__name__}: {error}", "mend what stands above it first")


def _python() -> tuple[bool, str, str]:
    mine, found = sys.version_info[:2], f"{platform.python_version()} on {platform.system()}"
    if mine < _OLDEST:
        return False, found, "install Python 3.11 or newer"
    newer = f"; rpclab was tried up to {_NEWEST[0]}.{_NEWEST[1]}" if mine > _NEWEST else ""
    return True, found + newer, ""


def _packages() -> tuple[bool, str, str]:
    missing: list[str] = []
    broken: list[str] = []
    for name in _PACKAGES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name == name:
                missing.append(name)
            else:
                broken.append(f"{name} ({error})")
        except Exception as error:  # whatever a package does when it is loaded: it is told, not raised
            broken.append(f"{name} ({type(error).__name__}: {error})")
    told = [f"not installed: {', '.join(missing)}"] if missing else []
    told += [f"cannot be loaded: {', '.join(broken)}"] if broken else []
    if told:
        return False, "; ".join(told), _INSTALL
    return True, f"JupyterLab {importlib.import_module('jupyterlab').__version__} and the others are loaded", ""


def _folder() -> tuple[bool, str, str]:
    data = pathlib.Path(data_folder())
    if not (data / "clients").is_dir():
        return False, f"{data} holds no clients' files", "call this in the course's folder, or set RPCLAB_DATA"
    try:
        with tempfile.NamedTemporaryFile(dir=data, prefix=".rpclab-try-") as file:
            file.write(b"written and synced")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return False, f"{data} cannot be written: {error.strerror}", "move the course to a folder of your own"
    free = shutil.disk_usage(data).free
    if free < _ROOM_BYTES:
        return False, f"{data} has only {bytes_text(free)} left", f"make room: {bytes_text(_ROOM_BYTES)} are enough"
    return True, f"{data} can be written, {bytes_text(free)} are free", ""


def _ports() -> tuple[bool, str, str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        socket.create_connection(listening.getsockname(), timeout=5).close()
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", MANAGER_PORT)):
        return True, f"127.0.0.1 can be listened on and reached, {MANAGER_PORT} is free", ""
    return True, f"127.0.0.1 works; {MANAGER_PORT} is in use, so: rpclab up --ports free", ""


def _simulated() -> tuple[bool, str, str]:
    with _trial() as trial, trial.simulated() as cluster:
        files = back_up_and_restore(cluster, trial, "cluster")
    return True, f"{len(files)} files backed up and restored", ""


def _real() -> tuple[bool, str, str]:
    with _trial() as trial, trial.local(clients=1) as cluster:
        files = back_up_and_restore(cluster, trial, "cluster")
        restart_everything(cluster)
    return True, f"{len(files)} files backed up and restored by {len(cluster.nodes)} processes, each restarted", ""


@contextlib.contextmanager
def _trial() -> Iterator[Trial]:
    with tempfile.TemporaryDirectory(prefix="rpclab-try-", ignore_cleanup_errors=True) as folder:
        yield Trial(1, pathlib.Path(folder))


def _lab(name: str) -> tuple[bool, str, str]:
    """What a lab begins with passes its first check, in a process with limits: as the student will see it."""
    lab = lab_named(name)
    if not list((course_files() / "notebooks" / "labs").glob(f"{name}-*.ipynb")):
        return False, "its notebook is missing", "install rpclab again"
    submission = Submission.from_file(starters()[name])
    verdict = check_submission(lab, submission, only=lab.checks[0].name).verdicts[0]
    if verdict.verdict != "pass":
        return False, f"{verdict.check}: {verdict.seen}", f"call: {_command(name, verdict.check)}"
    return True, "its first check runs", ""


def _command(lab: str, check: str) -> str:
    return f"rpclab check {lab} {starters()[lab]} --only {check} --hint 3"
