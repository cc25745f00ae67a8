"""How far the fullest server was above the mean after each stored file: runs that took unequally long can be compared."""

from __future__ import annotations

from .history import History

__all__ = ["gaps_by_file"]


def gaps_by_file(history: History) -> list[float]:
    """After each copy that was stored, in order of time: the fullest server's bytes less the mean of all that ever registered."""
    stored = dict.fromkeys((event.peer for event in history.of("registered")), 0)
    gaps = []
    for event in sorted(history.of("stored"), key=lambda event: event.time):
        stored[event.node] = event.detail["stored_bytes"]
        gaps.append(max(stored.values()) - sum(stored.values()) / len(stored))
    return gaps
