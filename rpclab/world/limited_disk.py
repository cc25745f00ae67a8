"""A disk that somebody has filled, over any disk: so many bytes can be written yet, and no more."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import DiskFull, RpclabError
from .base import Buffer, Closeable, Disk, Entry, Lock, Log, Reader, Tasks, Writer

__all__ = ["LimitedDisk"]


class LimitedDisk:
    """A node's disk. With a `limit` what is written takes from it, and what is removed gives back; event logs are none of it."""

    def __init__(self, disk: Disk, tasks: Tasks) -> None:
        self._disk = disk
        self._lock: Lock = tasks.lock()  # guards the bytes that are left
        self._left: int | None = None

    def limit(self, free_bytes: int | None) -> None:
        """Leave room for so many bytes from now on; None is all that the disk has."""
        with self._lock:
            self._left = free_bytes

    def take(self, count: int, path: str) -> None:
        """Raise DiskFull unless there is room for so many bytes."""
        with self._lock:
            if self._left is not None:
                if count > self._left:
                    raise DiskFull(f"cannot write {path}: the disk is full")
                self._left -= count

    def create(self, path: str) -> Writer:
        return _LimitedWriter(self._disk.create(path), self, path)

    def append(self, path: str) -> Writer:
        return _LimitedWriter(self._disk.append(path), self, path)

    def open(self, path: str) -> Reader:
        return self._disk.open(path)

    def rename(self, old: str, new: str) -> None:
        freed = self._size(new)
        self._disk.rename(old, new)
        self._give_back(freed)

    def remove(self, path: str) -> None:
        freed = self._size(path)
        self._disk.remove(path)
        self._give_back(freed)

    def _size(self, path: str) -> int:
        """The bytes of a file that is about to go, if anybody counts them."""
        if self._left is None:
            return 0
        try:
            reader = self._disk.open(path)
        except RpclabError:
            return 0  # it is a folder, or there is none
        reader.close()
        return reader.size

    def _give_back(self, count: int) -> None:
        with self._lock:
            if self._left is not None:
                self._left += count

    def make_folder(self, path: str) -> None:
        self._disk.make_folder(path)

    def sync_folder(self, path: str) -> None:
        self._disk.sync_folder(path)

    def list(self, path: str) -> Sequence[Entry]:
        return self._disk.list(path)

    def is_link(self, path: str) -> bool:
        return self._disk.is_link(path)

    def free_bytes(self, path: str) -> int:
        free, left = self._disk.free_bytes(path), self._left
        return free if left is None else min(free, left)

    def open_log(self, path: str) -> Log:
        return self._disk.open_log(path)

    def lock(self, path: str) -> Closeable:
        return self._disk.lock(path)


class _LimitedWriter:
    def __init__(self, writer: Writer, disk: LimitedDisk, path: str) -> None:
        self._writer, self._disk, self._path = writer, disk, path

    def write(self, buffers: Sequence[Buffer]) -> None:
        self._disk.take(sum(map(len, buffers)), self._path)
        self._writer.write(buffers)

    def sync(self) -> None:
        self._writer.sync()

    def close(self) -> None:
        self._writer.close()
