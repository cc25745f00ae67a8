"""Waiting for something to come true, with a deadline; and how long things take, each time."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Callable

__all__ = ["at_once", "timed", "wait_for"]

_PAUSE_S = 0.05


def wait_for(condition: Callable[[], object], *, within_s: float = 30.0) -> bool:
    """Ask again and again until the answer is true; returns True. Errors: TimeoutError when it isn't within so many seconds."""
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"it did not come true within {within_s:g} s")
        time.sleep(_PAUSE_S)
    return True


def timed(function: Callable[[], object], rounds: int = 15) -> list[float]:
    """Do it so many times, one after the other; returns the seconds that each took."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        function()
        took.append(time.perf_counter() - began)
    return took


def at_once(function: Callable[[], object], count: int) -> list[float]:
    """Have so many threads do it, all beginning at the same moment; returns the seconds until each was done, the first one first.
    What one of them raises is raised here."""
    together = threading.Barrier(count)

    def work() -> float:
        together.wait()
        began = time.perf_counter()
        function()
        return time.perf_counter() - began

    with concurrent.futures.ThreadPoolExecutor(count, "at-once") as pool:
        return sorted(pool.map(lambda _: work(), range(count)))
