"""What one process of a cluster knows and does: a server's files as they lie on its disk, the rest as the process itself says."""

from __future__ import annotations

import pathlib
from typing import Any

from ..world.base import Disk, walk
from .base import Node
from .hub import Hub

__all__ = ["look"]


def look(name: str, node: Node, hub: Hub, disk: Disk, folder: pathlib.Path) -> dict[str, Any]:
    """As `SimCluster.look`. A server's disk is there to be looked at also while it is stopped or paused; what a process knows is
    not. Errors: NotRunning, if it does not answer."""
    found: dict[str, Any] = {"state": node.state}
    if node.role == "server":
        found |= _server(disk, folder)
    return found | hub.look(name) if node.state == "running" else found


def _server(disk: Disk, folder: pathlib.Path) -> dict[str, Any]:
    files, versions, arriving = (dict(walk(disk, f"{folder}/{part}")) for part in ("Backups", "Versions", "Incoming"))
    stored_bytes = sum(files.values()) + sum(versions.values())
    return {"files": files, "versions": versions, "stored_bytes": stored_bytes, "arriving": arriving}
