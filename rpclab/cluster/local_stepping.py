"""The stage and the steps of a cluster of processes: in real time, each process told what to do and waited for."""

from __future__ import annotations

import pathlib
import threading
import time
from collections.abc import Callable
from typing import Any

from ..world.base import walk
from ..world.real import RealWorld
from . import given
from .base import Cluster
from .hub import Hub
from .process import NodeProcess
from .stepping import Operation

__all__ = ["LocalStepping"]


class LocalStepping(Cluster[NodeProcess]):
    """What a cluster of processes has of it."""

    data: pathlib.Path
    _world: RealWorld
    _hub: Hub
    _closed: bool
    _quiet_s = 0.3  # many times what a message takes, or a disk's sync

    def _publish(self) -> None:
        self._hub.publish(name for name, node in self._nodes.items() if node.state == "running" and not self._closed)

    def _carry_out(self, function: Callable[[], Any]) -> Operation:
        operation = Operation(function, self.stage.ended)
        thread = threading.Thread(target=operation.carry_out, name=f"begun-{operation.name}", daemon=True)
        operation.wait = thread.join  # a daemon: what waits for a cluster that has gone must not keep the kernel
        thread.start()
        return operation

    def _go_on(self, since: int) -> None:
        self.stage.wait(since, self._quiet_s)

    def sleep(self, seconds: float) -> None:
        time.sleep(given.seconds("seconds", seconds))

    # ---- looking

    def look(self, node: str) -> dict[str, Any]:
        """What a node has, as `SimCluster.look` tells it. A server's disk can be looked at also while it is stopped or paused;
        what a process knows cannot. Errors: NotRunning, if it does not answer."""
        part = self._node(node)
        found: dict[str, Any] = {"state": part.state}
        if part.role == "server":
            found |= self._on_disk(node)
        return found | self._hub.look(node) if part.state == "running" else found

    def _on_disk(self, server: str) -> dict[str, Any]:
        folder = self.data / "servers" / server
        files, versions, arriving = (
            dict(walk(self._world.disk, f"{folder}/{part}")) for part in ("Backups", "Versions", "Incoming")
        )
        stored_bytes = sum(files.values()) + sum(versions.values())
        return {"files": files, "versions": versions, "stored_bytes": stored_bytes, "arriving": arriving}
