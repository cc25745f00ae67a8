"""What an event tells of a server: it has come, it has gone, it stores another number of bytes.

What a server says of itself (`stored`, `deleted`, `dropped`, `quarantined`) counts. The manager's word (`registered`, `reported`)
is older than the server's own by the time a report travels, so it counts only while the server, since it started, has said
nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from ..trace import Event

__all__ = ["SERVER_KINDS", "ServerChange", "ServerChanges"]

SERVER_KINDS = (
    *("started", "stored", "unpromised", "deleted", "dropped", "quarantined"),
    *("registered", "reported", "gone", "stopped"),
)


class ServerChange(NamedTuple):
    """A server has come (alive is True), gone (False) or stores a new number of bytes (not None)."""

    time: float
    server: str
    stored: int | None = None
    alive: bool | None = None


class ServerChanges:
    """Told events of these kinds in order of time, it says what each changes."""

    def __init__(self) -> None:
        self._alive: set[str] = set()
        self._seen: set[str] = set()
        self._outspoken: set[str] = set()  # servers that have told their bytes themselves since they started

    def take(self, event: Event, time: float) -> ServerChange | None:
        """What this event changes, told as of this time; None for nothing."""
        stored = event.detail.get("stored_bytes")
        match event.kind:
            case "started":
                self._outspoken.discard(event.node)
            case "stored" | "unpromised" | "deleted" | "dropped" | "quarantined":
                new = event.node not in self._seen
                self._outspoken.add(event.node)
                self._seen.add(event.node)
                if new:
                    self._alive.add(event.node)
                return ServerChange(time, event.node, stored, True if new else None)
            case "registered":
                new = event.peer not in self._alive
                self._alive.add(event.peer)
                self._seen.add(event.peer)
                told = None if event.peer in self._outspoken else stored
                return ServerChange(time, event.peer, told, True if new else None)
            case "reported" if event.peer in self._seen and event.peer not in self._outspoken:
                return ServerChange(time, event.peer, stored)
            case "gone" | "stopped":
                server = event.peer or event.node
                if server in self._alive:
                    self._alive.discard(server)
                    return ServerChange(time, server, None, False)
        return None
