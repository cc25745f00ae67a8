"""One file's versions, recovered: which of them lies where is found out, then they are brought to where they belong."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from ..errors import RpclabError
from ..records import FileRecord
from .folder import Folder, parent
from .index import Index
from .journal import Entry
from .shelf import Shelf

__all__ = ["Recovered"]


class Recovered:
    """What the journal notes of one file, beside what lies on the disk: `size` bytes under the plain name (None: nothing),
    `earlier` versions with their sizes in Versions, and what is `waiting` in Incoming.

    What the name of a place says is believed: only under the plain name can one of several versions lie. Which one it is, is
    told by its size, and by its digest where that leaves a doubt.
    """

    def __init__(
        self,
        folder: Folder,
        shelf: Shelf,
        noted: list[Entry],
        size: int | None,
        earlier: dict[int, int],
        waiting: set[str],
        damaged: bool,
        say: Callable[[str], None],
    ) -> None:
        self._folder, self._shelf, self._say = folder, shelf, say
        self._size, self._earlier, self._waiting, self._damaged = size, earlier, waiting, damaged
        self._path = folder.plain(shelf.client, shelf.name)
        self._noted = noted
        self._changed = False
        self._rotten = 0  # the version whose contents were found damaged under the plain name
        self._lines = self._carried_out()
        self._last = self._lines[-1] if self._lines else None
        self._due = self._records(self._lines)

    # ---- what should be there

    def _carried_out(self) -> list[Entry]:
        """The lines up to the last that can be carried out: a version whose contents are nowhere was never acknowledged, what was
        there before it still counts."""
        lines = list(self._noted)
        while lines and lines[-1].incoming and not self._is_anywhere(lines[-1]):
            lines.pop()
            self._changed = True
        return lines

    def _is_anywhere(self, line: Entry) -> bool:
        file = line.file
        if line.incoming in self._waiting or self._earlier.get(file.version) == file.size:
            return True
        if self._size != file.size:
            return False
        alike = {entry.file.digest for entry in self._noted if entry.stored and entry.file.size == file.size}
        return len(alike) == 1 or self._digest == file.digest

    def _records(self, lines: list[Entry]) -> dict[int, FileRecord]:
        """The versions that should be there after these lines."""
        known = {entry.file.version: entry.file for entry in lines if entry.stored}
        due = lines[-1].versions if lines else set()
        records = {version: known[version] for version in sorted(due) if version in known}
        for version in sorted(due - known.keys() & self._earlier.keys()):  # its line is damaged
            path = self._folder.earlier(self._shelf.client, self._shelf.name, version)
            digest, size = self._folder.digest(path), self._earlier[version]
            records[version] = FileRecord(self._shelf.client, self._shelf.name, size, digest, version)
            self._say(f"found and taken in: {path}")
        return records

    @cached_property
    def _digest(self) -> str:
        """What lies under the plain name has this digest; "" if it cannot be read."""
        try:
            return self._folder.digest(self._path)
        except RpclabError as error:
            self._say(f"cannot read {self._path}: {error}")
            return ""

    def _is_aside(self, version: int) -> bool:
        return self._earlier.get(version) == self._due[version].size

    # ---- what lies under the plain name

    def _find_plain(self) -> FileRecord | None:
        """Which version lies under the plain name; None if it is none of those that should be there."""
        fitting = [file for _, file in sorted(self._due.items(), reverse=True) if file.size == self._size]
        newest = max(self._due, default=0)
        last = self._last
        if last is None or not fitting:
            return None
        alike = [entry.file.digest for entry in self._noted if entry.stored and entry.file.size == self._size]
        sure = not last.unsettled and all(self._is_aside(version) for version in self._due if version != newest)
        foreign = any(entry.foreign for entry in self._noted)
        if fitting[0].version == newest and not last.quarantine and not foreign and (sure or len(set(alike)) == 1):
            return fitting[0]
        return next((file for file in fitting if file.digest == self._digest), None)

    def _is_leftover(self) -> bool:
        """Whether what lies under the plain name was to go when the server stopped, or had made way for that before, and a power
        cut brought its name back. Quarantined contents were damaged: they are known by not being anything else."""
        last = self._last
        if self._size is None or last is None or last.removed is None:
            return False
        if not last.quarantine:
            gone = [entry.file for entry in self._noted if entry.stored and entry.file.version not in self._due]
            return any(file.size == self._size and file.digest == self._digest for file in [last.removed, *gone])
        if last.file.version in self._earlier:
            return False
        there = self._shelf.quarantined(last.quarantine)
        return there is None or self._folder.digest(there) == self._digest

    # ---- bringing it into order

    def run(self, index: Index) -> bool:
        """Do so, and fill the index. Returns whether the journal no longer says how things are."""
        shelf = self._shelf
        self._sync(self._folder.earlier(shelf.client, shelf.name, 0))
        incoming = {
            entry.file.version: entry.incoming
            for entry in self._lines
            if entry.incoming in self._waiting and self._due.get(entry.file.version) == entry.file
        }
        arriving = max(incoming, default=-1) >= max(self._due, default=0)
        dispensable = arriving and all(self._is_aside(version) for version in self._due if version not in incoming)
        plain = None if self._size is None or dispensable else self._find_plain()
        if plain is not None:
            shelf.plain = plain.version
        elif self._size is not None and not dispensable:
            self._look_at_stranger(index)
        here = [
            version for version in self._due if version == shelf.plain or version in incoming or self._is_aside(version)
        ]
        self._miss(here)
        self._take_in(incoming, here)
        for version in here:
            index.add(shelf, self._due[version])
        self._put_in_order(set(here))
        self._sync(self._path)
        return self._changed or (self._last is not None and self._last.removed is not None)

    def _sync(self, path: str) -> None:
        """What a node that was killed had renamed or removed may not have reached the disk, though it shows: it must before
        anything else is done there, or acknowledged."""
        if self._noted and self._noted[-1].unsettled:
            self._folder.tidy(parent(path))

    def _take_in(self, incoming: dict[int, str], here: list[int]) -> None:
        """Finish the renames of what waits, the oldest first."""
        placed = {version for version in here if version not in incoming}
        for version in sorted(incoming):
            if self._shelf.plain is not None and self._is_aside(self._shelf.plain):
                self._shelf.plain = None  # it is there twice: this one makes way
            self._folder.disk.sync_folder(self._shelf.take_in(version, incoming[version], placed))
            placed.add(version)

    def _put_in_order(self, here: set[int]) -> None:
        shelf = self._shelf
        newest = shelf.newest
        if newest is not None and shelf.plain is not None and shelf.plain != newest.version:
            if self._earlier.get(shelf.plain) == shelf.versions[shelf.plain].size:
                shelf.plain = None  # it is there twice
            else:
                shelf.set_aside()
            self._changed = True
        if newest is not None and shelf.plain is None and shelf.foreign is None:
            shelf.raise_newest()
            self._earlier.pop(newest.version, None)
            self._changed = True
        for version in sorted(self._earlier):
            if version not in here or version == shelf.plain:
                self._put_away(version)

    def _put_away(self, version: int) -> None:
        """What lies in Versions and is not kept: it was to go, or nobody knows it."""
        path = self._folder.earlier(self._shelf.client, self._shelf.name, version)
        about = [entry for entry in self._noted if entry.file.version == version and not entry.file.deleted]
        if version in self._due and version != self._shelf.plain:
            self._say(f"{path} was changed by somebody: it no longer counts as a copy")
        elif about and about[-1].quarantine and self._shelf.quarantined(about[-1].quarantine) is None:
            self._move_to_quarantine(path, about[-1])
        elif about or any(entry.file.deleted and version <= entry.file.version for entry in self._noted):
            # also one whose own line is gone: it was deleted, and a power cut brought its name back
            self._folder.remove(path)
        else:
            self._say(f"left alone: {path} is no version that was stored")

    def _move_to_quarantine(self, path: str, line: Entry) -> None:
        self._shelf.quarantine(line.file.version, line.quarantine)
        self._shelf.after_quarantine(line.file.version)

    def _look_at_stranger(self, index: Index) -> None:
        """What lies under the plain name is no version that should be there."""
        shelf, last = self._shelf, self._last
        if last is not None and self._is_leftover():
            if last.quarantine and shelf.quarantined(last.quarantine) is None:
                shelf.plain = last.file.version
                self._move_to_quarantine(self._path, last)
            elif not self._due:
                self._folder.remove(self._path)
            return
        expected = self._records(self._noted) or self._due
        rotten = [file.version for file in expected.values() if file.size == self._size]
        if rotten:
            self._quarantine_rotten(max(rotten))
            return
        if expected and not self._damaged:  # else a damaged line may have been this very version's
            self._say(
                f"{self._path} is none of the versions that were stored: somebody changed it, it no longer counts as a copy"
            )
            shelf.foreign = expected[max(expected)]
            index.keep(shelf)
            self._changed = True
            return
        version = max([index.above(shelf.client, shelf.name), *(version + 1 for version in self._earlier)])
        version = max([version, *(entry.file.version + 1 for entry in self._noted)])
        self._say(f"found and taken in: {self._path}")
        assert self._size is not None
        self._due[version] = FileRecord(shelf.client, shelf.name, self._size, self._digest, version)
        shelf.plain, self._changed = version, True

    def _quarantine_rotten(self, version: int) -> None:
        """What lies under the plain name has a version's length and other contents: it no longer counts, as if found later."""
        self._say(f"{self._path} is damaged: it was put into Quarantine and no longer counts as a copy")
        self._shelf.plain = self._rotten = version
        self._shelf.quarantine(version, self._shelf.quarantine_name(version))
        self._shelf.after_quarantine(version)
        self._changed = True

    def _miss(self, here: list[int]) -> None:
        """Say which versions are gone; the one that somebody changed is still there."""
        expected = {*self._due, *(self._noted[-1].versions if self._noted else ())}
        foreign = self._shelf.foreign.version if self._shelf.foreign is not None else 0
        for version in sorted(expected.difference(here, [foreign, self._rotten])):
            self._say(f"version {version} of {self._shelf.key} should be stored here but is gone from the disk")
            self._changed = True
