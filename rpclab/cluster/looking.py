"""The state of one simulated node, looked up where it lies: without a message, in no time, so that looking changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import msgspec

from ..manager.looking import look as manager_look
from ..manager.service import Manager
from ..trace import Event
from ..world.simulated_disk import SimulatedDisk
from .simulated_node import SimNode

__all__ = ["look"]

_decode = msgspec.json.Decoder(Event).decode


def look(node: SimNode) -> dict[str, Any]:
    """What a node has: every one its state and its open calls; the manager the servers and the files as it has them; a server
    what lies on its disk."""
    found: dict[str, Any] = {"state": node.state}
    part = node.current_part
    if isinstance(part, Manager):
        found |= manager_look(part.directory, sys.maxsize)
    if node.role == "server":
        found |= _server(node.name, node.disk)
    calls = _Calls()
    calls.read(map(_decode, node.log.lines if node.log is not None else ()))
    return found | {"calls": calls.made(), "answering": calls.taken()}


def _server(name: str, disk: SimulatedDisk) -> dict[str, Any]:
    def below(kind: str) -> dict[str, int]:
        root = f"{name}/{kind}"
        return {path.removeprefix(f"{root}/"): disk.size(path) for path in sorted(disk.files_below(root))}

    files, versions = below("Backups"), below("Versions")
    return {
        "files": files,
        "versions": versions,
        "stored_bytes": sum(files.values()) + sum(versions.values()),
        "arriving": below("Incoming"),
    }


class _Calls:
    """The calls that a node has made or taken and that are not answered, by its events."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._open: dict[str, list[tuple[str, int | str, str]]] = {"send": [], "receive": []}
        self._connections: dict[str, int] = {}

    def made(self) -> list[str]:
        return [f"{method} at {peer}" for peer, _, method in self._open["send"]]

    def taken(self) -> list[str]:
        return [f"{method} of {peer}" for peer, _, method in self._open["receive"]]

    def read(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.kind in ("started", "stopped"):
                self._begin()
            elif event.kind in ("connected", "disconnected"):
                self._connect(event.peer, 1 if event.kind == "connected" else -1)
            elif event.kind not in self._open:
                continue
            elif event.message == "request":
                self._open[event.kind].append((event.peer, event.call, event.method))
            elif event.message in ("reply", "error"):
                self._answered("receive" if event.kind == "send" else "send", event.peer, event.call)

    def _connect(self, peer: str, change: int) -> None:
        left = self._connections[peer] = self._connections.get(peer, 0) + change
        if left <= 0:  # nobody waits for an answer any more
            for calls in self._open.values():
                calls[:] = [call for call in calls if call[0] != peer]

    def _answered(self, kind: str, peer: str, number: int | str) -> None:
        for position, call in enumerate(self._open[kind]):
            if call[:2] == (peer, number):
                del self._open[kind][position]
                return
