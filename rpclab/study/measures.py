"""Numbers out of a history: what lies on which server when, who sent how many bytes to whom, how long calls took.

Pure functions. Times are seconds from the history's start, sizes are bytes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..trace import Event
from .changes import SERVER_KINDS, ServerChange, ServerChanges
from .history import History, natural_order
from .peers import Peers

__all__ = [
    "COPIES",
    "Balance",
    "Steps",
    "Traffic",
    "TrafficOverTime",
    "alive_over_time",
    "balance_over_time",
    "departures",
    "gap_over_time",
    "latency_by_method",
    "message_traffic",
    "stored_bytes_over_time",
    "traffic",
    "traffic_by_file",
    "traffic_over_time",
]

COPIES = ("original", "replica", "repair", "restore")
"""Why file bytes cross the wire: a client backs up, a server copies on, a lost copy is made anew (or moved for balance), a client
gets its file back."""


@dataclass(frozen=True, slots=True)
class Steps:
    """A quantity that jumps: `values[i]` holds from `times[i]` (seconds) until the next time."""

    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def at(self, time: float) -> float:
        """The value at a time, 0 before the first."""
        position = bisect_right(self.times, time)
        return self.values[position - 1] if position else 0

    def set(self, time: float, value: float) -> None:
        """From this time on, not before the last one, the value is this."""
        if self.times and self.times[-1] == time:
            self.values[-1] = value
        else:
            self.times.append(time)
            self.values.append(value)


@dataclass(frozen=True, slots=True)
class Balance:
    """Over the servers that are alive: the fewest, the mean and the most bytes that one stores."""

    least: Steps
    mean: Steps
    most: Steps


def stored_bytes_over_time(history: History) -> dict[str, Steps]:
    """How many bytes each server stores, over time. What lies on the disk of a server that is gone still counts."""
    series: dict[str, Steps] = {}
    for change in _changes(history):
        steps = series.setdefault(change.server, Steps())
        if change.stored is not None:
            steps.set(change.time, change.stored)
    return {server: series[server] for server in sorted(series, key=natural_order) if series[server].times}


def alive_over_time(history: History) -> dict[str, list[tuple[float, float]]]:
    """From when to when each server was there, as the manager saw it; the clean stop of all ends no interval."""
    came: dict[str, float] = {}
    intervals: dict[str, list[tuple[float, float]]] = {}
    for change in _changes(history):
        if change.alive:
            came[change.server] = change.time
        elif change.alive is False:
            intervals.setdefault(change.server, []).append((came.pop(change.server), change.time))
    for server, time in came.items():
        intervals.setdefault(server, []).append((time, history.duration))
    return {server: intervals[server] for server in sorted(intervals, key=natural_order)}


def departures(history: History) -> list[tuple[float, str]]:
    """When which server was gone, not counting the clean stop of the whole cluster."""
    return [(change.time, change.server) for change in _changes(history) if change.alive is False]


def balance_over_time(history: History) -> Balance:
    """The fewest, the mean and the most bytes stored on a server that is alive, after each change."""
    balance = Balance(Steps(), Steps(), Steps())
    stored: dict[str, int] = {}
    alive: set[str] = set()
    ordered: list[int] = []  # the bytes of those alive, so that each change costs O(log n) comparisons
    total = 0
    for time, server, new, comes in _changes(history):
        if server in alive:
            del ordered[bisect_left(ordered, stored[server])]
            total -= stored[server]
        stored[server] = stored.get(server, 0) if new is None else new
        if comes is not None:
            (alive.add if comes else alive.discard)(server)
        if server in alive:
            insort(ordered, stored[server])
            total += stored[server]
        balance.least.set(time, ordered[0] if ordered else 0)
        balance.mean.set(time, total / len(ordered) if ordered else 0)
        balance.most.set(time, ordered[-1] if ordered else 0)
    return balance


def gap_over_time(history: History) -> Steps:
    """How far the fullest server is above the mean of those alive, in bytes: what a good placement keeps small."""
    balance = balance_over_time(history)
    pairs = zip(balance.most.values, balance.mean.values, strict=True)
    return Steps(balance.most.times, [most - mean for most, mean in pairs])


def _changes(history: History) -> list[ServerChange]:
    """What happened to the servers, in order of time, without the clean stop of the whole cluster at the end."""
    servers = ServerChanges()
    events = sorted(history.of(*SERVER_KINDS), key=lambda event: event.time)
    found = [servers.take(event, event.time - history.start) for event in events]
    changes = [change for change in found if change is not None]
    last_words = {event.node: event.kind for event in history.of("started", "stopped")}
    alive = {change.server: change.alive for change in changes if change.alive is not None}
    if not any(alive.values()):
        while changes and changes[-1].alive is False and last_words.get(changes[-1].server) == "stopped":
            changes.pop()
    return changes


@dataclass(frozen=True, slots=True)
class Traffic:
    """Who sent how many bytes to whom: for each kind of bytes, the bytes by (sender, receiver)."""

    nodes: list[str]
    by_kind: dict[str, dict[tuple[str, str], int]]

    def matrix(self, kind: str | None = None) -> list[list[int]]:
        """Bytes of one kind, or of all, a row a sender and a column a receiver, both in the order of `nodes`."""
        position = {node: index for index, node in enumerate(self.nodes)}
        rows = [[0] * len(self.nodes) for _ in self.nodes]
        for each in self.by_kind if kind is None else (kind,):
            for (sender, receiver), size in self.by_kind.get(each, {}).items():
                rows[position[sender]][position[receiver]] += size
        return rows

    def total(self, kind: str | None = None) -> int:
        """Bytes of one kind, or of all."""
        return sum(sum(self.by_kind.get(each, {}).values()) for each in (self.by_kind if kind is None else (kind,)))


@dataclass(frozen=True, slots=True)
class TrafficOverTime:
    """File bytes in equal stretches of time: `by_kind[copy][i]` crossed the wire from `edges[i]` to `edges[i + 1]`."""

    edges: list[float]
    by_kind: dict[str, list[int]]


def traffic(history: History) -> Traffic:
    """File bytes between nodes, originals, replicas, repairs and restores told apart. Clients come first, then the servers."""
    return _traffic(history, _transfers(history), COPIES, ("client", "server"))


def message_traffic(history: History) -> Traffic:
    """Bytes of messages between nodes; requests, replies, errors and notifications told apart."""
    sends = ((event, event.node, event.peer, event.message) for event in history.of("send"))
    return _traffic(history, sends, (), ("client", "manager", "server"))


def _traffic(
    history: History, transfers: Iterator[_Transfer], kinds: tuple[str, ...], roles: tuple[str, ...]
) -> Traffic:
    role = {event.node: event.detail.get("role", "") for event in history.of("started")}
    nodes = {node for node in role if role[node] in roles}
    by_kind: dict[str, dict[tuple[str, str], int]] = {kind: {} for kind in kinds}
    for event, sender, receiver, kind in transfers:
        cells = by_kind.setdefault(kind, {})
        cells[sender, receiver] = cells.get((sender, receiver), 0) + event.bytes
        nodes.update((sender, receiver))
    return Traffic(sorted(nodes, key=lambda node: (role.get(node, "~"), natural_order(node))), by_kind)


_Transfer = tuple[Event, str, str, str]


def _transfers(history: History) -> Iterator[_Transfer]:
    """Each event that tells of file bytes on the wire, with sender, receiver and kind of copy.

    The sender tells; for one that writes no log (a program that speaks the document's wire) its receiver does.
    """
    peers = Peers(history)
    silent = {peers.of(event) for event in history.of("receive-data")}.difference(history.nodes)
    for event in history.of("send-data", "receive-data"):
        peer = peers.of(event)
        if event.kind == "send-data":
            yield event, event.node, peer, event.copy
        elif peer in silent:
            yield event, peer, event.node, event.copy


def traffic_by_file(history: History) -> dict[str, dict[str, int]]:
    """For each file, the most sent first: the bytes of it that crossed the wire, by kind of copy."""
    files: dict[str, dict[str, int]] = {}
    for event, _, _, kind in _transfers(history):
        sizes = files.setdefault(event.file, {})
        sizes[kind] = sizes.get(kind, 0) + event.bytes
    return dict(sorted(files.items(), key=lambda file: (-sum(file[1].values()), file[0])))


def traffic_over_time(history: History, bins: int = 60) -> TrafficOverTime:
    """File bytes on the wire from the start to the last of them; originals, replicas, repairs and restores told apart."""
    transfers = [(event.time - history.start, kind, event.bytes) for event, _, _, kind in _transfers(history)]
    by_kind: dict[str, list[int]] = {copy: [0] * bins for copy in COPIES}
    end = max((time for time, _, _ in transfers), default=0.0) or 0.001
    for time, kind, size in transfers:
        by_kind.setdefault(kind, [0] * bins)[min(int(time / end * bins), bins - 1)] += size
    return TrafficOverTime([end * edge / bins for edge in range(bins + 1)], by_kind)


def latency_by_method(history: History) -> dict[str, list[float]]:
    """How many seconds each answered call took its caller, from sending the request to having the reply, by method.

    Call and reply are matched by node, peer and call id, the oldest first; what a broken connection left open is out.
    """
    waiting: dict[tuple[str, str], dict[int | str, list[Event]]] = {}
    latencies: dict[str, list[float]] = {}
    for event in history:
        between = event.node, event.peer
        if event.kind == "disconnected":
            waiting.pop(between, None)
        elif event.kind == "send" and event.message == "request":
            waiting.setdefault(between, {}).setdefault(event.call, []).append(event)
        elif event.kind == "receive" and event.message in ("reply", "error"):
            requests = waiting.get(between, {}).get(event.call)
            if requests:
                request = requests.pop(0)
                latencies.setdefault(request.method, []).append(event.time - request.time)
    return dict(sorted(latencies.items()))
