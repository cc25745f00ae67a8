"""The history of a run: the event logs of all nodes, merged into one order, with what happened before what.

Rules:

1. A log is read as it lies there, while its node still writes or long after the node was killed. Zero bytes at its
   end and a torn last line are what a kill leaves: skipped in silence. Other damaged lines are skipped and counted.
2. Events are ordered by (Lamport time, node, number). That is one order consistent with happens-before, the same
   wherever it is computed, whatever the clocks say.
3. a happened before b if both are of one node and a has the smaller number, or if a message left at or after a and
   arrived, directly or over other nodes, at or before b (Lamport, "Time, Clocks, and the Ordering of Events", 1978).
4. No event carries a vector clock. Kept is, for each pair of nodes, only when the one learned something new of the
   other (the idea of Singhal and Kshemkalyani, "An efficient implementation of vector clocks", 1992); a bisection
   finds the rest. This is computed at the first question, never for those who only plot.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

from ..errors import UsageError
from ..trace import Event

__all__ = ["FileSummary", "History", "natural_order"]

_causal_order = attrgetter("lamport", "node", "number")
_time_order = attrgetter("time", "lamport", "node", "number")


@dataclass(frozen=True, slots=True)
class FileSummary:
    """A file as its client last got it acknowledged. `size` is bytes, `servers` hold the copies, the primary first."""

    file: str
    size: int
    servers: tuple[str, ...]
    wanted: int
    digest: str
    version: int

    @property
    def copies(self) -> int:
        return len(self.servers)


class History:
    """All that happened in a run: iterate over it, ask it for kinds of events, ask it what happened before what.

    Times are seconds of the run's own clock, counted from no particular moment: subtract `start`.
    """

    def __init__(self, events: Iterable[Event] = (), *, damaged: int = 0) -> None:
        self.events: list[Event] = sorted(events, key=_causal_order)
        self.damaged = damaged
        """Lines that could not be read, not counting the last of each log."""

    @classmethod
    def read(cls, folder: str | Path) -> History:
        """The history in all event logs (`*.jsonl`) below a folder; UsageError if there is no such folder."""
        if not Path(folder).is_dir():
            raise UsageError(f"there is no folder {str(folder)!r} to read event logs from")
        events: list[Event] = []
        damaged = 0
        for path in sorted(Path(folder).rglob("*.jsonl")):
            with contextlib.suppress(FileNotFoundError):  # removed since we listed it
                damaged += _read_log(path.read_bytes(), events)
        return cls(events, damaged=damaged)

    @classmethod
    def from_logs(cls, logs: Iterable[bytes]) -> History:
        """The history in event logs that are in memory, such as a simulated cluster's."""
        events: list[Event] = []
        return cls(events, damaged=sum([_read_log(log, events) for log in logs]))

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __repr__(self) -> str:
        damaged = f", {self.damaged} damaged lines" if self.damaged else ""
        return f"<History of {len(self.nodes)} nodes: {len(self)} events in {self.duration:.3f} s{damaged}>"

    @cached_property
    def nodes(self) -> list[str]:
        """The nodes that wrote events, by name (server-2 before server-10)."""
        return sorted({event.node for event in self.events}, key=natural_order)

    @cached_property
    def start(self) -> float:
        """The time of the first event, 0 if there is none."""
        return min((event.time for event in self.events), default=0.0)

    @cached_property
    def duration(self) -> float:
        """Seconds from the first event to the last."""
        return max((event.time for event in self.events), default=0.0) - self.start

    def by_time(self) -> list[Event]:
        """The events by their times: right for one machine, where all nodes read one clock, and for a simulated world. There each
        event has the world's own time, which no node can know, also where the nodes' clocks drift (`SimCluster(drift=...)`)."""
        return sorted(self.events, key=_time_order)

    def of(self, *kinds: str) -> list[Event]:
        """The events of these kinds, in the history's order."""
        if len(kinds) == 1:
            return list(self._by_kind.get(kinds[0], ()))
        return [event for event in self.events if event.kind in kinds]

    @cached_property
    def _by_kind(self) -> dict[str, list[Event]]:
        kinds: dict[str, list[Event]] = {}
        for event in self.events:
            kinds.setdefault(event.kind, []).append(event)
        return kinds

    def files(self) -> dict[str, FileSummary]:
        """Each file that was acknowledged, as its newest version was acknowledged last, by name."""
        files: dict[str, FileSummary] = {}
        for event in self.of("acknowledged"):
            summary = _summary(event)
            known = files.get(summary.file)
            if known is None or summary.version >= known.version:
                files[summary.file] = summary
        return dict(sorted(files.items()))

    def happened_before(self, a: Event, b: Event) -> bool:
        """Whether a could have influenced b. False both ways means that the two were concurrent."""
        if a.node == b.node:
            return a.number < b.number
        return self._knowledge.of(b.node, b.number, a.node) >= a.number

    def vector_clock(self, event: Event) -> dict[str, int]:
        """For each node the number of its last event that happened before this one, or is it; 0 is left out."""
        return {**self._knowledge.all(event.node, event.number), event.node: event.number}

    @cached_property
    def _knowledge(self) -> _Knowledge:
        return _Knowledge(self.events)

    def frame(self) -> Any:
        """The events as a pandas DataFrame, a row an event; UsageError if pandas is not installed."""
        try:
            pandas = importlib.import_module("pandas")
        except ImportError:
            raise UsageError("a data frame needs pandas, which is not installed: pip install pandas") from None
        columns = Event.__struct_fields__
        return pandas.DataFrame([msgspec.structs.astuple(event) for event in self.events], columns=columns)


class _Learned:
    """What one node learned of one other: at which of its own events, up to which of the other's."""

    __slots__ = ("numbers", "uptos")

    def __init__(self) -> None:
        self.numbers = array("Q")
        self.uptos = array("Q")

    def at(self, number: int) -> int:
        """Up to which of the other's events the node knew at its own event of this number; 0 if it knew nothing."""
        position = bisect_right(self.numbers, number)
        return self.uptos[position - 1] if position else 0


class _Diary:
    """All that one node learned, of whomever, in order: who hears from it again reads only what is new."""

    __slots__ = ("numbers", "others", "uptos")

    def __init__(self) -> None:
        self.numbers = array("Q")
        self.others: list[str] = []
        self.uptos = array("Q")

    def news(self, after: int, number: int) -> dict[str, int]:
        """What the node learned at its events past `after`, up to this number."""
        part = slice(bisect_right(self.numbers, after), bisect_right(self.numbers, number))
        return dict(zip(self.others[part], self.uptos[part], strict=True))


class _Knowledge:
    """What each node had heard of each other one, and since which of its own events."""

    def __init__(self, events: list[Event]) -> None:
        self._learned: dict[str, dict[str, _Learned]] = {}
        diaries: dict[str, _Diary] = {event.node: _Diary() for event in events}
        for event in events:
            if event.cause is not None and event.cause[0] != event.node:
                self._hear(event, *event.cause, diaries)

    def _hear(self, event: Event, sender: str, sent: int, diaries: dict[str, _Diary]) -> None:
        table = self._learned.setdefault(event.node, {})
        heard = table[sender].at(event.number) if sender in table else 0
        if sent <= heard:
            return
        news = diaries[sender].news(heard, sent) if sender in diaries else {}
        news[sender] = sent
        news.pop(event.node, None)
        diary = diaries[event.node]
        for other, upto in news.items():
            learned = table.get(other) or table.setdefault(other, _Learned())
            if not learned.uptos or upto > learned.uptos[-1]:
                for book in (learned, diary):
                    book.numbers.append(event.number)
                    book.uptos.append(upto)
                diary.others.append(other)

    def of(self, node: str, number: int, other: str) -> int:
        """Up to which of the other's events a node knew at its own event of this number; 0 if it knew nothing."""
        learned = self._learned.get(node, {}).get(other)
        return learned.at(number) if learned else 0

    def all(self, node: str, number: int) -> dict[str, int]:
        known = {other: learned.at(number) for other, learned in self._learned.get(node, {}).items()}
        return {other: upto for other, upto in known.items() if upto}


_decode = msgspec.json.Decoder(Event).decode


def _read_log(data: bytes, events: list[Event]) -> int:
    """Append a log's events; returns how many lines before the last are damaged."""
    lines = data.rstrip(b"\0\n").split(b"\n")
    damaged = 0
    for position, line in enumerate(lines, 1):
        try:
            events.append(_decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            damaged += position < len(lines)
    return damaged


def _summary(event: Event) -> FileSummary:
    detail = event.detail
    servers = tuple(detail.get("servers", ()))
    wanted = detail.get("wanted", len(servers))
    return FileSummary(event.file, event.bytes, servers, wanted, detail.get("digest", ""), detail.get("version", 0))


def natural_order(name: str) -> list[tuple[int, str]]:
    """A sort key by which server-2 stands before server-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
