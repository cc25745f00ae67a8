"""Which log belongs to the peer that an event names.

A client on the command line says who it is, `client1`, to its peers, and logs as `client1-4711`, after its process: its name
may be that of a process with a log of its own.
"""

from __future__ import annotations

from bisect import bisect_right

from ..trace import Event
from .history import History

__all__ = ["Peers"]


class Peers:
    """Asked for an event's peer, it names the node whose log is the peer's."""

    def __init__(self, history: History) -> None:
        self._logged = set(history.nodes)
        self._short: dict[str, list[tuple[float, str]]] = {}
        if any(
            event.peer and event.peer not in self._logged for event in history.of("send", "send-data", "receive-data")
        ):
            self._find(history)

    def _find(self, history: History) -> None:
        began: dict[str, float] = {}
        for event in history:
            name, dash, process = event.node.rpartition("-")
            if dash and process.isdecimal() and name not in self._logged:
                began[event.node] = min(event.time, began.get(event.node, event.time))
        for node, time in began.items():
            self._short.setdefault(node.rpartition("-")[0], []).append((time, node))
        for own in self._short.values():
            own.sort()

    def of(self, event: Event) -> str:
        """The node that logs as the event's peer; the peer's own name if none does."""
        own = self._short.get(event.peer)
        if own is None:
            return event.peer
        return own[max(0, bisect_right(own, (event.time, "\U0010ffff")) - 1)][1]
