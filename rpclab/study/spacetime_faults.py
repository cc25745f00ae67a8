"""What was done to the nodes of a run, and when they were there: each fault an interval between two events."""

from __future__ import annotations

from dataclasses import dataclass

from ..trace import Event
from .history import History, natural_order

__all__ = ["CLUSTER", "Interval", "faults", "lives"]

CLUSTER = "cluster"
"""The node whose log tells what somebody did to the others."""

_BEGINS = {
    "paused": "paused",
    "partitioned": "partitioned",
    "slowed": "slowed",
    "filled": "disk full",
    "unsound": "syncs fail",
}
_ENDS = {
    "resumed": ("paused",),
    "healed": ("partitioned", "slowed"),
    "emptied": ("disk full",),
    "killed": ("paused",),
    "restarted": ("paused",),
}


@dataclass(frozen=True, slots=True)
class Interval:
    """Something that a node was in from `start` to `end` (seconds of the run's clock): paused, partitioned, slowed, ..., down.

    `began` and `ended` are the events that say so; `ended` None: it lasted until the run's end.
    """

    node: str
    what: str
    start: float
    end: float
    began: Event
    ended: Event | None

    @property
    def seconds(self) -> float:
        return self.end - self.start


def faults(history: History) -> list[Interval]:
    """All that was done to nodes, and when they were down, by when it began."""
    end = history.start + history.duration
    found = _down(history, end)
    lasting: dict[tuple[str, str], Event] = {}

    def over(what: str, node: str, event: Event) -> None:
        for key in [key for key in lasting if key[0] == what and node in ("", key[1])]:
            began = lasting.pop(key)
            found.append(Interval(key[1], what, began.time, event.time, began, event))

    for event in history.of(*_BEGINS, *_ENDS):
        if event.node != CLUSTER:
            continue
        for what in _ENDS.get(event.kind, ()):
            over(what, event.peer, event)
        if event.kind == "unsound":
            over("syncs fail", event.peer, event)  # its share is another now, or 0
        if event.kind in _BEGINS and not (event.kind == "unsound" and not event.detail.get("share")):
            lasting.setdefault((_BEGINS[event.kind], event.peer), event)
    for (what, node), began in lasting.items():
        found.append(Interval(node, what, began.time, end, began, None))
    return sorted(found, key=lambda interval: (interval.start, natural_order(interval.node), interval.what))


def _down(history: History, end: float) -> list[Interval]:
    """From a kill to the next start. A node that was stopped cleanly and started again was down too; one that ended with
    the run was not."""
    found: list[Interval] = []
    gone: dict[str, Event] = {}
    for event in sorted(history.of("killed", "stopped", "started"), key=lambda event: (event.time, event.lamport)):
        node = event.peer if event.kind == "killed" else event.node
        if event.kind == "started":
            began = gone.pop(node, None)
            if began is not None:
                found.append(Interval(node, "down", began.time, event.time, began, event))
        elif event.kind == "killed" or node not in gone:
            gone[node] = event
    for node, began in gone.items():
        if began.kind == "killed":
            found.append(Interval(node, "down", began.time, end, began, None))
    return found


def lives(history: History) -> dict[str, list[tuple[float, float]]]:
    """When each node was there: from its first event, or start, to its end; seconds of the run's clock."""
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for event in history:
        first[event.node] = min(first.get(event.node, event.time), event.time)
        last[event.node] = max(last.get(event.node, event.time), event.time)
    stopped = {event.node: event.time for event in history.of("stopped")}
    finish = history.start + history.duration
    found: dict[str, list[tuple[float, float]]] = {}
    holes: dict[str, list[tuple[float, float]]] = {}
    for interval in faults(history):
        if interval.what == "down":
            holes.setdefault(interval.node, []).append((interval.start, interval.end))
    for node, began in first.items():
        if node == CLUSTER:
            continue
        parts = []
        for start, end in holes.get(node, ()):
            if start > began:
                parts.append((began, start))
            began = end
        until = last[node] if stopped.get(node, -1.0) >= last[node] else finish
        if until > began:
            parts.append((began, until))
        found[node] = parts
    return found
