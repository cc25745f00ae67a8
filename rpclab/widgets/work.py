"""Where a widget's work is done: never in a callback of the front end, which has to return at once.

A real cluster's work has a thread of its own. A simulated cluster belongs to the thread that made it (its tasks are greenlets),
so its work goes to that thread's event loop, between two cells.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Loop", "Thread", "Worker", "worker"]

_END_S = 5.0  # what is under way may take so long to end when a widget is closed


class Worker(Protocol):
    """Carries functions out, one after the other, in the order they came."""

    def do(self, function: Callable[..., object], *args: Any) -> None: ...

    def close(self) -> None: ...


def worker(cluster: Any, name: str) -> Worker:
    """What carries out work on this cluster."""
    return Loop() if hasattr(cluster, "simulation") else Thread(name)


class Thread:
    """A thread of its own. It is a daemon: a kernel that ends does not wait for a server that does not answer."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def do(self, function: Callable[..., object], *args: Any) -> None:
        self._jobs.put((function, args))

    def close(self) -> None:
        """End it after what is under way; what waits is forgotten. May be called twice, and by the thread itself."""
        while True:
            try:
                self._jobs.get_nowait()
            except queue.Empty:
                break
        self._jobs.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(_END_S)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            function, args = job
            function(*args)
            del job, function, args  # else the last one keeps its widget alive as long as no other comes


class Loop:
    """The event loop of the thread that made it; where there is none, as in a script, work is done at once."""

    def __init__(self) -> None:
        self._closed = False
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def do(self, function: Callable[..., object], *args: Any) -> None:
        if self._loop is None:
            function(*args)
        else:
            self._loop.call_soon_threadsafe(self._unless_closed, function, args)

    def _unless_closed(self, function: Callable[..., object], args: tuple[Any, ...]) -> None:
        if not self._closed:
            function(*args)

    def close(self) -> None:
        self._closed = True
