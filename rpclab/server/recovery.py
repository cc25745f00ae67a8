"""Recovery: what a store does when it starts. The journal says what should lie in the folder, the disk says what does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..errors import RpclabError
from ..names import check_client, check_name
from ..records import FileRecord, file_key
from ..world.base import walk
from .folder import Folder
from .index import Index
from .journal import Entry, Journal

__all__ = ["Recovery"]


class Recovery:
    """Finishes what was begun, removes what was not, takes in what people put there, and fills the index."""

    def __init__(self, folder: Folder, journal: Journal, index: Index, say: Callable[[str], None]) -> None:
        self._folder, self._disk, self._journal, self._index, self._say = folder, folder.disk, journal, index, say

    def run(self) -> None:
        """Bring journal, disk and index to agree. Errors: StorageError, when the disk does not allow it."""
        history: dict[tuple[str, str], list[Entry]] = {}
        entries = self._journal.read()
        for entry in entries:
            history.setdefault((entry.file.client, entry.file.name), []).append(entry)
        waiting = {entry.name for entry in self._disk.list(self._folder.incoming)}
        lying = dict(walk(self._disk, self._folder.backups))
        for noted in history.values():
            self._finish(noted[-1], waiting, lying)
            self._remember_tombstone(noted)
        for name in sorted(waiting):
            self._folder.forget(self._folder.waiting(name))
        finished = any(noted[-1].removed is not None for noted in history.values())  # to be noted: never do it again
        changed, disowned = self._match_disk(history)
        # tombstones first: what the journal notes before one is taken for deleted
        kept = [*self._index.tombstones(), *self._index, *disowned]
        if changed or finished or self._journal.damaged or len(entries) > 2 * len(kept) + 64:
            self._journal.rewrite(kept)

    def _finish(self, entry: Entry, waiting: set[str], lying: Mapping[str, int]) -> None:
        """Do what the journal says was begun: the last rename or removal of one file."""
        path = self._folder.path_of(entry.file)
        if entry.removed is not None:
            same_size = lying.get(file_key(entry.file.client, entry.file.name)) == entry.removed.size
            if same_size and self._folder.digest(path) == entry.removed.digest:  # else it was put there by hand since
                self._folder.forget(path)
        elif entry.incoming in waiting:
            waiting.remove(entry.incoming)
            folder = path.rpartition("/")[0]
            self._disk.make_folder(folder)
            self._folder.give_name(entry.incoming, path)
            self._disk.sync_folder(folder)

    def _match_disk(self, history: dict[tuple[str, str], list[Entry]]) -> tuple[bool, list[FileRecord]]:
        """Fill the index with what lies on the disk. Returns whether the journal said otherwise, and what it says of files
        that somebody changed: it must go on saying so, or they would be taken in as new at the next start."""
        changed = False
        disowned: list[FileRecord] = []
        for path, size in walk(self._disk, self._folder.backups):
            client, _, name = path.partition("/")
            if not name:
                continue  # a file beside the clients' folders is none of ours
            noted = _stored_last(history.pop((client, name), []))
            file = self._recognise(client, name, size, noted)
            changed |= not noted or file is not noted[-1]
            if file is not None:
                self._index.put(file)
            elif noted:
                disowned.append(noted[-1])
        missing = [entries[-1].file for entries in history.values() if entries[-1].stored]
        for file in missing:
            self._say(f"{file_key(file.client, file.name)} should be stored here but is gone from the disk")
        return changed or bool(missing), disowned

    def _recognise(self, client: str, name: str, size: int, noted: list[FileRecord]) -> FileRecord | None:
        """Which of the versions in the journal this file is: by its size, and by its digest where that leaves a doubt."""
        path = f"{self._folder.backups}/{client}/{name}"
        fitting = [file for file in noted if file.size == size]
        if len({file.digest for file in fitting}) == 1 and fitting[-1] is noted[-1]:
            return fitting[-1]
        try:
            check_client(client), check_name(name)
            self._index.find(client, name)
            digest = self._folder.digest(path)
        except RpclabError as error:
            self._say(f"left alone: {path}: {error}")
            return None
        for file in reversed(fitting):
            if file.digest == digest:
                return file
        if noted and not self._journal.damaged:  # a damaged line may have been this very version's
            self._say(
                f"{path} is none of the versions that were stored: somebody changed it, it no longer counts as a copy"
            )
            return None
        self._say(f"found and taken in: {path}")
        before = [*noted, *filter(None, [self._index.newest(client, name)])]
        return FileRecord(client, name, size, digest, 1 + max((file.version for file in before), default=0))

    def _remember_tombstone(self, noted: Sequence[Entry]) -> None:
        tombstones = [entry.file for entry in noted if entry.file.deleted]
        if tombstones:
            self._index.put(max(tombstones, key=lambda file: file.version))


def _stored_last(entries: Sequence[Entry]) -> list[FileRecord]:
    """The versions that the journal notes since the file was last deleted."""
    deleted = max((place for place, entry in enumerate(entries) if entry.file.deleted), default=-1)
    return [entry.file for entry in entries[deleted + 1 :] if entry.stored]
