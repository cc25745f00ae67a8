"""How far down an event stands in a space-time diagram: by its time, or by its Lamport time.

Neither is to scale. Every event that is drawn has a line of its own, so that what takes microseconds can be read; where nothing
happens for long, the gap is folded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise
from math import log2
from statistics import median
from typing import NamedTuple

from ..study.spacetime_faults import CLUSTER
from ..trace import Event

__all__ = ["Fold", "Places"]

_STEPS = ((80, 13.0), (300, 10.0), (1000, 7.0), (2000, 5.0))
_SMALLEST = 3.5  # points from one event to the next when there are thousands
_FOLD = 26.0  # points that a folded gap takes
_LONG = 30  # a gap is folded when it is so many times the usual one,
_SHARE = 0.03  # and such a part of all that is shown


class Fold(NamedTuple):
    """A gap in which nothing happened, drawn shorter than it was: from y to y, so many seconds (or steps)."""

    top: float
    bottom: float
    length: float


class Places:
    """Where events stand, in points below the top. `axis` is "time" or "step"."""

    def __init__(self, events: Iterable[Event], axis: str) -> None:
        self._by_time = axis == "time"
        chosen = {(event.node, event.number): event for event in events}
        key = _time_order if self._by_time else _step_order
        own = [event for event in chosen.values() if self._by_time or event.node != CLUSTER]
        ordered = sorted(own, key=key)
        self._gap = next((gap for most, gap in _STEPS if len(ordered) <= most), _SMALLEST)
        self.folds: list[Fold] = []
        self.rows: list[tuple[float, Event]] = []
        """Each place at which something stands, with its first event."""
        self._of: dict[tuple[str, int], float] = {}
        self._place(ordered)
        self._clocks: dict[str, tuple[list[float], list[float]]] = {}
        for event in sorted(own, key=_time_order):
            for node in ("", event.node):
                times, places = self._clocks.setdefault(node, ([], []))
                times.append(event.time)
                places.append(self._of[event.node, event.number])
        for event in chosen.values():  # what was done to a node has no Lamport time that the node knew
            if (event.node, event.number) not in self._of:
                self._of[event.node, event.number] = self.at(event.peer, event.time)

    @property
    def height(self) -> float:
        return self.rows[-1][0] if self.rows else 0.0

    @property
    def gap(self) -> float:
        """Points from an event to the next."""
        return self._gap

    def of(self, event: Event) -> float | None:
        """Where an event stands, if it is drawn."""
        return self._of.get((event.node, event.number))

    def at(self, node: str, time: float) -> float:
        """Where a moment stands on a node's line: between the node's own events, or, ordered by time, between all."""
        times, places = self._clocks.get("" if self._by_time else node) or self._clocks.get("", ([], []))
        after = bisect_right(times, time)
        if after == 0:
            return (places[0] if places and not self._by_time else 0.0) - self._gap / 2
        if after == len(times):
            return places[-1] + self._gap / 2
        if not self._by_time:
            return places[after - 1] + self._gap / 2
        share = (time - times[after - 1]) / (times[after] - times[after - 1])
        return places[after - 1] + share * (places[after] - places[after - 1])

    def _place(self, ordered: list[Event]) -> None:
        values = [event.time if self._by_time else float(event.lamport) for event in ordered]
        gaps = [later - earlier for earlier, later in pairwise(values)]
        usual = median([gap for gap in gaps if gap > 0] or [1.0])
        fold = max(_LONG * usual, _SHARE * (values[-1] - values[0])) if values else 0.0
        y = 0.0
        for index, event in enumerate(ordered):
            passed = gaps[index - 1] if index else 0.0
            if index and self._folded(passed, fold):
                self.folds.append(Fold(y, y + _FOLD, passed))
                y += _FOLD
            elif index:
                y += self._step(passed, usual)
            if not self.rows or y > self.rows[-1][0]:
                self.rows.append((y, event))
            self._of[event.node, event.number] = y

    def _folded(self, passed: float, fold: float) -> bool:
        return passed > fold if self._by_time else passed > 3

    def _step(self, passed: float, usual: float) -> float:
        if not self._by_time:
            return self._gap if passed else 0.0
        return self._gap * (1 + min(1.5, 0.3 * log2(1 + passed / usual)))


def _time_order(event: Event) -> tuple[float, int, str, int]:
    return event.time, event.lamport, event.node, event.number


def _step_order(event: Event) -> tuple[int, str, int]:
    return event.lamport, event.node, event.number
