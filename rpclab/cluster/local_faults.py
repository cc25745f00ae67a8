"""What is broken in a cluster of processes, and how: parts by signals, links and full disks by the stage, files on the disk."""

from __future__ import annotations

import pathlib

from ..errors import NoSuchFile
from .local_stepping import LocalStepping

__all__ = ["LocalFaults"]


class LocalFaults(LocalStepping):
    """What a cluster of processes has of it."""

    def damage(self, node: str, file: str, *, version: int | None = None) -> pathlib.Path:
        self._node(node)
        path = _flip_bit(self.data / "servers" / node, file, version)
        self._fault("damaged", node, file)
        return path

    def kill(self, node: str) -> None:
        super().kill(node)
        self.stage.forget(node)

    def resume(self, node: str) -> None:
        super().resume(node)
        self._publish()

    def _linked(self) -> list[str]:
        return [*self._nodes, *self.stage.here]

    def _cut(self, links: list[tuple[str, str]]) -> None:
        self.stage.cut(links, self.addresses)

    def _slow(self, links: list[tuple[str, str]], latency_s: float, bytes_s: float | None) -> None:
        self.stage.slow(links, latency_s, bytes_s, self.addresses)

    def _mend(self) -> None:
        self.stage.mend()

    def _fill(self, node: str, free_bytes: int | None) -> None:
        self.stage.fill(node, free_bytes)


def _flip_bit(server: pathlib.Path, file: str, version: int | None = None) -> pathlib.Path:
    """Flip one bit in the middle of a copy in a server's folder, as a disk that rots does: of the newest version of `file`
    (`client/name`), or of an earlier one. Returns the damaged file's path. Errors: NoSuchFile."""
    path = server / "Backups" / file if version is None else server / "Versions" / file / str(version)
    if not path.is_file() or not path.stat().st_size:
        raise NoSuchFile(f"{server.name} has no copy of {file} with a bit in it ({path})")
    with path.open("r+b") as copy:
        place = path.stat().st_size // 2
        copy.seek(place)
        byte = copy.read(1)[0]
        copy.seek(place)
        copy.write(bytes([byte ^ 1]))
    return path
