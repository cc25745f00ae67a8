"""Which answer belongs to which request, and which messages are about which file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..trace import Event
from .history import History
from .spacetime_messages import Message, Transfer

__all__ = ["Call", "about_file", "calls"]


@dataclass(frozen=True, slots=True)
class Call:
    """A request, and its answer: a reply, an error, or None if no log has one."""

    request: Message
    answer: Message | None

    @property
    def caller(self) -> str:
        return self.request.sender

    @property
    def callee(self) -> str:
        return self.request.receiver

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def seconds(self) -> float | None:
        """From the request's sending to the answer's arrival, as its caller had to wait; None where that is not known."""
        start, end = self.request.sent, self.answer.received if self.answer else None
        return end.time - start.time if start is not None and end is not None else None

    @property
    def messages(self) -> tuple[Message, ...]:
        return (self.request,) if self.answer is None else (self.request, self.answer)

    def span(self, node: str) -> tuple[int, int] | None:
        """The numbers of the node's own events at which the call began and ended there; None if it had no part in it."""
        if self.answer is None:
            return None
        if node == self.caller:
            start, end = self.request.sent, self.answer.received
        elif node == self.callee:
            start, end = self.request.received, self.answer.sent
        else:
            return None
        return (start.number, end.number) if start is not None and end is not None else None


def calls(history: History, messages: Iterable[Message]) -> list[Call]:
    """Every call, by its request. What a node had not answered when it was started again it never will."""
    open_calls: dict[tuple[str, str, int | str], list[int]] = {}
    found: list[Call] = []
    for _, message in _with_starts(history, messages):
        if isinstance(message, str):  # a node that starts
            for key in [key for key in open_calls if message in key[:2]]:
                del open_calls[key]
        elif message.kind == "request":
            if message.fate != "lost":
                open_calls.setdefault((message.sender, message.receiver, message.call), []).append(len(found))
            found.append(Call(message, None))
        elif message.kind in ("reply", "error"):
            waiting = open_calls.get((message.receiver, message.sender, message.call), [])
            for index in waiting:
                if message.method in ("", found[index].method):
                    waiting.remove(index)
                    found[index] = Call(found[index].request, message)
                    break
    return found


def _with_starts(history: History, messages: Iterable[Message]) -> list[tuple[tuple[int, str, int], Message | str]]:
    """The messages and, as bare names, the nodes that start, in the history's order."""
    things: list[tuple[tuple[int, str, int], Message | str]] = [
        (_order(message.first), message) for message in messages
    ]
    things += [(_order(event), event.node) for event in history.of("started")]
    return sorted(things, key=lambda thing: thing[0])


def about_file(
    file: str, history: History, messages: list[Message], transfers: list[Transfer], found: list[Call]
) -> list[Message]:
    """The messages that are about a file, as far as the logs tell: those of the calls by which it was placed, reported,
    repaired, deleted, and those right before and after its packets on their connection. Where an empty file has none, the
    nearest between the two nodes stand for them."""
    events = [event for event in history if event.file == file]
    uploads = {event.detail["upload"] for event in events if event.detail.get("upload")}
    reported = [event for event in history.of("reported") if event.detail.get("upload") in uploads]
    told = {(event.peer, event.detail["upload"]) for event in reported}
    by_event = {(event.node, event.number): message for message in messages for event in message.events}
    own: set[int] = set()
    for event in (*events, *reported):
        request = by_event.get((event.node, event.detail.get("request", 0)))
        if request is not None:
            own.add(id(request))
        elif event.kind != "stored" or not event.bytes or (event.node, event.detail.get("upload")) not in told:
            own |= {id(message) for call in _calls_of(event, found) for message in call.messages}
    for transfer in transfers:
        if transfer.file == file:
            own |= {id(message) for message in _beside(transfer, messages, by_event)}
    for call in found:  # a request is never without its answer
        if any(id(message) in own for message in call.messages):
            own |= {id(message) for message in call.messages}
    return [message for message in messages if id(message) in own]


_ANSWERED = {
    "placed": ("placeFile", "getServer"),
    "reported": ("updateServer",),
    "deleted": ("deleteFile",),
    "dropped": ("dropFile",),
}
"""In the answering of which call its node wrote such an event, if it does not say so."""

_ASKED = {
    "stored": ("updateServer", 1),
    "repairing": ("copyFile", 1),
    "repaired": ("copyFile", -1),
    "restored": ("findFile", -1),
}
"""Which call its node made itself, next after the event (1) or last before it (-1)."""


def _calls_of(event: Event, found: list[Call]) -> Iterator[Call]:
    """The calls that an event belongs to."""
    node, number = event.node, event.number
    if event.kind in _ANSWERED:
        for call in found:
            span = call.span(node) if call.callee == node and call.method in _ANSWERED[event.kind] else None
            if span is not None and span[0] < number < span[1]:
                yield call
                return
    if event.kind == "stored" and not event.bytes:  # there were no packets, beside which these would be found
        yield from _nearest(event, found, "sendFilename", -1, answered=True)
        yield from _nearest(event, found, "confirmFile", 1, answered=True)
    if event.kind in _ASKED:
        yield from _nearest(event, found, *_ASKED[event.kind])


def _nearest(event: Event, found: list[Call], method: str, way: int, *, answered: bool = False) -> list[Call]:
    """The call of a method that the event's node made, or answered, nearest before (-1) or after (1) the event."""
    near: tuple[int, Call] | None = None
    for call in found:
        if call.method != method or event.node != (call.callee if answered else call.caller):
            continue
        if event.detail.get("source", call.callee) != call.callee:
            continue  # a repair is asked of who has a copy
        begun = call.request.received if answered else call.request.sent
        distance = 0 if begun is None else (begun.number - event.number) * way
        if distance > 0 and (near is None or distance < near[0]):
            near = distance, call
    return [] if near is None else [near[1]]


def _beside(transfer: Transfer, messages: list[Message], by_event: dict[tuple[str, int], Message]) -> list[Message]:
    """The last message before the first packet, and the next after the last, on the connection on which they passed."""
    before = [
        by_event.get((event.node, event.detail["after"])) for event in transfer.events if event.detail.get("after")
    ]
    if not before:
        return _between(transfer, messages)
    ends = {event.node: event.number for event in sorted(transfer.events, key=lambda event: event.number)}
    after: dict[str, tuple[int, Message]] = {}
    for (node, number), message in by_event.items():
        if {message.sender, message.receiver} != {transfer.sender, transfer.receiver}:
            continue
        own = next(event for event in message.events if event.node == node)
        if own.detail.get("after") == transfer.file and number > ends.get(node, number):
            after[node] = min(after.get(node, (number, message)), (number, message), key=lambda pair: pair[0])
    return [message for message in (*before, *(pair[1] for pair in after.values())) if message is not None]


def _between(transfer: Transfer, messages: list[Message]) -> list[Message]:
    """The same where the log does not tell the connection: the nearest messages between the two nodes."""
    node = transfer.first.node
    numbers = [event.number for event in transfer.events if event.node == node]
    before: tuple[int, Message] | None = None
    after: tuple[int, Message] | None = None
    for message in messages:
        if {message.sender, message.receiver} != {transfer.sender, transfer.receiver}:
            continue
        for event in message.events:
            if event.node != node or message.kind == "notification":
                continue
            if event.number < numbers[0] and (before is None or event.number > before[0]):
                before = event.number, message
            if event.number > numbers[-1] and (after is None or event.number < after[0]):
                after = event.number, message
    return [pair[1] for pair in (before, after) if pair is not None]


def _order(event: Event) -> tuple[int, str, int]:
    return event.lamport, event.node, event.number
