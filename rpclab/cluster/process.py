"""One part as a child process: started in a session of its own, ended when its parent ends, its log in a file.

The child watches its standard input, whose other end we hold: it stops when it reads a byte, and, however we end, when the
pipe closes. A process that is forked from ours closes its copies, so that it keeps no part alive after us. A part tells that
it is ready by a file with its address; if it fails to start, the end of its log is in the error.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import sysconfig
import time
import weakref
from collections.abc import Callable
from typing import Any

import psutil

from ..config import Address
from ..errors import NotRunning, PortInUse, StartFailed
from ..secret import SECRET_VARIABLE
from .settings import Part

__all__ = ["NodeProcess", "identity", "is_same", "new_session", "package_environment", "wait_until"]

_POLL_S = 0.002
_LOG_TAIL_LINES = 12


class NodeProcess:
    """A manager, server or client as a process; it can be started again after it ended."""

    def __init__(
        self, part: Part, folder: pathlib.Path, secret: pathlib.Path, events: pathlib.Path | None, *more: str
    ) -> None:
        self.node, self.role = part.node, part.role
        self._options, self._secret, self._port = [*part.options, *more], secret, part.port
        if events is not None:
            self._options += ["--log", str(events / f"{part.node}.jsonl")]
        self._ready_file = folder / f"{part.node}.ready.json"
        self.log_file = folder / f"{part.node}.log"
        self._child: subprocess.Popen[bytes] | None = None
        self.address: Address | None = None
        self.paused = False
        if hasattr(os, "register_at_fork"):
            pipe = weakref.WeakMethod(self._close_pipe)  # it cannot be unregistered, and must not keep this object
            os.register_at_fork(after_in_child=lambda: (close := pipe()) and close())

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def state(self) -> str:
        return "paused" if self.alive and self.paused else "running" if self.alive else "stopped"

    def start(self) -> None:
        """Start the process, without waiting. A second start uses the port of the first."""
        self._close_pipe()  # of one that ended by itself
        self._ready_file.unlink(missing_ok=True)
        port = ["--port", str(self.address[1] if self.address else self._port)]
        # -P keeps a student's own random.py or socket.py in the working folder from taking the place of Python's
        command = [sys.executable, "-P", "-m", f"rpclab.{self.role}", *self._options, *port]
        command += ["--lifeline", "--quiet", "--ready-file", str(self._ready_file)]
        with open(self.log_file, "ab") as log:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                bufsize=0,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**package_environment(), SECRET_VARIABLE: str(self._secret)},
                **new_session(),
            )
        self.paused = False

    def wait_ready(self, until: float) -> Address:
        """Wait until it serves, up to a moment of `time.monotonic`. Errors: StartFailed and PortInUse, with its own words."""
        if not wait_until(lambda: self._ready_file.exists() or not self.alive, until) or not self.alive:
            raise self._failure()
        self.address = tuple(json.loads(self._ready_file.read_text(encoding="utf-8"))["address"])
        return self.address

    def _failure(self) -> StartFailed | PortInUse:
        status = (
            "did not become ready in time"
            if self.alive
            else f"ended with exit status {self._child and self._child.returncode}"
        )
        tail = self.log_tail()
        self.kill()
        kind = PortInUse if "PortInUse" in tail else StartFailed
        return kind(f"{self.node} {status}; it said:\n{tail or '(nothing)'}")

    def log_tail(self, lines: int = _LOG_TAIL_LINES) -> str:
        """The last lines that it printed."""
        try:
            text = self.log_file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(f"  {line}" for line in text.splitlines()[-lines:])

    def kill(self) -> None:
        """End it at once, as `kill -9` does: it can tell nobody. May be called twice."""
        if self._child is not None:
            with contextlib.suppress(OSError):
                self._child.kill()
            self._child.wait()
            self._close_pipe()

    def pause(self) -> None:
        """Stop its time: its connections stay open, and it answers nothing."""
        self._running()
        psutil.Process(self.pid).suspend()
        self.paused = True

    def resume(self) -> None:
        self._running()
        psutil.Process(self.pid).resume()
        self.paused = False

    def ask_to_stop(self) -> None:
        """Tell it to stop, without waiting: by a byte, as a forked process may hold its lifeline open too."""
        if self.alive and self.paused:
            self.resume()
        if self._child is not None and self._child.stdin is not None and not self._child.stdin.closed:
            with contextlib.suppress(OSError):
                self._child.stdin.write(b"\n")
        self._close_pipe()

    def wait_stopped(self, until: float) -> bool:
        """Wait for its end until a moment of `time.monotonic`, then kill it; True if it ended by itself."""
        if self._child is None:
            return True
        try:
            self._child.wait(max(0.01, until - time.monotonic()))
            return True
        except subprocess.TimeoutExpired:
            self.kill()
            return False

    def stop(self, seconds: float) -> bool:
        self.ask_to_stop()
        return self.wait_stopped(time.monotonic() + seconds)

    def _running(self) -> None:
        if not self.alive:
            raise NotRunning(f"{self.node} is not running: restart it first")

    def _close_pipe(self) -> None:
        if self._child is not None and self._child.stdin is not None:
            with contextlib.suppress(OSError):
                self._child.stdin.close()


def wait_until(condition: Callable[[], bool], until: float) -> bool:
    """Poll a condition until it holds; False if it does not by that moment of `time.monotonic`."""
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(_POLL_S)
    return True


def new_session() -> dict[str, Any]:
    """A session of its own: the notebook's interrupt button, or Ctrl-C, is not for the nodes."""
    if os.name == "posix":
        return {"start_new_session": True}
    return {
        "creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0)
    }


def package_environment() -> dict[str, str]:
    """The environment for a child that has to find this package, wherever it was imported from."""
    environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
    package = pathlib.Path(__file__).parents[2]
    if str(package) not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        known = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{package}{os.pathsep}{known}" if known else str(package)
    return environment


# ---- telling a recorded process from another one that has its number now


def identity(pid: int) -> dict[str, float]:
    """What a process is recorded by: its number and when it began."""
    return {"pid": pid, "began": psutil.Process(pid).create_time()}


def is_same(record: dict[str, float]) -> psutil.Process | None:
    """The process of a record, if it still runs."""
    try:
        process = psutil.Process(int(record["pid"]))
        if process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - record["began"]) > 0.05:
            return None
    except psutil.Error:
        return None
    return process
