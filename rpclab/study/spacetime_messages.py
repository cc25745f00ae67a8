"""The messages and files of a history, each from the event that sent it to the event that received it.

A message carries the stamp of the event that sent it, so the two are paired by it and nothing is guessed. The packets of a file
carry none: they arrive in the order in which they were sent, so they are paired by their bytes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

from ..trace import Event
from .history import History
from .peers import Peers

__all__ = ["STAGED", "Message", "Transfer", "messages", "transfers"]


@dataclass(frozen=True, slots=True)
class Message:
    """What passed from one node to another. `sent` or `received` is None where no log tells of it.

    `fate` is "received"; "again", when it was received before; "under way", when it may still come; "lost", when it cannot, for
    since then the receiver ended or its connection did; or "unknown", when the receiver wrote no log. Packets of a file have
    `file` and `copy`, messages a `method` and a `call`.
    """

    sender: str
    receiver: str
    kind: str
    method: str
    call: int | str
    bytes: int
    sent: Event | None
    received: Event | None
    fate: str
    file: str = ""
    copy: str = ""
    staged: tuple[Event, ...] = ()
    """What the stage did to it, in order: held, lost, delayed, duplicated, corrupted."""

    @property
    def events(self) -> tuple[Event, ...]:
        """The events that sent and received it."""
        return tuple(event for event in (self.sent, self.received) if event is not None)

    @property
    def first(self) -> Event:
        return self.events[0]

    @property
    def failed(self) -> bool:
        """Whether it brought an error, or did not arrive."""
        return self.kind == "error" or self.fate == "lost"


@dataclass(frozen=True, slots=True)
class Transfer:
    """A file's packets on their way from one node to another, of one try: `packets` in the order in which they were sent."""

    sender: str
    receiver: str
    file: str
    copy: str
    packets: tuple[Message, ...]
    seen: bool
    """Whether the receiver wrote a log, so that what did not arrive is known."""

    @property
    def sent_bytes(self) -> int:
        return sum(packet.bytes for packet in self.packets if packet.sent is not None)

    @property
    def received_bytes(self) -> int:
        return sum(packet.received.bytes for packet in self.packets if packet.received is not None)

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(event for packet in self.packets for event in packet.events)

    @property
    def first(self) -> Event:
        return self.packets[0].first

    @property
    def failed(self) -> bool:
        """Whether a part of what was sent did not arrive."""
        return self.seen and self.received_bytes < self.sent_bytes


def messages(history: History) -> list[Message]:
    """Every message, by its first event, in the history's order."""
    logged, peers, staged = set(history.nodes), Peers(history), _staged(history)
    sends = {(event.node, event.number): event for event in history.of("send")}
    arrived: set[tuple[str, int]] = set()
    found: list[Message] = []
    for event in history.of("receive"):
        sent = sends.get(event.cause) if event.cause is not None else None
        again = sent is not None and event.cause in arrived
        if sent is not None:
            arrived.add((sent.node, sent.number))
        found.append(_message(sent, event, "again" if again else "received", peers))
    last = _endings(history, peers)
    for key, event in sends.items():
        if key not in arrived:
            peer = peers.of(event)
            late = event.time <= max(last.get((peer, event.node), -1.0), last.get((peer, ""), -1.0))
            late = late or any(each.kind == "lost" for each in staged.get(key, ()))
            fate = "unknown" if peer not in logged else "lost" if late else "under way"
            found.append(_message(event, None, fate, peers))
    found = [_with_stage(message, staged) for message in found] if staged else found
    found.sort(key=lambda message: _order(message.first))
    return found


STAGED = ("held", "lost", "delayed", "duplicated", "corrupted")
"""What the stage does to a message, as the receiver's log has it."""


def _staged(history: History) -> dict[tuple[str, int], list[Event]]:
    """What the stage did to which message, by the event that sent it."""
    found: dict[tuple[str, int], list[Event]] = {}
    for event in history.of(*STAGED):
        sent = event.detail.get("sent")
        if isinstance(sent, list | tuple) and len(sent) == 2:
            found.setdefault((str(sent[0]), int(sent[1])), []).append(event)
    return found


def _with_stage(message: Message, staged: dict[tuple[str, int], list[Event]]) -> Message:
    sent = message.sent
    own = staged.get((sent.node, sent.number), []) if sent is not None else []
    return replace(message, staged=tuple(own)) if own else message


def _endings(history: History, peers: Peers) -> dict[tuple[str, str], float]:
    """When the last connection of a node with a peer ended there; with peer "": when the node itself ended."""
    last: dict[tuple[str, str], float] = {}
    for event in history.of("disconnected", "stopped", "killed", "started"):
        node = event.peer if event.kind == "killed" else event.node
        key = node, peers.of(event) if event.kind == "disconnected" else ""
        last[key] = max(event.time, last.get(key, event.time))
    return last


def _ends(sent: Event | None, received: Event | None, peers: Peers) -> tuple[Event, str, str]:
    """The first event there is, the sender, the receiver: by whose log it is, else by what the other says."""
    event = sent or received
    assert event is not None
    sender = sent.node if sent is not None else peers.of(event)
    return event, sender, received.node if received is not None else peers.of(event)


def _message(sent: Event | None, received: Event | None, fate: str, peers: Peers) -> Message:
    event, sender, receiver = _ends(sent, received, peers)
    kind = event.message or "message"  # the description's wire does not say what it carries
    return Message(sender, receiver, kind, event.method, event.call, event.bytes, sent, received, fate)


def transfers(history: History) -> list[Transfer]:
    """Every try to send a file from one node to another, by its first packet."""
    logged, peers = set(history.nodes), Peers(history)
    sent, received = _tries(history, "send-data", peers), _tries(history, "receive-data", peers)
    found: list[Transfer] = []
    for way in sorted(sent.keys() | received.keys()):
        sender, receiver, file, copy = way
        for packets in _paired(sent.get(way, []), received.get(way, []), receiver in logged, peers):
            found.append(Transfer(sender, receiver, file, copy, packets, receiver in logged))
    found.sort(key=lambda transfer: _order(transfer.first))
    return found


_Way = tuple[str, str, str, str]
"""Sender, receiver, file, copy."""


_SIZED = ("placed", "sent", "stored", "acknowledged", "restored", "repairing")
"""Events whose bytes are a whole file's."""


def _tries(history: History, kind: str, peers: Peers) -> dict[_Way, list[list[Event]]]:
    """The packets' events of each way, by try. A new try begins when the two nodes have spoken since the last packet, and the
    file was whole by then, or a connection between them had ended: else they spoke of another file meanwhile."""
    sizes: dict[str, set[int]] = {}
    for event in history.of(*_SIZED):
        sizes.setdefault(event.file, set()).add(event.bytes)
    tries: dict[_Way, list[list[Event]]] = {}
    talked: dict[tuple[str, str], int] = {}  # the number of a node's last message with a peer
    cut: dict[tuple[str, str], int] = {}  # the same of the end of a connection
    for event in history.of(kind, "send", "receive", "disconnected"):
        pair = event.node, peers.of(event)
        if event.kind == "disconnected":
            cut[pair] = event.number
        elif event.kind != kind:
            if event.message != "notification":
                talked[pair] = event.number
        else:
            ends = pair if kind == "send-data" else pair[::-1]
            own = tries.setdefault((*ends, event.file, event.copy), [])
            last = own[-1][-1].number if own else 0
            if not own or (talked.get(pair, 0) > last and (cut.get(pair, 0) > last or _whole(own[-1], sizes))):
                own.append([])
            own[-1].append(event)
    return tries


def _whole(events: list[Event], sizes: dict[str, set[int]]) -> bool:
    size = _bytes([events])
    return size in sizes.get(events[0].file, {size})


def _paired(
    sent: list[list[Event]], received: list[list[Event]], seen: bool, peers: Peers
) -> Iterator[tuple[Message, ...]]:
    """The packets of each try. Where all has arrived, bytes tell which belong together; else a try that was received belongs to
    the last one sent that had begun by then."""
    if not sent:
        for events in received:
            yield tuple(_packet(None, event, "received", peers) for event in events)
        return
    whole = _bytes(sent) == _bytes(received)
    arrived: list[list[Event]] = [[] for _ in sent]
    starts = [events[0].time for events in sent]
    ends = list(accumulate(_bytes([events]) for events in sent))
    passed = 0
    for events in received:
        for event in events:
            passed += event.bytes
            place = bisect_left(ends, passed) if whole else bisect_right(starts, events[0].time) - 1
            arrived[max(0, place)].append(event)
    for events, there in zip(sent, arrived, strict=True):
        yield tuple(_by_bytes(events, there, seen, peers))


def _bytes(tries: list[list[Event]]) -> int:
    return sum(event.bytes for events in tries for event in events)


def _by_bytes(sent: list[Event], received: list[Event], seen: bool, peers: Peers) -> Iterator[Message]:
    """Each block that was sent with the event by which all of it had arrived."""
    waiting = deque(received)
    total = arrived = 0
    for event in sent:
        total += event.bytes
        own = None
        while waiting and arrived < total:
            own = waiting.popleft()
            arrived += own.bytes
            if arrived < total:
                yield _packet(None, own, "received", peers)  # a part of the block: it came in several pieces
        if arrived >= total:
            yield _packet(event, own, "received", peers)  # own None: it came in one piece with the block before
        else:
            yield _packet(event, None, "lost" if seen else "unknown", peers)
    for own in waiting:
        yield _packet(None, own, "received", peers)


def _packet(sent: Event | None, received: Event | None, fate: str, peers: Peers) -> Message:
    event, sender, receiver = _ends(sent, received, peers)
    return Message(sender, receiver, "packets", "", "", event.bytes, sent, received, fate, event.file, event.copy)


def _order(event: Event) -> tuple[int, str, int]:
    return event.lamport, event.node, event.number
