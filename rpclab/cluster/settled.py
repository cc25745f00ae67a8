"""Waiting until a cluster has nothing more to repair, to trim, or to find out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..errors import DeadlineExceeded

__all__ = ["wait_settled"]

_POLL_S = 0.1
_LOOKS = 2  # in a row: what a server that just came back has too many is found a moment later


def wait_settled(cluster: Any, within_s: float = 30.0) -> dict[str, Any]:
    """Wait until the manager suspects nobody, waits for nobody and has nothing to copy; returns what it has done so far.

    Of a real cluster or a simulated one. Errors: DeadlineExceeded, which says what is still to be done.
    """
    sleep: Callable[[float], object] = getattr(cluster, "sleep", time.sleep)
    until, quiet = _now(cluster) + within_s, 0
    while True:
        upkeep: dict[str, Any] = cluster.upkeep()
        left = {
            what: upkeep[what] for what in ("safe_mode", "suspected", "awaited", "waiting", "running") if upkeep[what]
        }
        quiet = 0 if left else quiet + 1
        if quiet == _LOOKS:
            return upkeep
        if _now(cluster) > until:
            raise DeadlineExceeded(f"the cluster has not settled within {within_s:g} s: {left}")
        sleep(_POLL_S)


def _now(cluster: Any) -> float:
    now: float = getattr(cluster, "now", time.monotonic())
    return now
