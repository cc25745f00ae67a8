"""A file that is arriving at a store: its bytes go to Incoming until it is committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from ..errors import DigestMismatch, StorageError
from ..records import FileRecord, file_key
from ..world.base import World
from .folder import Folder
from .room import Room

__all__ = ["Incoming"]

Commit = Callable[[FileRecord, str, int | None], tuple[FileRecord, list[FileRecord]]]


class Incoming:
    """A file that is arriving: write its pieces, then `commit`, or `discard` it. Nothing of it shows before.

    `keep` is how many versions of it stay, None for all; `dropped` are those that made way when it was committed. `commit`
    is the store's: it gives a synced file its place.
    """

    def __init__(
        self,
        world: World,
        place: Folder,
        room: Room,
        commit: Commit,
        file: FileRecord,
        keep: int | None,
        frees: int,
        announced: int,
    ) -> None:
        self.client, self.name, self.size, self.version = file.client, file.name, file.size, file.version
        self.keep = keep
        self.dropped: list[FileRecord] = []
        self.file = file
        self._frees, self._announced = frees, announced  # bytes of what makes way for it; bytes of room kept for it
        self._place, self._room, self._commit = place, room, commit
        self._temporary = world.nonce(8).hex()
        self._path = place.waiting(self._temporary)
        self._writer = world.disk.create(self._path)
        self._written = 0
        self._open = True

    def write(self, pieces: Sequence[memoryview]) -> None:
        """Errors: DiskFull, StorageError, and QuotaExceeded when more comes than was announced."""
        count = sum(map(len, pieces))
        if self.size < 0:
            added = max(0, self._written + count - self._frees) - self._announced
            self._announced += self._room.announce(file_key(self.client, self.name), count, added)
        elif self._written + count > self.size:
            raise StorageError(f"{self.name} was announced with {self.size:,} bytes, more than that came")
        self._written += count
        self._writer.write(pieces)

    def commit(self, digest: str) -> FileRecord:
        """Make the file durable in its place; `digest` is what the received bytes have. Returns once it survives a power
        cut. On an error nothing is stored and every earlier version stays; only when the folder's sync fails, at the very
        end, is the new version there without a promise, in the place of the one that was not to stay."""
        try:
            if self.size >= 0 and self._written != self.size:
                raise DigestMismatch(f"{self.name} was announced with {self.size:,} bytes, {self._written:,} came")
            self._writer.sync()
            self._writer.close()
            file = replace(self.file, size=self._written, digest=digest)
            stored, self.dropped = self._commit(file, self._temporary, self.keep)
            return stored
        finally:
            self.discard()

    def discard(self) -> None:
        """Forget what has arrived. May be called twice, and after a commit."""
        if self._open:
            self._open = False
            self._writer.close()
            self._room.arrived(self._announced)
            self._place.forget(self._path)
