"""A smaller schedule that still fails: delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing
input", 2002) over the faults, then the operations, then the nodes.

Each try is a whole trial. What is left out may change everything that comes after it, so a smaller one often does not fail; the
smallest that was found is kept, and is smaller in the end only because so many are tried. It counts as the same failure if what
is wrong is of the same kind.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from .schedule import Schedule
from .trial import SimulatedTrial

__all__ = ["Outcome", "Shrunk", "carry_out", "kind_of", "shrink"]

_FEWEST = 2  # servers: with less no file has its copies, and that is another failure
_SOON_S = 15.0

T = TypeVar("T")
Fails = Callable[[Schedule], bool]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trial that has been, and what was wrong."""

    trial: SimulatedTrial
    problems: list[str]

    @property
    def schedule(self) -> Schedule:
        """What of its schedule was done."""
        return self.trial.done()


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest that was found, and how many were tried. `finished`: nothing more can be left out alone."""

    smallest: Outcome
    tries: int
    finished: bool


class _TimeOver(Exception):
    pass


def carry_out(which: int | Schedule) -> Outcome:
    """A trial; an exception that is none of ours, of a node or of the trial, is wrong too."""
    trial = SimulatedTrial(which)
    try:
        return Outcome(trial, trial.run())
    except Exception as error:
        return Outcome(trial, [f"{type(error).__name__}: {error}"])


_KINDS = (
    r" must be ",
    r"^invariant '[^']*'",
    r"^client[^ ]* #",
    r"^\w+(?=: )",  # an exception that is none of ours
    *(
        f"^not settled.*({each})"
        for each in ("copies, on", ": said", "registered", "counts", "reserved", "arriving", "")
    ),
)


def kind_of(problem: str) -> tuple[int, str]:
    """Which promise it breaks, whatever the file and the node; the worst is the least."""
    for rank, pattern in enumerate(_KINDS):
        if found := re.search(pattern, problem):
            return rank, found[found.re.groups]
    return len(_KINDS), problem


def shrink(first: Outcome, within_s: float, tell: Callable[[int, Schedule], object]) -> Shrunk:
    """Look for a smaller schedule than this one's that fails in the same way, for so many seconds, or until Ctrl-C; `tell` is
    told of each try."""
    search = _Search(first, within_s, tell)
    try:
        search.run()
    except (_TimeOver, KeyboardInterrupt):
        return Shrunk(search.best, search.tries, False)
    return Shrunk(search.best, search.tries, True)


class _Search:
    def __init__(self, first: Outcome, within_s: float, tell: Callable[[int, Schedule], object]) -> None:
        self.best, self.tries = first, 0
        self._kind = min(map(kind_of, first.problems))
        self._until = time.monotonic() + within_s
        self._tell = tell

    def run(self) -> None:
        if not self._fails(self.best.schedule):
            return  # without what there was no time for it is another run
        self._fails(msgspec.structs.replace(self.best.schedule, settle_s=_SOON_S))  # each try is then over sooner
        size = None
        while size != (size := self.best.schedule.size):
            self._fewer_faults()
            self._fewer_operations()
            self._fewer_nodes()

    def _fails(self, schedule: Schedule) -> bool:
        if time.monotonic() > self._until:
            raise _TimeOver
        self.tries += 1
        self._tell(self.tries, self.best.schedule)
        outcome = carry_out(schedule)
        fails = any(kind_of(problem) == self._kind for problem in outcome.problems)
        if fails:
            self.best = outcome
        return fails

    def _fewer_faults(self) -> None:
        schedule = self.best.schedule
        done = _operations(schedule)
        _least([fault.number for fault in schedule.faults], lambda faults: self._fails(schedule.only(done, faults)))

    def _fewer_operations(self) -> None:
        schedule = self.best.schedule
        faults = [fault.number for fault in schedule.faults]
        _least(_operations(schedule), lambda operations: self._fails(schedule.only(operations, faults)))

    def _fewer_nodes(self) -> None:
        for change in (Schedule.renamed, Schedule.exact):
            if (other := change(self.best.schedule)) != self.best.schedule:
                self._fails(other)
        schedule = self.best.schedule
        for servers in range(max(_FEWEST, schedule.replicas), schedule.servers):
            if self._fails(schedule.smaller(servers, schedule.clients)):
                return


def _operations(schedule: Schedule) -> list[tuple[str, int]]:
    return [(client, each.number) for client, planned in schedule.operations.items() for each in planned]


def _least(items: list[T], fails: Callable[[list[T]], bool]) -> list[T]:
    """A part of these that fails, of which none can be left out alone."""
    if not items or fails([]):
        return []
    parts = 2
    while len(items) > 1:
        size = -(-len(items) // parts)
        for start in range(0, len(items), size):
            rest = items[:start] + items[start + size :]
            if fails(rest):
                items, parts = rest, max(parts - 1, 2)
                break
        else:
            if parts >= len(items):
                break
            parts = min(len(items), 2 * parts)
    return items
