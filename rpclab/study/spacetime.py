"""What a space-time diagram shows: the nodes, the messages between them, what happened at them and was done to them.

`spacetime` takes what was asked for out of a history. Where things stand in the picture is for `plots` to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import UsageError
from ..trace import Event
from .history import History, natural_order
from .named import Names, file_named, listed, methods_named, nodes_named
from .spacetime_calls import about_file, calls
from .spacetime_faults import CLUSTER, Interval, faults, lives
from .spacetime_messages import Message, Transfer, messages, transfers
from .spacetime_window import Thing, ends_of, events_of, shortened, time_of, within

__all__ = ["OWN", "SpaceTime", "ordered_nodes", "spacetime"]

LIMIT = 500
"""Messages, files and events that are drawn unless told otherwise: about 13,000 points high, and 300 KiB of SVG."""

_MANY = 10  # nodes; of more, those of which nothing is drawn have no line
OWN = ("looking", "control")  # the kit's own names on the wire, which only look and command
_QUIET = frozenset(
    {
        "send",
        "receive",
        "send-data",
        "receive-data",
        "connected",
        "disconnected",
        "reported",
        "sent",
        "replicated",
        "scrubbed",
    }
)  # what messages show already, or what nobody asks about
_ROLES = ("client", "manager", "server")


@dataclass(frozen=True, slots=True)
class SpaceTime:
    """What is to be drawn. `start` and `end` are seconds of the run's clock, `left_out` says in plain words what is missing."""

    history: History
    nodes: list[str]
    messages: list[Message]
    transfers: list[Transfer]
    moments: list[Event]
    faults: list[Interval]
    lives: dict[str, list[tuple[float, float]]]
    marks: list[Event]
    start: float
    end: float
    left_out: list[str]

    @property
    def logged(self) -> set[str]:
        """The nodes that wrote a log."""
        return set(self.history.nodes)


def spacetime(
    history: History,
    *,
    nodes: Names | None = None,
    methods: Names | None = None,
    call: int | str | None = None,
    file: str | None = None,
    from_s: float | None = None,
    to_s: float | None = None,
    last: int | None = None,
    around: Event | None = None,
    expand: bool | str = False,
    heartbeats: bool = False,
    mark: Event | Iterable[Event] = (),
    limit: int = LIMIT,
) -> SpaceTime:
    """Take what is asked for out of a history; `plots.diagram` says what each argument does. Errors: UsageError."""
    chosen = nodes_named(history, nodes)
    methods = methods_named(history, methods)
    file = file_named(history, file)
    opened = file_named(history, expand) if isinstance(expand, str) else expand
    marks = [mark] if isinstance(mark, Event) else list(mark)
    if limit < 1 or (last is not None and last < 1):
        raise UsageError("limit and last have to be 1 at least")
    every = messages(history)
    files = transfers(history)
    moments = [event for event in history if event.kind not in _QUIET and event.node != CLUSTER]
    moments += [event for event in history.of("damaged", "reset") if event.node == CLUSTER]
    if file is not None:
        every = about_file(file, history, every, files, calls(history, every))
        files = [transfer for transfer in files if transfer.file == file]
        moments = [event for event in moments if event.file == file]
    if methods is not None or call is not None:
        answered = calls(history, every)
        every = [
            message
            for found in answered
            for message in found.messages
            if (methods is None or found.method in methods) and call in (None, found.request.call)
        ] + [message for message in every if message.kind == "notification" and message.method in (methods or ())]
        files, moments = [], []
    if not heartbeats and not (methods and "heartbeat" in methods):
        every = [message for message in every if message.method != "heartbeat"]
    for each in [each for each in files if opened is True or opened == each.file]:
        every += each.packets
        files.remove(each)
    things: list[Thing] = [*every, *files, *moments]
    wanted = chosen or set()
    things = [thing for thing in things if ends_of(thing).isdisjoint({*OWN} - wanted)]
    if chosen is not None:
        need = chosen.issuperset if len(chosen) > 1 else lambda ends: not chosen.isdisjoint(ends)
        things = [thing for thing in things if need(ends_of(thing))]
    start = history.start + from_s if from_s is not None else None
    end = history.start + to_s if to_s is not None else None
    things = [thing for thing in things if within(thing, start, end)]
    things.sort(key=time_of)
    things, left_out = shortened(things, history, last, around, marks, limit)
    everybody = all(each is None for each in (nodes, methods, call, file, around))  # who was silent has a line too
    return _scene(history, things, everybody, marks, (start, end), left_out)


def _scene(
    history: History,
    things: list[Thing],
    everybody: bool,
    marks: list[Event],
    window: tuple[float | None, float | None],
    left_out: list[str],
) -> SpaceTime:
    times = [event.time for thing in things for event in events_of(thing)]
    # a message that was under way at the window's edge has its other end beyond it, and is drawn whole
    start = min([*times, *(edge for edge in window[:1] if edge is not None)], default=history.start)
    end = max([*times, *(edge for edge in window[1:] if edge is not None)], default=history.start)
    passed = [thing for thing in things if isinstance(thing, Message)]
    seen = set().union(*map(ends_of, things)) if things else set()
    drawn = seen | (set(history.nodes) - {CLUSTER} if everybody else set())
    happened = [each for each in faults(history) if each.start <= end and each.end >= start]
    if len(drawn) > _MANY and seen:
        seen |= {interval.node for interval in happened} & drawn
        silent = sorted(drawn - seen, key=natural_order)
        drawn = seen
        if silent:
            left_out = [*left_out, f"Without a line, for nothing of them is drawn: {listed(silent)}."]
    return SpaceTime(
        history,
        ordered_nodes(history, drawn),
        passed,
        [thing for thing in things if isinstance(thing, Transfer)],
        [thing for thing in things if isinstance(thing, Event)],
        [interval for interval in happened if interval.node in drawn],
        lives(history),
        [event for event in marks if event.node in drawn or event.node == CLUSTER],
        start,
        end,
        left_out,
    )


def ordered_nodes(history: History, nodes: set[str]) -> list[str]:
    """Clients, then the manager, then servers; each by name. A peer without a log is what others say it is."""
    roles = {event.peer: event.detail.get("role", "") for event in history.of("connected")}
    roles |= {event.node: event.detail.get("role", "") for event in history.of("started")}

    def place(node: str) -> tuple[int, list[tuple[int, str]]]:
        role = roles.get(node, "")
        return _ROLES.index(role) if role in _ROLES else 0, natural_order(node)

    return sorted(nodes, key=place)
