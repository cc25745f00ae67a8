"""A history as Chrome's trace events: a process a node; calls, files and faults as slices, messages as flows from slice to slice.

Slices of one thread have to lie beside or inside one another, so calls that overlap at a node are put on threads of their own. A
flow belongs to the slice that it starts in or ends in: the answer's starts and ends a nanosecond before its slice does.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ..trace import Event
from .history import History
from .spacetime import ordered_nodes
from .spacetime_calls import calls
from .spacetime_faults import CLUSTER, faults
from .spacetime_messages import Message, messages, transfers

__all__ = ["chrome_trace"]

_THREADS = ("asks", "answers", "files", "notifications", "events", "faults")
_LANES = 1000  # room for so many threads of a kind
_HAIR = 0.001  # microseconds: how long before its slice's end an answer leaves
_SHOWN_OTHERWISE = frozenset({"send", "receive", "send-data", "receive-data"})


def chrome_trace(history: History, *, heartbeats: bool = False) -> dict[str, Any]:
    """The trace as one JSON value."""
    return _Trace(history, heartbeats).value()


class _Trace:
    def __init__(self, history: History, heartbeats: bool) -> None:
        self._history, self._heartbeats = history, heartbeats
        nodes = ordered_nodes(history, {*history.nodes} - {CLUSTER})
        self._pids = {node: number for number, node in enumerate(nodes, 1)}
        self._events: list[dict[str, Any]] = []
        self._busy: dict[tuple[int, str], list[float]] = {}  # when each thread of a kind is free again
        self._flows = 0

    def value(self) -> dict[str, Any]:
        slices = [*self._call_slices(), *self._file_slices(), *self._notification_slices()]
        for ends, flows in sorted(slices, key=lambda each: each[0][0]["ts"]):
            for each in ends:
                self._events.append(self._laid(each))
            for start, end, shift in flows:
                self._flow(start, end, shift)
        self._moments()
        self._faults()
        names = list(self._names())
        return {"displayTimeUnit": "ms", "traceEvents": names + self._events}

    def _us(self, event: Event) -> float:
        return round((event.time - self._history.start) * 1e6, 3)

    # ---- slices: what the events of one call or file make at its two nodes, and the flows between them

    _Slice = dict[str, Any]
    _Made = tuple[list[_Slice], list[tuple[_Slice, _Slice, bool]]]

    def _slice(self, node: str, thread: str, name: str, first: Event, last: Event, args: dict[str, Any]) -> _Slice:
        start = self._us(first)
        duration = max(0.0, round(self._us(last) - start, 3))
        return {
            "ph": "X",
            "pid": self._pids[node],
            "cat": thread,
            "name": name,
            "ts": start,
            "dur": duration,
            "args": args,
        }

    def _call_slices(self) -> list[_Made]:
        made: list[_Trace._Made] = []
        for call in calls(self._history, self._messages):
            request, answer = call.request, call.answer
            kind = "none" if answer is None else answer.kind
            args = {"call": request.call, "bytes": request.bytes, "answer": kind, "fate": request.fate}
            asked = answered = None
            if request.sent is not None:
                last = answer.received if answer is not None and answer.received is not None else request.sent
                asked = self._slice(call.caller, "asks", call.method, request.sent, last, {"of": call.callee, **args})
            if request.received is not None:
                last = answer.sent if answer is not None and answer.sent is not None else request.received
                answered = self._slice(
                    call.callee, "answers", call.method, request.received, last, {"to": call.caller, **args}
                )
            flows = []
            if asked is not None and answered is not None:
                flows.append((asked, answered, False))
                if answer is not None and answer.sent is not None and answer.received is not None:
                    flows.append((answered, asked, True))
            ends = [each for each in (asked, answered) if each is not None]
            if ends:
                made.append((ends, flows))
        return made

    def _file_slices(self) -> list[_Made]:
        made: list[_Trace._Made] = []
        for transfer in transfers(self._history):
            sent = [event for event in transfer.events if event.kind == "send-data"]
            received = [event for event in transfer.events if event.kind == "receive-data"]
            args = {"copy": transfer.copy, "sent bytes": transfer.sent_bytes, "received bytes": transfer.received_bytes}
            name = f"{transfer.file} ({transfer.copy})"
            ends = []
            for node, peer, events in (
                (transfer.sender, transfer.receiver, sent),
                (transfer.receiver, transfer.sender, received),
            ):
                if events:
                    ends.append(self._slice(node, "files", name, events[0], events[-1], {"peer": peer, **args}))
            made.append((ends, [(ends[0], ends[1], False)] if len(ends) == 2 else []))
        return made

    def _notification_slices(self) -> list[_Made]:
        made: list[_Trace._Made] = []
        for message in self._messages:
            if message.kind in ("request", "reply", "error"):
                continue
            ends = [
                self._slice(
                    event.node, "notifications", message.method or message.kind, event, event, {"peer": event.peer}
                )
                for event in message.events
            ]
            made.append((ends, [(ends[0], ends[1], False)] if len(ends) == 2 else []))
        return made

    @cached_property
    def _messages(self) -> list[Message]:
        return [each for each in messages(self._history) if self._heartbeats or each.method != "heartbeat"]

    def _laid(self, each: _Slice) -> _Slice:
        """The slice on the first thread of its kind that is free by then."""
        busy = self._busy.setdefault((each["pid"], each["cat"]), [])
        lane = next((place for place, free in enumerate(busy) if free <= each["ts"]), len(busy))
        end = each["ts"] + max(each["dur"], 2 * _HAIR)
        busy[lane : lane + 1] = [end]
        each["tid"] = _THREADS.index(each["cat"]) * _LANES + lane
        return each

    def _flow(self, start: _Slice, end: _Slice, answer: bool) -> None:
        self._flows += 1
        for phase, each in (("s", start), ("f", end)):
            at = each["ts"]
            if answer:
                at = max(at, round(at + each["dur"] - _HAIR, 3))
            binding = {"bp": "e"} if phase == "f" else {}
            name = "answer" if answer else "message"
            self._events.append(
                {"ph": phase, "id": self._flows, "cat": "message", "name": name, "pid": each["pid"], "tid": each["tid"]}
                | {"ts": at, **binding}
            )

    # ---- the rest

    def _moments(self) -> None:
        for event in self._history:
            if event.kind in _SHOWN_OTHERWISE or event.node == CLUSTER:
                continue
            args = {key: value for key, value in (("file", event.file), ("peer", event.peer)) if value} | event.detail
            self._events.append(
                {"ph": "i", "s": "t", "cat": "events", "name": event.kind, "pid": self._pids[event.node]}
                | {"tid": _THREADS.index("events") * _LANES, "ts": self._us(event), "args": args}
            )

    def _faults(self) -> None:
        for interval in faults(self._history):
            if interval.node in self._pids:
                first, last = interval.began, interval.ended
                each = self._slice(interval.node, "faults", interval.what, first, last or first, dict(first.detail))
                each["dur"] = round(interval.seconds * 1e6, 3)
                self._events.append(self._laid(each))

    def _names(self) -> list[dict[str, Any]]:
        """The names of the processes, in the order of the diagram, and of the threads that are used."""
        found: list[dict[str, Any]] = []

        def meta(name: str, pid: int, args: dict[str, Any], tid: int = 0) -> None:
            found.append({"ph": "M", "name": name, "pid": pid, "tid": tid, "args": args})

        for node, pid in self._pids.items():
            meta("process_name", pid, {"name": node})
            meta("process_sort_index", pid, {"sort_index": pid})
        used = sorted({(each["pid"], each["tid"]) for each in self._events})
        for pid, tid in used:
            kind, lane = _THREADS[tid // _LANES], tid % _LANES
            meta("thread_name", pid, {"name": f"{kind} {lane + 1}" if lane else kind}, tid)
            meta("thread_sort_index", pid, {"sort_index": tid}, tid)
        return found
