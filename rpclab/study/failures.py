"""What became of each server that was killed or paused: when it was suspected, given up, replaced, and back."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from ..trace import Event
from .history import History

__all__ = ["Failure", "failures"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One server's failure: `at` seconds from the history's start, the others from `at`, None for what did not happen.

    It was `killed` or `paused`; the manager suspected it, gave it up (`gone_s`), had its copies made anew on others
    (`copies` of them, the last after `repaired_s`), and had it back. What happened after the next failure of the same
    server is not counted, nor are repairs after the next failure of any.
    """

    server: str
    what: str
    at: float
    suspected_s: float | None
    gone_s: float | None
    copies: int
    repaired_s: float | None
    back_s: float | None

    def __str__(self) -> str:
        steps = [("suspected", self.suspected_s), ("given up", self.gone_s)]
        steps += [(f"{self.copies} copies made anew", self.repaired_s), ("back", self.back_s)]
        known = [f"{what} after {seconds:.2f} s" for what, seconds in steps if seconds is not None]
        return f"{self.server} {self.what} at {self.at:.2f} s: {', '.join(known) or 'nobody noticed'}"


def failures(history: History) -> list[Failure]:
    """Every failure that somebody caused, in order of time, with what followed from it."""
    events = history.by_time()
    servers = {event.peer for event in history.of("registered")}
    faults = [
        place for place, event in enumerate(events) if event.kind in ("killed", "paused") and event.peer in servers
    ]
    found = []
    for place, following in pairwise([*faults, len(events)]):
        server = events[place].peer
        same = next((each for each in faults if each > place and events[each].peer == server), len(events))
        known = _already_gone(events[:place], server)
        found.append(_one(history.start, events[place], known, events[place + 1 : same], events[place + 1 : following]))
    return found


def _already_gone(before: list[Event], server: str) -> bool:
    """Whether the manager saw it go before it was noted that somebody had killed it: a connection's end travels faster."""
    last = next((event for event in reversed(before) if event.peer == server and event.kind in _COME_AND_GONE), None)
    return last is not None and last.kind == "gone"


_COME_AND_GONE = ("registered", "gone")


def _one(start: float, fault: Event, known: bool, own: list[Event], until_next: list[Event]) -> Failure:
    gone = 0.0 if known else _first(fault, own, "gone")
    back = _back(fault, own, gone)
    if back is not None and gone is not None and gone > back:
        gone = None  # that was later, and for another reason
    repaired = [event for event in until_next if event.kind == "repaired" and event.detail.get("purpose") == "repair"]
    last = repaired[-1].time - fault.time if repaired else None
    suspected = _first(fault, own, "suspected")
    return Failure(fault.peer, fault.kind, fault.time - start, suspected, gone, len(repaired), last, back)


def _back(fault: Event, events: list[Event], gone: float | None) -> float | None:
    """A server that was given up is back when it registers, one that was only suspected when it is heard."""
    heard = _first(fault, events, "trusted")
    if gone is None or (heard is not None and heard < gone):
        return heard
    return _first(fault, [event for event in events if event.time >= fault.time + gone], "registered")


def _first(fault: Event, events: list[Event], kind: str) -> float | None:
    return next((event.time - fault.time for event in events if event.kind == kind and event.peer == fault.peer), None)
