"""What really lies on the servers' disks: looked up there, asked of nobody."""

from __future__ import annotations

import contextlib
import pathlib

from blake3 import blake3

from rpclab.cluster.local import LocalCluster

__all__ = ["digest_of", "held_bytes", "stored_files"]

STORED = ("Backups", "Versions")


def stored_files(cluster: LocalCluster, server: str, key: str | None = None) -> list[pathlib.Path]:
    """Every stored version on a server's disk; with a key, of that file alone."""
    root = cluster.data / "servers" / server
    if key is None:
        return [path for kind in STORED for path in (root / kind).rglob("*") if path.is_file()]
    newest, earlier = root / "Backups" / key, root / "Versions" / key
    return [path for path in (newest, *earlier.glob("*")) if path.is_file()]


def held_bytes(cluster: LocalCluster, server: str) -> int:
    """The bytes of all that is stored on a server's disk."""
    total = 0
    for path in stored_files(cluster, server):
        with contextlib.suppress(FileNotFoundError):  # replaced or removed since it was listed
            total += path.stat().st_size
    return total


def digest_of(path: pathlib.Path) -> str:
    try:
        return str(blake3(path.read_bytes()).hexdigest())
    except OSError:
        return ""  # gone meanwhile
