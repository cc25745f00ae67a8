"""The files of a simulated disk: what each holds, how much of that was synced, and the handles on it that nodes have."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import DiskFull, SyncFailed
from .base import Buffer

if TYPE_CHECKING:
    from .simulated_disk import SimulatedDisk

__all__ = ["HeldFile", "MemoryEntry", "MemoryFile", "MemoryLogFile", "MemoryReader", "MemoryWriter"]


class MemoryFile:
    """Files only grow, so what is synced is a length; `holes` are parts whose sync failed, which never reach the disk."""

    __slots__ = ("changes", "data", "holes", "synced")

    def __init__(self) -> None:
        self.data = bytearray()
        self.changes = self.synced = 0
        self.holes: list[tuple[int, int]] = []

    def lose(self, chance: random.Random) -> None:
        """Keep what was synced and an arbitrary part of the rest, the end of which may be zeros."""
        kept = chance.randint(self.synced, max(self.synced, len(self.data)))
        zeros = chance.choice([0, chance.randint(0, kept - self.synced)])
        for start, end in [*self.holes, (kept - zeros, kept)]:
            self.data[start:end] = bytes(max(0, min(end, len(self.data)) - start))
        del self.data[kept:]
        self.synced, self.holes = len(self.data), []


class MemoryWriter:
    def __init__(self, disk: SimulatedDisk, path: str, file: MemoryFile) -> None:
        self._disk, self._path, self._file = disk, path, file

    def write(self, buffers: Sequence[Buffer]) -> None:
        self._disk.step()
        data = b"".join(buffers)
        room = max(0, self._disk.room())
        self._file.data += data[:room]
        self._file.changes += 1
        self._disk.used += min(room, len(data))
        if len(data) > room:
            raise DiskFull(f"cannot write {self._path}: the disk is full")

    def sync(self) -> None:
        file, length = self._file, len(self._file.data)
        self._disk.step()
        self._disk.wait_for_sync()
        if self._disk.sync_fails():
            file.holes.append((file.synced, length))
            raise SyncFailed(f"{self._path} did not reach the disk: input/output error")
        file.synced = max(file.synced, length)

    def close(self) -> None: ...


class MemoryReader:
    def __init__(self, disk: SimulatedDisk, file: MemoryFile) -> None:
        self._disk, self._file, self._state, self._done = disk, file, file.changes, 0
        self.size = len(file.data)

    def read_into(self, view: memoryview) -> int:
        self._disk.step()
        piece = self._file.data[self._done : self._done + len(view)]
        view[: len(piece)] = piece
        self._done += len(piece)
        return len(piece)

    def changed(self) -> bool:
        return self._file.changes != self._state

    def close(self) -> None: ...


class MemoryLogFile:
    def __init__(self, file: MemoryFile) -> None:
        self._file = file
        self.last_line = bytes(file.data).rpartition(b"\n")[0].rpartition(b"\n")[2] + b"\n" if file.data else b""

    def append(self, line: bytes) -> None:
        self._file.data += line

    def close(self) -> None: ...


class HeldFile:
    def __init__(self, held: set[str], path: str) -> None:
        self._held, self._path = held, path

    def close(self) -> None:
        self._held.discard(self._path)


@dataclass(frozen=True, slots=True)
class MemoryEntry:
    name: str
    is_folder: bool
    size: int
