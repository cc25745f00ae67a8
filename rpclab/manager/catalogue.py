"""The catalogue: which server holds which version of which file, which are deleted, in order of (client, name). Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator

from ..config import Address
from ..names import NameTable
from ..records import FileRecord, file_key

__all__ = ["Catalogue", "FileKey"]

FileKey = tuple[str, str]
"""A file's client and name."""

_NOTHING: dict[int, dict[Address, FileRecord]] = {}


class Catalogue:
    """Versions and their copies by file; listed in order of (client, name).

    The order is made when a page is asked for: sorting what is nearly sorted costs little more than reading it.
    """

    def __init__(self) -> None:
        self._versions: dict[FileKey, dict[int, dict[Address, FileRecord]]] = {}
        self._tombstones: dict[FileKey, int] = {}  # up to which version a file is deleted
        self._missing: dict[FileKey, int] = {}  # newer than all that lie somewhere, and was not deleted
        self._names = NameTable()
        self._order: list[FileKey] | None = []

    def __len__(self) -> int:
        """How many different files have a copy of any version."""
        return len(self._versions)

    def put(self, address: Address, record: FileRecord) -> None:
        key = (record.client, record.name)
        if key not in self._versions:
            self._versions[key] = {}
            self._order = None
            self._names.add(file_key(*key))
        self._versions[key].setdefault(record.version, {})[address] = record
        if record.version >= self.missing(key):
            self._missing.pop(key, None)

    def drop(self, address: Address, key: FileKey, version: int) -> None:
        copies = self._versions[key][version]
        del copies[address]
        if not copies:
            del self._versions[key][version]
            self.miss(key, version)
        if not self._versions[key]:
            del self._versions[key]
            self._order = None
            self._names.discard(file_key(*key))

    def miss(self, key: FileKey, version: int) -> None:
        """This version is known to lie somewhere, and on no server that is here."""
        if version > max(self.lying(key), default=max(self.missing(key), self.buried(key))):
            self._missing[key] = max(version, self.missing(key))

    def bury(self, key: FileKey, version: int) -> bool:
        """All versions up to this one are deleted, wherever a copy may still lie; False if that was known."""
        if version <= self._tombstones.get(key, 0):
            return False
        self._tombstones[key] = version
        if version >= self.missing(key):
            self._missing.pop(key, None)
        return True

    def missing(self, key: FileKey) -> int:
        """The newest version that was here, if its copies went with their servers or were damaged: a read must not take an
        older one for it. 0 if there is none."""
        return self._missing.get(key, 0)

    def buried(self, key: FileKey) -> int:
        """The version up to which a file is deleted, 0 if it never was."""
        return self._tombstones.get(key, 0)

    def check_name(self, name: str) -> None:
        """Raise NameCollision if the name `client/name` would hide a stored one, or be hidden by it."""
        self._names.check(name)

    def lying(self, key: FileKey) -> dict[int, dict[Address, FileRecord]]:
        """Every version that lies somewhere, the deleted ones too."""
        return self._versions.get(key, _NOTHING)

    def live(self, key: FileKey) -> list[int]:
        """The versions that are not deleted, the newest first."""
        buried = self.buried(key)
        return sorted((version for version in self.lying(key) if version > buried), reverse=True)

    def copies(self, key: FileKey, version: int) -> dict[Address, FileRecord]:
        """The copies of one version that are alike: should they differ, the contents with the most copies count."""
        found = self.lying(key).get(version, {})
        if len(found) < 2:
            return found
        counts = Counter((file.digest, file.size) for file in found.values())
        if len(counts) == 1:
            return found
        best = max(counts, key=lambda contents: (counts[contents], contents))
        return {address: file for address, file in found.items() if (file.digest, file.size) == best}

    def holders(self, key: FileKey) -> set[Address]:
        """The servers that hold any version."""
        return {address for copies in self.lying(key).values() for address in copies}

    def after(self, key: FileKey | None) -> Iterator[FileKey]:
        """The files that follow `key`, from the first one if it is None."""
        if self._order is None:
            self._versions = dict(sorted(self._versions.items()))
            self._order = list(self._versions)
        order = self._order
        start = 0 if key is None else bisect_right(order, key)
        return (order[index] for index in range(start, len(order)))
