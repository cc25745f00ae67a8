"""Where checks are run: a process that has everything loaded, and forks for each check, so that none finds what another left.

A check's process that takes too long, too much memory or too many processes is ended with all that it has started. Where the
system knows no fork (Windows), each check has a process that is started anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, Any

import psutil

from ..cluster.process import new_session, package_environment

__all__ = ["MEMORY_BYTES", "PROCESSES", "Nursery", "Outcome"]

MEMORY_BYTES = 1 << 30  # of all processes of a check together: a cluster of six takes 200 MiB
PROCESSES = 40
_POLL_S = 0.1  # long enough that looking costs a hundredth of a processor
_OUTPUT_BYTES = 20_000  # of what the student's code prints; the rest is read and dropped
_START_S = 30.0
_TELLS_CHILDREN = os.path.exists(f"/proc/self/task/{os.getpid()}/children")


class Outcome:
    """How a check's process ended: by which limit ("" for none), with which exit status, and what it printed."""

    def __init__(self, limit: str, status: str, output: str) -> None:
        self.limit, self.status, self.output = limit, status, output


class Nursery:
    """Runs one check after the other; close it at the end. Used by one thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._printed = bytearray()
        self._lock = threading.Lock()  # guards _printed

    def run(self, told: dict[str, Any], limit_s: float) -> Outcome:
        """Run what is `told` (see runner.py) until it ends, or is ended."""
        process = self._started()
        with self._lock:
            self._printed.clear()
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended: the wait below sees it
            process.stdin.write(json.dumps(told).encode() + b"\n")
            process.stdin.flush()
        family = _Family()
        limit, status = self._watch(family, limit_s)
        family.end()
        if limit and status == "":
            status = self._status(_START_S)
        if os.name != "posix":
            self.close()
        with self._lock:
            return Outcome(limit, status, bytes(self._printed).decode("utf-8", "replace"))

    def _watch(self, family: _Family, limit_s: float) -> tuple[str, str]:
        limit_s *= _crowded()
        until = time.monotonic() + _START_S + limit_s
        while True:
            with contextlib.suppress(queue.Empty):
                line = self._lines.get(timeout=_POLL_S)
                if line is None:
                    return "", f"{self._process and self._process.wait()}"
                word, _, value = line.partition(" ")
                if word == "ended":
                    return "", value
                family.head = int(value)
                until = time.monotonic() + limit_s
            limit = "took-too-long" if time.monotonic() > until else family.takes_too_much()
            if limit:
                return limit, ""

    def _status(self, within_s: float) -> str:
        """How a check's process that was just ended has ended, as its parent saw it."""
        with contextlib.suppress(queue.Empty):
            line = self._lines.get(timeout=within_s)
            return "" if line is None else line.partition(" ")[2]
        self.close()
        return ""

    # ---- the process

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        self._lines = queue.Queue()
        process = self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rpclab.labs.runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**package_environment(), "MALLOC_ARENA_MAX": "2"},
            cwd=tempfile.gettempdir(),
            **new_session(),
        )
        for name, function, stream in (
            ("says", self._read_lines, process.stdout),
            ("prints", self._read_output, process.stderr),
        ):  # daemons: a process that outlives its parent may hold the pipe open
            threading.Thread(target=function, args=(stream, self._lines), name=f"nursery-{name}", daemon=True).start()
        return process

    @staticmethod
    def _read_lines(stream: IO[bytes], lines: queue.Queue[str | None]) -> None:
        for line in stream:
            lines.put(line.decode().strip())
        lines.put(None)
        stream.close()

    def _read_output(self, stream: IO[bytes], lines: queue.Queue[str | None]) -> None:
        while piece := os.read(stream.fileno(), 65536):
            with self._lock:
                self._printed += piece
                del self._printed[:-_OUTPUT_BYTES]
        stream.close()

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        family = _Family()
        family.head = process.pid
        family.takes_too_much()
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        family.end()
        process.wait()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _crowded() -> float:
    """How many processes wait for each core: on a machine that others use, time is longer for everybody. From 1 to 5."""
    return min(5.0, max(1.0, psutil.getloadavg()[0] / (os.cpu_count() or 1)))


class _Family:
    """A check's process, and all that it was ever seen to have started."""

    def __init__(self) -> None:
        self.head: int | None = None
        self._seen: dict[int, psutil.Process] = {}

    def takes_too_much(self) -> str:
        """Which limit it is over, "" for none."""
        self._look()
        memory = alive = 0
        for process in self._seen.values():
            with contextlib.suppress(psutil.Error):
                memory += process.memory_info().rss
                alive += process.is_running()
        if alive > PROCESSES:
            return "too-many-processes"
        return "too-much-memory" if memory > MEMORY_BYTES else ""

    def _look(self) -> None:
        """Find who has come since, and forget who has ended: the number may be a stranger's by now."""
        with contextlib.suppress(psutil.Error):
            if self.head is not None and self.head not in self._seen:
                self._seen[self.head] = psutil.Process(self.head)
        self._seen = {pid: process for pid, process in self._seen.items() if process.is_running()}
        waiting = list(self._seen.values())
        while waiting:
            for child in _children(waiting.pop()):
                if child.pid not in self._seen:
                    self._seen[child.pid] = child
                    waiting.append(child)

    def end(self) -> None:
        """End them all; a paused one too, which would wait for ever."""
        self._look()
        if self.head is not None and os.name == "posix":
            with contextlib.suppress(OSError):
                os.killpg(self.head, signal.SIGKILL)
        for process in self._seen.values():
            with contextlib.suppress(psutil.Error):
                process.kill()


def _children(process: psutil.Process) -> list[psutil.Process]:
    """Whom a process has started. Linux tells those of one process at once; elsewhere, and on a Linux that does not, all
    processes of the machine have to be read, which takes twenty times as long."""
    found: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error, OSError):
        if not _TELLS_CHILDREN:
            return process.children()
        for task in os.listdir(f"/proc/{process.pid}/task"):
            with open(f"/proc/{process.pid}/task/{task}/children", encoding="ascii") as file:
                found += [psutil.Process(int(pid)) for pid in file.read().split()]
    return found
