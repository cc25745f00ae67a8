"""A file that is arriving at a store: its bytes go to Incoming until it is committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..errors import DigestMismatch, StorageError
from ..records import FileRecord
from ..world.base import World

if TYPE_CHECKING:
    from .store import Store

__all__ = ["Incoming"]


class Incoming:
    """A file that is arriving: write its pieces, then `commit`, or `discard` it. Nothing of it shows before.

    `keep` is how many versions of it stay, None for all; `dropped` are those that made way when it was committed.
    """

    def __init__(self, store: Store, world: World, file: FileRecord, keep: int | None, frees: int, room: int) -> None:
        self.client, self.name, self.size, self.version = file.client, file.name, file.size, file.version
        self.keep = keep
        self.dropped: list[FileRecord] = []
        self.file = file
        self._frees, self._room = frees, room  # bytes of what makes way for it; bytes that the store keeps free for it
        self._store, self._disk = store, world.disk
        self._temporary = world.nonce(8).hex()
        self._path = store.place.waiting(self._temporary)
        self._writer = self._disk.create(self._path)
        self._written = 0
        self._open = True

    def write(self, pieces: Sequence[memoryview]) -> None:
        """Errors: DiskFull, StorageError, and QuotaExceeded when more comes than was announced."""
        count = sum(map(len, pieces))
        if self.size < 0:
            added = max(0, self._written + count - self._frees) - self._room
            self._store.announce(self.client, self.name, count, added)
            self._room += added
        elif self._written + count > self.size:
            raise StorageError(f"{self.name} was announced with {self.size:,} bytes, more than that came")
        self._written += count
        self._writer.write(pieces)

    def commit(self, digest: str) -> FileRecord:
        """Make the file durable in its place; `digest` is what the received bytes have. Returns once it survives a power
        cut. On an error nothing is stored and every earlier version stays; only when the folder's sync fails, at the very
        end, is the new version there without a promise."""
        try:
            if self.size >= 0 and self._written != self.size:
                raise DigestMismatch(f"{self.name} was announced with {self.size:,} bytes, {self._written:,} came")
            self._writer.sync()
            self._writer.close()
            file = replace(self.file, size=self._written, digest=digest)
            stored, self.dropped = self._store.commit(file, self._temporary, self.keep)
            return stored
        finally:
            self.discard()

    def discard(self) -> None:
        """Forget what has arrived. May be called twice, and after a commit."""
        if self._open:
            self._open = False
            self._writer.close()
            self._store.arrived(self._room)
            self._store.place.forget(self._path)
