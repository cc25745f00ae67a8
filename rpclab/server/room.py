"""Room: whether a server has place for another file, by its quota and by its disk."""

from __future__ import annotations

from ..errors import DiskFull, QuotaExceeded
from ..world.base import Disk, Lock
from .index import Index

__all__ = ["Room"]

_SPARE_BYTES = 1 << 20  # left free on the disk for the journal and the event log


class Room:
    """What a server may store, beside what the index says is stored. `lock` guards both."""

    def __init__(self, disk: Disk, folder: str, quota_bytes: int | None, index: Index, lock: Lock) -> None:
        self._disk, self._folder, self._quota_bytes, self._index, self._lock = disk, folder, quota_bytes, index, lock
        self._arriving = 0  # bytes announced and not yet stored

    def announce(self, file: str, size: int, added: int) -> int:
        """Keep room for `size` bytes of a file, which add so many to what is stored; `arrived` gives what this returns free
        again. Errors: QuotaExceeded, DiskFull."""
        with self._lock:
            if size:
                self._check(file, size, added)
            self._arriving += added
            return added

    def arrived(self, added: int) -> None:
        """An announced file has come or never will: its room is free again."""
        with self._lock:
            self._arriving -= added

    def _check(self, file: str, size: int, added: int) -> None:
        stored, quota, index = self._index.stored_bytes, self._quota_bytes, self._index
        if quota is not None and stored + self._arriving + added > quota:
            raise QuotaExceeded(
                f"no room for {file} ({size:,} bytes): {stored:,} bytes are stored, "
                f"{self._arriving:,} are arriving, the quota is {quota:,}{_advice(index)}"
            )
        free = self._disk.free_bytes(self._folder) - _SPARE_BYTES - self._arriving
        if size > free:
            raise DiskFull(
                f"no room for {file} ({size:,} bytes): the disk has {max(0, free):,} bytes free{_advice(index)}"
            )


def _advice(index: Index) -> str:
    earlier = index.earlier_bytes
    return f"; earlier versions take {earlier:,} bytes: `rpclab rm --keep 1` removes them" if earlier else ""
