"""The figures of a cluster that runs, kept up event by event: bytes on each server, file bytes on the wire, of the last minute.

The same rules as in measures.py, which reads a whole history; here what is older than the window is forgotten, but for the sums.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from ..text import bytes_text
from ..trace import Event
from .changes import SERVER_KINDS, ServerChanges
from .history import natural_order
from .measures import COPIES

__all__ = ["Live", "event_words"]

_TOLD = 60  # of what happened, the last so many sentences


class Live:
    """Told events as they come, it has the figures of the last `seconds`. `news` counts what changed for files or servers."""

    def __init__(self, seconds: int = 60) -> None:
        self.seconds = seconds
        self.news = 0
        self.totals: dict[str, int] = dict.fromkeys(COPIES, 0)
        self.pairs: dict[tuple[str, str], dict[str, int]] = {}
        """By (sender, receiver), the bytes of each kind."""
        self.stored: dict[str, int] = {}
        self.alive: dict[str, bool] = {}
        self.told: deque[tuple[float, str]] = deque(maxlen=_TOLD)
        """What happened, in sentences, with the time."""
        self._servers = ServerChanges()
        self._writers: set[str] = set()
        self._steps: dict[
            str, dict[int, int]
        ] = {}  # by server, the bytes at the end of each second in which they changed
        self._wire: dict[str, dict[int, int]] = {}  # by kind, the bytes of each second
        self._start: float | None = None

    def take(self, events: Iterable[Event]) -> None:
        """The events of one reading of the logs, by their clocks."""
        for event in events:
            if self._start is None:
                self._start = event.time
            self._writers.add(event.node)
            if event.kind in ("send-data", "receive-data"):
                self._data(event)
            elif event.kind in SERVER_KINDS:
                self._server(event)
            if event.kind in _NEWS:
                self.news += 1
            words = event_words(event)
            if words:
                self.told.append((event.time - self._start, words))

    def _data(self, event: Event) -> None:
        """The sender tells; for one that writes no log, its receiver does."""
        if event.kind == "receive-data" and event.peer in self._writers:
            return
        ends = (event.node, event.peer) if event.kind == "send-data" else (event.peer, event.node)
        pair, wire = self.pairs.setdefault(ends, {}), self._wire.setdefault(event.copy, {})
        pair[event.copy] = pair.get(event.copy, 0) + event.bytes
        wire[int(event.time)] = wire.get(int(event.time), 0) + event.bytes
        self.totals[event.copy] = self.totals.get(event.copy, 0) + event.bytes

    def _server(self, event: Event) -> None:
        change = self._servers.take(event, event.time)
        if change is None:
            return
        self.stored.setdefault(change.server, 0)
        if change.stored is not None:
            self.stored[change.server] = change.stored
        if change.alive is not None:
            self.alive[change.server] = change.alive
        self._steps.setdefault(change.server, {})[int(event.time)] = self.stored[change.server]

    def figures(self, now: float) -> dict[str, Any]:
        """Bytes on each server and bytes of each kind, a number for each second up to `now`, by the run's clock."""
        last = int(now)
        since = last - self.seconds + 1
        servers = {
            server: _filled(self._steps.get(server, {}), since, last)
            for server in sorted(self.stored, key=natural_order)
        }
        traffic = {kind: _counted(sizes, since, last) for kind, sizes in self._wire.items()}
        return {"seconds": self.seconds, "servers": servers, "traffic": traffic}


def _filled(steps: dict[int, int], since: int, last: int) -> list[int]:
    """A value for each second: the last one that was set. Forgets what is older."""
    older = [second for second in steps if second < since]
    value = steps[max(older)] if older else 0
    for second in sorted(older)[:-1]:
        del steps[second]
    found = []
    for second in range(since, last + 1):
        value = steps.get(second, value)
        found.append(value)
    return found


def _counted(sizes: dict[int, int], since: int, last: int) -> list[int]:
    for second in [second for second in sizes if second < since]:
        del sizes[second]
    return [sizes.get(second, 0) for second in range(since, last + 1)]


_NEWS = frozenset(
    {*SERVER_KINDS, "suspected", "trusted", "safe-mode", "repairing", "repaired", "acknowledged", "removed"}
    | {"killed", "paused", "resumed", "restarted"}
) - {"reported"}


def event_words(event: Event) -> str:
    """What an event means, for those that are worth a sentence; "" for the others."""
    detail = event.detail
    match event.kind:
        case "killed" | "paused" | "resumed" | "restarted":
            return f"{event.peer} was {event.kind}"
        case "partitioned" | "healed" | "slowed" | "filled" | "emptied" if event.peer:
            return f"{event.peer} was {event.kind}"
        case "registered" | "gone":
            reason = f": {detail['reason']}" if detail.get("reason") else ""
            return f"{event.peer} is {'known to the manager' if event.kind == 'registered' else f'gone{reason}'}"
        case "suspected":
            return f"{event.peer} is suspected: silent for {detail.get('silent_s', 0):.1f} s"
        case "trusted":
            return f"{event.peer} is heard again"
        case "acknowledged":
            return f"{event.file} is backed up: {detail.get('copies')} of {detail.get('wanted')} copies"
        case "repaired":
            what = "moved" if detail.get("purpose") == "balance" else "made anew"
            return f"a copy of {event.file} was {what} on {event.peer}"
        case "quarantined":
            return f"{event.node} put a damaged copy of {event.file} aside"
        case "damaged":
            return f"a bit of {event.file} was flipped on {event.peer}"
        case "restored":
            return f"{event.node} restored {event.file} ({bytes_text(event.bytes)}) from {event.peer}"
        case "removed":
            return f"{event.file} was deleted"
    return ""
