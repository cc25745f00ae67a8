"""Which of the things in a history a space-time diagram has room for: the last, those around one, so many at most."""

from __future__ import annotations

from collections.abc import Sequence

from ..trace import Event
from .history import History
from .spacetime_faults import CLUSTER
from .spacetime_messages import Message, Transfer

__all__ = ["Thing", "ends_of", "events_of", "shortened", "time_of", "within"]

_AROUND = 40  # events that are shown around one, unless told otherwise

Thing = Message | Transfer | Event
"""What a diagram draws: a message, a file on its way, something that happened at a node."""


def ends_of(thing: Thing) -> set[str]:
    """The nodes that a thing is about."""
    if isinstance(thing, Event):
        return {thing.peer if thing.node == CLUSTER else thing.node}
    return {thing.sender, thing.receiver}


def events_of(thing: Thing) -> tuple[Event, ...]:
    return (thing,) if isinstance(thing, Event) else thing.events


def time_of(thing: Thing) -> tuple[float, int, str, int]:
    event = events_of(thing)[0]
    return event.time, event.lamport, event.node, event.number


def within(thing: Thing, start: float | None, end: float | None) -> bool:
    times = [event.time for event in events_of(thing)]
    return (start is None or max(times) >= start) and (end is None or min(times) <= end)


def shortened(
    things: list[Thing],
    history: History,
    last: int | None,
    around: Event | None,
    marks: list[Event],
    limit: int,
) -> tuple[list[Thing], list[str]]:
    """The things that are drawn, and what is said of the others."""
    if around is not None:
        middle = _place(things, around)
        many = _AROUND if last is None else last
        things = things[_back(things, middle, many // 2) : _forth(things, middle, many - many // 2)]
    elif last is not None:
        things = things[_back(things, len(things), last) :]
    if len(things) <= limit:
        return things, []
    centre = around or (marks[0] if marks else None)
    first = len(things) - limit
    if centre is not None:
        first = max(0, min(_place(things, centre) - limit // 2, first))
    drawn = things[first : first + limit]
    left_out = []
    for part, where in ((things[:first], "before"), (things[first + limit :], "after")):
        if part:
            edge = time_of(drawn[0] if where == "before" else drawn[-1])[0] - history.start
            left_out.append(f"{_counted(part)} {where} {edge:.3f} s")
    how = "choose by node, method, file or time, or raise the limit"
    return drawn, [f"Not drawn: {' and '.join(left_out)}: {how}."]


def _counted(things: Sequence[Thing]) -> str:
    passed = sum(not isinstance(thing, Event) for thing in things)
    others = len(things) - passed
    return f"{passed:,} more messages" + (f" and {others:,} events" if others else "")


def _place(things: list[Thing], event: Event) -> int:
    """Where among the things an event is, or would be."""
    for index, thing in enumerate(things):
        if any(own.node == event.node and own.number == event.number for own in events_of(thing)):
            return index
    return sum(time_of(thing)[0] < event.time for thing in things)


def _back(things: list[Thing], place: int, events: int) -> int:
    """The place from which there are so many events up to this place."""
    while place > 0 and events > 0:
        place -= 1
        events -= len(events_of(things[place]))
    return place


def _forth(things: list[Thing], place: int, events: int) -> int:
    while place < len(things) and events > 0:
        events -= len(events_of(things[place]))
        place += 1
    return place
