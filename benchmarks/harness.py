"""How things are measured: children that answer questions, interleaved rounds, pinning, peak memory.

A benchmark's parent measures nothing itself and starts one child process a side (ours, a peer). A child is asked
one question a line on its standard input and answers with one line of JSON; at the end of its input it ends,
and so ends what it started.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

__all__ = [
    "LIMIT_S",
    "ROOT",
    "Child",
    "ChildError",
    "Settings",
    "answer_questions",
    "descendants",
    "end_with_parent",
    "interleave",
    "peak_mib",
    "pin",
]

ROOT = Path(__file__).resolve().parent.parent  # the checkout: what `python -m benchmarks...` needs as its folder
LIMIT_S = 300.0  # the longest answer, 8 clients on a slow disk, takes well under a minute


@dataclass
class Settings:
    """What the command line asked for, and the notes that the parts write for the reader."""

    quick: bool = False
    memory_disk: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    disk: Path = ROOT / "benchmarks" / "results"
    notes: list[str] = field(default_factory=list)


class ChildError(Exception):
    """A child ended instead of answering; the text is the last line it wrote to its standard error."""


class Child:
    """A process that runs one side of a benchmark; closing it also ends whatever it started."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.name = " ".join((module, *arguments[:1]))
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (close() closes it)
        command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
        self._process = subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, question: Any = None) -> None:
        """Ask without waiting, so that several children work at once."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # receive() says why the child is gone
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()

    def receive(self) -> Any:
        """Wait for the answer to the last question; raises ChildError if there is none within LIMIT_S seconds."""
        assert self._process.stdout is not None
        watchdog = threading.Timer(LIMIT_S, self._process.kill)
        watchdog.start()
        line = self._process.stdout.readline()
        watchdog.cancel()
        if not line:
            raise ChildError(f"{self.name}: {self._last_words()}")
        return json.loads(line)

    def ask(self, question: Any = None) -> Any:
        self.send(question)
        return self.receive()

    def close(self) -> None:
        """End the child and all its descendants; closing twice is closing once."""
        if self._log.closed:
            return
        started = descendants(self._process.pid)
        with suppress(BrokenPipeError):
            self._process.stdin.close()  # type: ignore[union-attr]
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=20)
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()  # type: ignore[union-attr]
        for left in psutil.wait_procs(started, timeout=5)[1]:
            print(f"{self.name} left process {left.pid} behind; ended now", file=sys.stderr)
            with suppress(psutil.NoSuchProcess):
                left.kill()
        self._log.close()

    def _last_words(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=20)
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"ended with status {self._process.returncode}"


def answer_questions(answer: Callable[[Any], Any]) -> None:
    """The child's half: answer line by line until the parent closes the pipe. What libraries print goes elsewhere."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)
        for line in sys.stdin:
            replies.write(json.dumps(answer(json.loads(line))) + "\n")
            replies.flush()


def end_with_parent() -> None:
    """For a server process: end when the parent closes our standard input, even if it was killed."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    # A daemon: it only waits, and must not keep alive a process that ends by itself.
    threading.Thread(target=wait, name="end-with-parent", daemon=True).start()


def interleave(measures: Mapping[str, Callable[[], Any]], rounds: int, *, warm: bool = True) -> dict[str, list[Any]]:
    """Run every measure once unmeasured (if `warm`), then A B C, A B C, ..., so that all see the same noise."""
    results: dict[str, list[Any]] = {name: [] for name in measures}
    for measure in measures.values() if warm else ():
        measure()
    for _ in range(rounds):
        for name, measure in measures.items():
            results[name].append(measure())
    return results


def pin(process_id: int = 0) -> bool:
    """Keep a process (ourselves: 0), and what it starts from now on, on one core; False where that can't be done."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    core = max(os.sched_getaffinity(os.getpid()))
    threads = [thread.id for thread in psutil.Process(process_id).threads()] if process_id else [0]
    for thread in threads:
        with suppress(ProcessLookupError):
            os.sched_setaffinity(thread, {core})
    return True


def peak_mib(process_id: int) -> float:
    """The most memory that a process has had resident, in MiB; where the system keeps no peak, what it has now."""
    with suppress(OSError):
        for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    info = psutil.Process(process_id).memory_info()
    return float(getattr(info, "peak_wset", info.rss)) / 2**20


def descendants(process_id: int) -> list[psutil.Process]:
    """All that a process has started and that still runs; none if it is gone."""
    try:
        return list(psutil.Process(process_id).children(recursive=True))
    except psutil.NoSuchProcess:
        return []
