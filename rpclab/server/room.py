"""Room: whether a server has place for another file, by its quota and by its disk."""

from __future__ import annotations

from ..errors import DiskFull, QuotaExceeded
from ..world.base import Disk
from .index import Index

__all__ = ["Room"]

_SPARE_BYTES = 1 << 20  # left free on the disk for the journal and the event log


class Room:
    """What a server may store, and what is `arriving`: bytes announced and not yet stored. Not locked: its store does that."""

    def __init__(self, disk: Disk, folder: str, quota_bytes: int | None) -> None:
        self._disk, self._folder, self._quota_bytes = disk, folder, quota_bytes
        self.arriving = 0

    def check(self, file: str, size: int, added: int, index: Index) -> None:
        """Raise QuotaExceeded or DiskFull unless `size` bytes fit, which add so many to what is stored."""
        stored, quota = index.stored_bytes, self._quota_bytes
        if quota is not None and stored + self.arriving + added > quota:
            raise QuotaExceeded(
                f"no room for {file} ({size:,} bytes): {stored:,} bytes are stored, "
                f"{self.arriving:,} are arriving, the quota is {quota:,}{_advice(index)}"
            )
        free = self._disk.free_bytes(self._folder) - _SPARE_BYTES - self.arriving
        if size > free:
            raise DiskFull(
                f"no room for {file} ({size:,} bytes): the disk has {max(0, free):,} bytes free{_advice(index)}"
            )


def _advice(index: Index) -> str:
    earlier = index.earlier_bytes
    return f"; earlier versions take {earlier:,} bytes: `rpclab rm --keep 1` removes them" if earlier else ""
