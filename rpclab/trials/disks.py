"""What really lies on the disks of a simulated cluster: looked up there, in no time, asked of nobody."""

from __future__ import annotations

from typing import NamedTuple

from blake3 import blake3

from ..cluster.simulated import SimCluster

__all__ = ["Copy", "arriving", "copies", "held_bytes"]


class Copy(NamedTuple):
    server: str
    path: str
    file: str
    version: int | None
    size: int
    digest: str


def copies(cluster: SimCluster, file: str | None = None) -> list[Copy]:
    """Every stored version on every server, or those of one file."""
    found = []
    for server in cluster.servers:
        disk = cluster.disk(server)
        for kind in ("Backups", "Versions"):
            root = f"{server}/{kind}"
            for path in disk.files_below(root if file is None else f"{root}/{file}".rpartition("/")[0]):
                name = path.removeprefix(f"{root}/")
                key, version = (
                    (name, None) if kind == "Backups" else (name.rpartition("/")[0], int(name.split("/")[-1]))
                )
                if file in (None, key):
                    data = disk.contents(path)
                    found.append(Copy(server, path, key, version, len(data), blake3(data).hexdigest()))
    return found


def held_bytes(cluster: SimCluster, server: str) -> int:
    disk = cluster.disk(server)
    paths = [path for kind in ("Backups", "Versions") for path in disk.files_below(f"{server}/{kind}")]
    return sum(disk.size(path) for path in paths)


def arriving(cluster: SimCluster, server: str) -> list[str]:
    found: list[str] = cluster.disk(server).files_below(f"{server}/Incoming")
    return found
