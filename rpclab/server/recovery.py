"""Recovery: what a store does when it starts. The journal says what should lie in the folder, the disk says what does."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ..errors import DiskFull, RpclabError
from ..names import check_client, check_name
from ..records import file_key
from ..world.base import walk
from .folder import Folder
from .index import Index
from .journal import Entry, Journal
from .recovered import Recovered

__all__ = ["Recovery"]


class Recovery:
    """Finishes what was begun, removes what was not, takes in what people put there, and fills the index."""

    def __init__(
        self,
        folder: Folder,
        journal: Journal,
        index: Index,
        say: Callable[[str], None],
        now: float,
        tombstone_s: float,
    ) -> None:
        self._folder, self._disk, self._journal, self._index, self._say = folder, folder.disk, journal, index, say
        self._now, self._tombstone_s = now, tombstone_s

    def run(self) -> bool:
        """Bring journal, disk and index to agree; whether the journal says all of it. Errors: StorageError, when the disk does
        not allow it."""
        history: dict[str, list[Entry]] = {}
        entries = self._journal.read()
        if self._journal.unsettled:
            self._journal.sync()
        for entry in entries:
            history.setdefault(file_key(entry.file.client, entry.file.name), []).append(entry)
        waiting = {entry.name for entry in self._disk.list(self._folder.incoming)}
        lying = dict(walk(self._disk, self._folder.backups))
        earlier = self._earlier()
        changed = self._bury(history)
        for key in sorted({*history, *lying, *earlier}):  # what the journal knows comes first: it has the names
            if key in history:
                changed |= self._one(key, history[key], lying.get(key), earlier.get(key, {}), waiting)
        for key in sorted({*lying, *earlier} - history.keys()):
            changed |= self._one(key, [], lying.get(key), earlier.get(key, {}), waiting)
        for name in sorted(waiting):
            self._folder.forget(self._folder.waiting(name))
        changed |= self._index.forget_tombstones(self._now - self._tombstone_s) > 0
        if changed or self._journal.torn or self._journal.damaged or len(entries) > 2 * len(self._index) + 64:
            return self._rewrite()
        return True

    def _rewrite(self) -> bool:
        """A full disk is no reason not to give back what is stored: the old journal tells the next start all of this again."""
        try:
            self._journal.rewrite(self._index.lines())
        except DiskFull as error:
            self._say(f"the journal could not be begun anew, the next start will try again: {error}")
            return False
        return True

    def _earlier(self) -> dict[str, dict[int, int]]:
        """What lies in Versions: sizes by version, by file."""
        found: dict[str, dict[int, int]] = {}
        for path, size in walk(self._disk, self._folder.versions):
            key, _, version = path.rpartition("/")
            if "/" in key and version.isascii() and version.isdigit() and str(int(version)) == version:
                found.setdefault(key, {})[int(version)] = size
            else:
                self._say(f"left alone: {self._folder.versions}/{path} is no version of a file")
        return found

    def _bury(self, history: dict[str, list[Entry]]) -> bool:
        """Remember the tombstones; one without a time counts from now on. Returns whether there was such a one."""
        undated = False
        for noted in history.values():
            void = {entry.file.version for entry in noted if entry.void and entry.file.deleted}
            found = [entry.file for entry in noted if entry.file.deleted and entry.file.version not in void]
            if found:
                tombstone = max(found, key=lambda file: file.version)
                undated |= not tombstone.saved
                self._index.bury(tombstone if tombstone.saved else replace(tombstone, saved=self._now))
        return undated

    def _one(self, key: str, noted: list[Entry], size: int | None, earlier: dict[int, int], waiting: set[str]) -> bool:
        """Bring one file's versions into order. Returns whether the journal said otherwise."""
        client, _, name = key.partition("/")
        if not name:
            return False  # a file beside the clients' folders is none of ours
        if not noted:
            try:
                check_client(client), check_name(name)
                self._index.check(client, name)
            except RpclabError as error:
                self._say(f"left alone: {self._folder.plain(client, name)}: {error}")
                return False
        shelf = self._index.shelf(client, name)
        found = Recovered(self._folder, shelf, noted, size, earlier, waiting, bool(self._journal.damaged), self._say)
        return found.run(self._index)
