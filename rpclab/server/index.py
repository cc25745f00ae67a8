"""The index: a server's stored files by name and version, in memory, and the tombstones of those that were deleted."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import NoSuchFile
from ..names import NameTable
from ..records import FileRecord, file_key
from .folder import Folder
from .journal import Entry
from .shelf import Shelf

__all__ = ["Index"]


class Index:
    """Stored files by their exact name; names that some system takes for one are kept apart."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._shelves: dict[str, Shelf] = {}
        self._tombstones: dict[str, FileRecord] = {}
        self._names = NameTable()
        self._count = 0
        self.stored_bytes = 0

    def __len__(self) -> int:
        """How many lines it takes to describe: versions and tombstones."""
        return self._count + len(self._tombstones)

    def __iter__(self) -> Iterator[FileRecord]:
        for shelf in self._in_order():
            for version in sorted(shelf.versions):
                yield shelf.versions[version]

    def _in_order(self) -> list[Shelf]:
        return sorted(self._shelves.values(), key=lambda shelf: (shelf.client, shelf.name))

    @property
    def earlier_bytes(self) -> int:
        """The bytes of all versions that are not the newest."""
        newest = sum(shelf.newest.size for shelf in self._shelves.values() if shelf.newest is not None)
        return self.stored_bytes - newest

    def tombstones(self) -> list[FileRecord]:
        return sorted(self._tombstones.values(), key=lambda file: (file.client, file.name))

    def tombstone(self, client: str, name: str) -> FileRecord | None:
        return self._tombstones.get(file_key(client, name))

    def bury(self, tombstone: FileRecord) -> None:
        self._tombstones[file_key(tombstone.client, tombstone.name)] = tombstone

    def forget_tombstones(self, before: float) -> int:
        """Forget those that were made before a moment; returns how many."""
        old = [key for key, tombstone in self._tombstones.items() if tombstone.saved < before]
        for key in old:
            del self._tombstones[key]
        return len(old)

    def check(self, client: str, name: str) -> None:
        """Raise NameCollision if another file takes this name's place on some systems."""
        self._names.check(file_key(client, name))

    def shelf(self, client: str, name: str) -> Shelf:
        """The versions of the file of exactly this name, none if there is no such file."""
        return self._shelves.get(file_key(client, name)) or Shelf(self._folder, client, name)

    def get(self, client: str, name: str, version: int | None = None) -> FileRecord:
        """A version of the file of this name, the newest unless one is asked for; raises NoSuchFile."""
        shelf = self.shelf(client, name)
        found = shelf.newest if version is None else shelf.versions.get(version)
        if found is None:
            which = "" if version is None else f" in version {version}"
            raise NoSuchFile(f"{shelf.key!r} is not stored here{which}")
        return found

    def above(self, client: str, name: str) -> int:
        """A version above all that is known of this name."""
        shelf = self.shelf(client, name)
        known = [*shelf.versions.values(), shelf.foreign, self.tombstone(client, name)]
        return 1 + max((file.version for file in known if file is not None), default=0)

    def add(self, shelf: Shelf, file: FileRecord) -> None:
        """Count a version in; a record of the same version makes way."""
        self.remove(shelf, file.version)
        if not shelf.versions:
            self._names.add(shelf.key)
        shelf.versions[file.version] = file
        self.keep(shelf)
        self._count += 1
        self.stored_bytes += file.size

    def remove(self, shelf: Shelf, version: int) -> None:
        file = shelf.versions.pop(version, None)
        if file is None:
            return
        self._count -= 1
        self.stored_bytes -= file.size
        if not shelf.versions:
            self._names.discard(shelf.key)
            if shelf.foreign is None:
                del self._shelves[shelf.key]

    def keep(self, shelf: Shelf) -> None:
        """Remember a shelf, also one without versions whose file somebody changed."""
        self._shelves[shelf.key] = shelf

    def lines(self) -> Iterator[Entry]:
        """The journal that describes all this in the fewest lines."""
        for tombstone in self.tombstones():
            yield Entry(tombstone)
        for shelf in self._in_order():
            files = dict(shelf.versions)
            if shelf.foreign is not None:  # it goes on being said, or what lies there would be taken in as new
                files.setdefault(shelf.foreign.version, shelf.foreign)
            versions = sorted(files)
            for place, version in enumerate(versions):
                yield Entry(files[version], kept=versions[:place], foreign=version not in shelf.versions)
