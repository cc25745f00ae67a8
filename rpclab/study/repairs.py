"""How a run mended what it had lost: the copies that were missing, those that were being made, those that were made again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ..trace import Event
from .history import History
from .measures import Steps, alive_over_time

__all__ = ["RepairOverTime", "repair_over_time"]


@dataclass(frozen=True, slots=True)
class RepairOverTime:
    """Copies of files, each over time.

    `missing`: how many fewer there are than were wanted, of files that were acknowledged and not deleted since; a copy counts
    if it is of the newest version and on a server that is there, as the manager sees it. `under_way`: repairs that the manager
    has asked for and that have neither ended nor failed. `done`: repairs that have ended well.
    """

    missing: Steps = field(default_factory=Steps)
    under_way: Steps = field(default_factory=Steps)
    done: Steps = field(default_factory=Steps)


def repair_over_time(history: History) -> RepairOverTime:
    """Follow the copies through a run; times are seconds since its start."""
    found = RepairOverTime()
    _follow_missing(history, found.missing)
    running: dict[str, str] = {}  # upload: file
    done = 0
    for event in _by_time(history, "repairing", "repaired", "failed", "started"):
        upload = event.detail.get("upload", "")
        if event.kind == "repairing":
            running[upload] = event.file
        elif event.kind == "repaired":
            running.pop(upload, None)
            done += 1
        elif event.kind == "failed" and event.detail.get("during") == "repair":
            ended = next((upload for upload, file in running.items() if file == event.file), None)
            running.pop(ended or "", None)
        elif event.kind == "started" and event.detail.get("role") == "manager":
            running.clear()  # a new manager knows of no repairs, and judges anew
        found.under_way.set(event.time - history.start, len(running))
        found.done.set(event.time - history.start, done)
    return found


class _Moment(NamedTuple):
    time: float
    order: int
    event: Event | None
    server: str = ""
    here: bool = False


def _follow_missing(history: History, missing: Steps) -> None:
    files = _Files()
    moments = [_Moment(event.time, event.lamport, event) for event in _changes(history)]
    for server, intervals in alive_over_time(history).items():
        for came, went in intervals:
            moments.append(_Moment(history.start + came, -1, None, server, True))
            if went < history.duration:
                moments.append(_Moment(history.start + went, -1, None, server, False))
    for moment in sorted(moments, key=lambda moment: moment[:2]):
        if moment.event is None:
            (files.here.add if moment.here else files.here.discard)(moment.server)
        else:
            files.take(moment.event)
        missing.set(moment.time - history.start, files.missing())


def _changes(history: History) -> Iterator[Event]:
    yield from _by_time(history, "acknowledged", "removed", "stored", "deleted", "dropped", "quarantined")


def _by_time(history: History, *kinds: str) -> list[Event]:
    return sorted(history.of(*kinds), key=lambda event: (event.time, event.lamport))


class _Files:
    """Who holds the newest acknowledged version of each file, and who is here."""

    def __init__(self) -> None:
        self.here: set[str] = set()
        self._wanted: dict[str, tuple[int, int]] = {}  # file: version, copies
        self._holds: dict[tuple[str, int], set[str]] = {}  # file and version: servers

    def take(self, event: Event) -> None:
        """Follow one event."""
        version = event.detail.get("version", 0)
        key = event.file, version
        if event.kind == "acknowledged" and version >= self._wanted.get(event.file, (0, 0))[0]:
            self._wanted[event.file] = version, event.detail.get("wanted", len(event.detail.get("servers", ())))
        elif event.kind == "removed" and version >= self._wanted.get(event.file, (version + 1, 0))[0]:
            del self._wanted[event.file]
        elif event.kind == "stored":
            self._holds.setdefault(key, set()).add(event.node)
        elif event.kind == "deleted":
            for file, number in self._holds:
                if file == event.file and number <= version:
                    self._holds[file, number].discard(event.node)
        elif event.kind in ("dropped", "quarantined"):
            self._holds.get(key, set()).discard(event.node)

    def missing(self) -> int:
        """Copies that are wanted and not here."""
        return sum(
            max(0, copies - len(self._holds.get((file, version), set()) & self.here))
            for file, (version, copies) in self._wanted.items()
        )
