"""Waiting until a cluster has nothing more to repair, to trim, or to find out."""

from __future__ import annotations

import time
from typing import Any

from ..errors import DeadlineExceeded

__all__ = ["wait_settled"]

_POLL_S = 0.1
_LOOKS = 2  # in a row: what was just done may give more to do
_BUSY = ("safe_mode", "suspected", "awaited", "waiting", "running")


def wait_settled(cluster: Any, within_s: float = 30.0) -> dict[str, Any]:
    """Wait until every server that runs is registered, the manager suspects nobody, waits for nobody and has nothing to copy, and
    every file has just the copies it should, or as many as there are servers; returns what the manager has done so far.

    Of a real cluster or a simulated one. Errors: DeadlineExceeded, which says what is still to be done.
    """
    until, quiet = _now(cluster) + within_s, 0
    while True:
        upkeep: dict[str, Any] = cluster.upkeep()
        left = {what: upkeep[what] for what in _BUSY if upkeep[what]}
        if away := _away(cluster):
            left["not registered"] = away
        if wrong := _wrong(cluster):
            left["with too few or too many copies"] = wrong
        quiet = 0 if left else quiet + 1
        if quiet == _LOOKS:
            return upkeep
        if _now(cluster) > until:
            raise DeadlineExceeded(f"the cluster has not settled within {within_s:g} s: {left}")
        cluster.sleep(_POLL_S)


def _away(cluster: Any) -> list[str]:
    """The servers that run and that the manager does not know yet."""
    known = cluster.stored_bytes()
    return [server for server in cluster.servers if server not in known and cluster.state(server) == "running"]


def _wrong(cluster: Any) -> int:
    """How many files have more or fewer copies than they should have."""
    servers = len(cluster.stored_bytes())
    return sum(len(file.servers) != min(file.file.wanted or servers, servers) for file in cluster.files())


def _now(cluster: Any) -> float:
    """Virtual seconds where there are such."""
    now: float = getattr(cluster, "now", time.monotonic())
    return now
