"""How far the fullest server was above the mean after each stored file: runs that took unequally long can be compared, and a
run with the throws that other dice would have made."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ..manager.placement import Policy
from .history import History
from .placing import place

__all__ = ["gaps_by_file", "gaps_simulated"]


def gaps_by_file(history: History) -> list[float]:
    """After each copy that was stored, in order of time: the fullest server's bytes less the mean of all that ever registered."""
    stored = dict.fromkeys((event.peer for event in history.of("registered")), 0)
    gaps = []
    for event in sorted(history.of("stored"), key=lambda event: event.time):
        stored[event.node] = event.detail["stored_bytes"]
        gaps.append(_gap(list(stored.values())))
    return gaps


def gaps_simulated(policy: str | Policy, sizes: Sequence[int], *, servers: int, seed: int) -> list[float]:
    """The same of files of these sizes, one copy each, on servers that are only numbers, decided by the manager's functions: as
    a cluster with that `seed` decides when one client backs the files up one after the other."""
    stored, gaps = [0] * servers, []
    for size, (chosen,) in zip(sizes, place(policy, sizes, servers=servers, random=Random(seed)), strict=True):
        stored[chosen] += size
        gaps.append(_gap(stored))
    return gaps


def _gap(stored: Sequence[int]) -> float:
    return max(stored) - sum(stored) / len(stored)
