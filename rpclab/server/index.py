"""The index: a server's stored files by name, in memory, and the tombstones of those that were deleted. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import NoSuchFile
from ..names import NameTable
from ..records import FileRecord, file_key

__all__ = ["Index"]


class Index:
    """Stored files by their exact name; names that some system takes for one are kept apart."""

    def __init__(self) -> None:
        self._files: dict[str, FileRecord] = {}
        self._tombstones: dict[str, FileRecord] = {}
        self._names = NameTable()
        self.stored_bytes = 0

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[FileRecord]:
        return iter(sorted(self._files.values(), key=lambda file: (file.client, file.name)))

    def tombstones(self) -> list[FileRecord]:
        return sorted(self._tombstones.values(), key=lambda file: (file.client, file.name))

    def find(self, client: str, name: str) -> FileRecord | None:
        """The file of exactly this name; raises NameCollision if another takes its place on some systems."""
        key = file_key(client, name)
        self._names.check(key)
        return self._files.get(key)

    def get(self, client: str, name: str) -> FileRecord:
        """The file of this name; raises NoSuchFile."""
        found = self._files.get(file_key(client, name))
        if found is None:
            raise NoSuchFile(f"{file_key(client, name)!r} is not stored here")
        return found

    def held(self, client: str, name: str) -> FileRecord | None:
        return self._files.get(file_key(client, name))

    def newest(self, client: str, name: str) -> FileRecord | None:
        """The file, or the tombstone, whichever is the newer."""
        key = file_key(client, name)
        known = [record for record in (self._files.get(key), self._tombstones.get(key)) if record is not None]
        return max(known, key=lambda record: record.version, default=None)

    def put(self, file: FileRecord) -> None:
        """Take a file in, or a tombstone; an older one of the same name makes way."""
        key = file_key(file.client, file.name)
        if file.deleted:
            self._tombstones[key] = file
            return
        self.drop(file.client, file.name)
        self._files[key] = file
        self._names.add(key)
        self.stored_bytes += file.size

    def drop(self, client: str, name: str) -> FileRecord | None:
        key = file_key(client, name)
        file = self._files.pop(key, None)
        if file is not None:
            self._names.discard(key)
            self.stored_bytes -= file.size
        return file
