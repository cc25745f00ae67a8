"""Changes of what a store holds: a line in the journal, which is durable first, then what it says is done on the disk.

What cannot be noted does not happen: things go back to where they were. What is noted and the disk refuses to do is tried again
before the next change, and at the next start (recovery.py).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from ..errors import RpclabError, StorageError
from ..records import FileRecord
from ..world.base import Disk
from .folder import Folder
from .index import Index
from .journal import SETTLED, Entry, Journal
from .shelf import Shelf

__all__ = ["Changes"]


class Changes:
    """Carries the changes of one store out. Not locked: its store does that."""

    def __init__(self, disk: Disk, place: Folder, journal: Journal, index: Index, say: Callable[[str], None]) -> None:
        self._disk, self._place, self._journal, self._index, self._say = disk, place, journal, index, say
        self.settled = True
        """Whether every acknowledged change reached the disk for certain."""
        self.unpromised: dict[tuple[str, int], list[FileRecord]] = {}
        """Versions that have their name, though its sync failed, by their file's key; and what had that name until then,
        where it was not to stay."""
        self._unfinished: list[Callable[[], None]] = []

    @property
    def finished(self) -> bool:
        """Whether the disk holds what the journal says, for certain."""
        return self.settled and not self._unfinished

    def put(self, shelf: Shelf, line: Entry, gone: list[FileRecord]) -> None:
        """Note a version in the journal, then let it take its place; when that fails, everything goes back."""
        file, replaced = line.file, shelf.plain
        try:
            self._journal.append(line)
            folder = shelf.take_in(file.version, line.incoming, line.kept)
        except RpclabError:
            self._take_back(shelf, line)
            raise
        if replaced not in line.kept and replaced is not None and shelf.plain == file.version:
            self._index.remove(shelf, replaced)
        self._index.add(shelf, file)
        try:
            self._disk.sync_folder(folder)
        except StorageError:  # for a version without a promise nothing makes way, but what had its name
            self.settled = False
            self.unpromised[shelf.key, file.version] = [each for each in gone if each.version not in shelf.versions]
            with suppress(StorageError):
                self._journal.append(replace(line, kept=shelf.others(file.version)))
            raise
        self.unpromised.pop((shelf.key, file.version), None)
        self._clear(shelf, [each for each in gone if each.version in shelf.versions])

    def _take_back(self, shelf: Shelf, line: Entry) -> None:
        """Say what holds instead of a line that could not be carried out, and put things back as they were."""
        before = shelf.versions.get(line.file.version)
        others = shelf.others(line.file.version)
        undone = Entry(line.file, void=True, kept=others) if before is None else Entry(before, kept=others)
        if line.file.deleted:
            undone = Entry(line.file, void=True, kept=sorted(shelf.versions))
        try:
            self._journal.append(undone)
        except StorageError:
            self.settled = False  # the line may be there: the next start has to look whether it was carried out
        self._attempt(shelf, shelf.raise_newest)  # where that fails it is read where it is

    def put_aside(self, shelf: Shelf, line: Entry) -> None:
        """Note that a version is damaged, then move its contents away; when that fails, everything goes back."""
        version = line.file.version
        try:
            self._journal.append(line)
            shelf.quarantine(version, line.quarantine)
        except RpclabError:
            self._take_back(shelf, line)
            raise
        self._index.remove(shelf, version)
        if self._attempt(shelf, lambda: shelf.after_quarantine(version)):
            self._note_done(shelf, line)

    def let_go(self, shelf: Shelf, line: Entry, gone: list[FileRecord]) -> None:
        """Note that versions are to go, then remove them."""
        try:
            self._journal.append(line)
        except RpclabError:
            self._take_back(shelf, line)
            raise
        if self._clear(shelf, gone):
            self._note_done(shelf, line)

    def _clear(self, shelf: Shelf, gone: list[FileRecord]) -> bool:
        """Remove versions that no longer count; whether all of that is done."""
        paths = [shelf.path_of(file.version) for file in gone]
        for file in gone:
            self._index.remove(shelf, file.version)
        return all([self._attempt(shelf, partial(self._remove, shelf.client, shelf.name, path)) for path in paths])

    def _remove(self, client: str, name: str, path: str) -> None:
        shelf = self._index.shelf(client, name)
        if path == self._place.plain(client, name):
            shelf.raise_newest()
        if all(shelf.path_of(version) != path for version in shelf.versions):
            self._place.remove(path)

    def _attempt(self, shelf: Shelf, work: Callable[[], None]) -> bool:
        """Do what is noted already; where the disk refuses it is tried again before the next change, and at the next start."""
        try:
            work()
        except StorageError as error:
            self._unfinished.append(work)
            self._say(f"{shelf.key} is not in order yet, this is tried again: {error}")
            return False
        return True

    def finish(self) -> None:
        """Try again what the disk refused."""
        unfinished, self._unfinished = self._unfinished, []
        for work in unfinished:
            try:
                work()
            except StorageError:
                self._unfinished.append(work)

    def _note_done(self, shelf: Shelf, line: Entry) -> None:
        """Note that what lay under the plain name is gone: what is put there by hand from now on stays."""

        def note() -> None:
            if not self._index.shelf(shelf.client, shelf.name).versions:
                self._journal.append(replace(line, removed=None))

        if line.removed is not None:
            self._attempt(shelf, note)

    def close(self) -> None:
        """Note that everything above was carried out, if it was."""
        if self.finished and self._journal.unsettled:
            with suppress(StorageError):  # without it the next start looks closer
                self._journal.append(SETTLED)
