"""The store: a server's folder. A version of a file is in it whole, durable and in its place, or not at all.

    Backups/<client>/<name>                the newest version of each file, readable as it is
    Versions/<client>/<name>/<version>     earlier versions that are kept
    Quarantine/<client>/<name>/<version>   contents that were found damaged; nothing touches them any more
    Incoming/                              files that are still arriving
    journal.jsonl                          what is stored, with digests (journal.py)
    epoch-<number>                         the last life of the manager that this server knows of
    lock                                   held while a server uses the folder

To store: write a new file in Incoming, check length and digest, sync it, note it in the journal and sync that, move the version
that has the name to Versions and sync that folder, rename the new one to the name, sync the folder. Only then is it acknowledged.
In which order and what if the disk refuses is in changes.py, how things move in shelf.py, what is done at the start, after
whatever happened before, in recovery.py.

The wall clock decides one thing: a tombstone older than `tombstone_s` is forgotten, when the journal is begun anew. By then every
server that holds a copy of what was deleted must have been there once.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ..errors import NoSuchFile, StorageError
from ..names import check_client, check_name
from ..records import LIFE_BITS, FileRecord, file_key
from ..world.base import Reader, World
from .changes import Changes
from .epoch import Epoch
from .folder import Folder, digest
from .incoming import Incoming
from .index import Index
from .journal import Entry, Journal
from .recovery import Recovery
from .room import Room
from .shelf import Shelf

__all__ = ["TOMBSTONE_S", "Incoming", "Store"]

TOMBSTONE_S = 30 * 86400.0  # longer than a student's server stays away over the holidays
_GROWN, _GROWN_LINES = 4, 1000  # a journal of more than 4 lines for each that it needs, and these, is begun anew


def _next_life(world: World) -> int:
    """The number before the first report of a life, chosen at random: what the manager may still hear of an earlier life it knows
    by it (`records.life`)."""
    return int.from_bytes(world.nonce(3), "big") << LIFE_BITS


class Store:
    """Keeps files safe in one folder. Open it once; its methods may be called from several tasks."""

    def __init__(
        self,
        world: World,
        folder: str,
        *,
        quota_bytes: int | None = None,
        tombstone_s: float = TOMBSTONE_S,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.folder = folder
        self.quota_bytes = quota_bytes
        self._world, self._disk, self._say = world, world.disk, say
        self._tombstone_s = tombstone_s
        self._lock = world.tasks.lock()  # guards everything below, and the order of the journal
        self._journal = Journal(world, folder)
        self._report = _next_life(world)  # a report of an earlier life may arrive after this one has begun
        self.place = Folder(world.disk, folder)
        self._index = Index(self.place)
        self._room = Room(world.disk, folder, quota_bytes, self._index, self._lock)
        self._changes = Changes(world.disk, self.place, self._journal, self._index, say)
        self._epoch = Epoch(world.disk, folder)
        self._held = self._disk.lock(f"{folder}/lock")
        try:
            self._changes.settled = self._recover()
        except BaseException:
            self._journal.close()
            self._held.close()
            raise

    def _recover(self) -> bool:
        """Find out what is stored, and put in order what a crash has left; whether that is all noted."""
        now = self._world.clock.wall()
        return Recovery(self.place, self._journal, self._index, self._say, now, self._tombstone_s).run()

    # ---- what is stored

    def report(self) -> tuple[int, int]:
        """The report's rising number, and the bytes stored at that moment."""
        with self._lock:
            self._report += 1
            return self._report, self._index.stored_bytes

    def report_on(self, files: list[FileRecord]) -> tuple[tuple[int, int], list[FileRecord], list[FileRecord]]:
        """A report, and which of these versions are stored and which are not at that very moment: told with its number, they
        are right however many tasks store and remove."""
        with self._lock:
            self._report += 1
            there = [self._index.shelf(file.client, file.name).versions.get(file.version) for file in files]
            removed = [file for file, found in zip(files, there, strict=True) if found is None]
            return (self._report, self._index.stored_bytes), [file for file in there if file is not None], removed

    def files(self) -> list[FileRecord]:
        """Every kept version of every file, by client, name and version."""
        with self._lock:
            return list(self._index)

    def inventory(self) -> tuple[int, int, list[FileRecord]]:
        """The report's number, the bytes stored, and every kept version and tombstone, all of one moment."""
        with self._lock:
            self._report += 1
            return self._report, self._index.stored_bytes, [*self._index, *self._index.tombstones()]

    def get(self, client: str, name: str, version: int | None = None) -> FileRecord:
        """A version of a file, the newest unless one is asked for. Errors: NoSuchFile."""
        with self._lock:
            return self._index.get(client, name, version)

    def open(self, client: str, name: str, version: int | None = None) -> tuple[FileRecord, Reader]:
        """A stored version, and a reader of just those contents, whatever replaces them meanwhile."""
        with self._lock:
            file = self._index.get(client, name, version)
            return file, self._disk.open(self._index.shelf(client, name).path_of(file.version))

    def verify(
        self, client: str, name: str, version: int | None = None, progress: Callable[[int], object] = lambda done: None
    ) -> tuple[FileRecord, str]:
        """Read a stored version and return its record and the digest that its contents have now."""
        file, reader = self.open(client, name, version)
        try:
            return file, digest(reader, progress)
        finally:
            reader.close()

    # ---- storing

    def begin(
        self,
        client: str,
        name: str,
        size: int,
        version: int = 0,
        *,
        wanted: int = 0,
        saved: float = 0.0,
        keep: int | None = None,
    ) -> Incoming:
        """Make room for a version that is about to arrive; size -1 is "not known before", version 0 the next one, and `keep`
        is how many versions of the file stay, None for all. `wanted` and `saved` go into its record.

        Errors, all with no effect: NameRefused, NameCollision, QuotaExceeded, DiskFull.
        """
        client, name = check_client(client), check_name(name)
        frees = self._frees(client, name, version, keep)
        announced = self._room.announce(file_key(client, name), max(0, size), max(0, size - frees))
        file = FileRecord(client, name, size, "", version, wanted=wanted, saved=saved)
        try:
            return Incoming(self._world, self.place, self._room, self.commit, file, keep, frees, announced)
        except BaseException:
            self._room.arrived(announced)
            raise

    def _frees(self, client: str, name: str, version: int, keep: int | None) -> int:
        """How many bytes make way for such a version."""
        with self._lock:
            self._index.check(client, name)
            shelf = self._index.shelf(client, name)
            _, gone = shelf.kept_with(version or self._index.above(client, name), keep)
            same = shelf.versions.get(version)
            return sum(file.size for file in gone) + (same.size if same else 0)

    def commit(self, file: FileRecord, incoming: str, keep: int | None) -> tuple[FileRecord, list[FileRecord]]:
        """Give a synced file in Incoming its place. Returns what is stored now (the newest, where `keep` newer ones left no
        place for it), and the versions that made way. Errors: NoSuchFile when it was deleted meanwhile, and the disk's."""
        with self._lock:
            self._changes.finish()
            self._index.check(file.client, file.name)
            shelf = self._index.shelf(file.client, file.name)
            if not file.version:
                file = replace(file, version=self._index.above(file.client, file.name))
            tombstone = self._index.tombstone(file.client, file.name)
            if tombstone is not None and file.version <= tombstone.version:
                raise NoSuchFile(f"{shelf.key} was deleted while it was sent: it is not stored")
            there = shelf.versions.get(file.version)
            promised = (shelf.key, file.version) not in self._changes.unpromised
            if there is not None and there.digest == file.digest and promised:
                return there, []
            kept, gone = shelf.kept_with(file.version, keep)
            if file.version not in kept:
                return self._index.get(file.client, file.name), []
            line = Entry(file, incoming, kept=[version for version in kept if version != file.version])
            self._put(shelf, line, gone)
            self._begin_journal_anew()
            return file, gone

    def overwritten(self, file: FileRecord) -> list[FileRecord]:
        """What had the name of a version whose `commit` failed at the very end, and was not to stay: no more than one."""
        with self._lock:
            return self._changes.unpromised.get((file_key(file.client, file.name), file.version), [])

    # ---- removing

    def delete(self, client: str, name: str, version: int = 0) -> tuple[FileRecord, list[FileRecord]]:
        """Remove every version up to this one for good, 0 for all: returns the file's tombstone, and what was removed.

        With a `version` the tombstone is kept also where no copy is, so that one on its way here is not stored; later versions
        stay. Without one a file must be there. It holds once it is noted: what cannot be removed from the disk then is
        removed at the next start. Errors: NoSuchFile.
        """
        with self._lock:
            self._changes.finish()
            shelf, known = self._index.shelf(client, name), self._index.tombstone(client, name)
            if not version and not shelf.versions:
                raise NoSuchFile(f"{shelf.key!r} is not stored here")
            version = version or self._index.above(client, name)
            gone = [shelf.versions[each] for each in sorted(shelf.versions) if each <= version]
            if known is not None and known.version >= version and not gone:
                return known, []
            tombstone = FileRecord(client, name, 0, "", version, deleted=True, saved=self._world.clock.wall())
            kept = [each for each in sorted(shelf.versions) if each > version]
            self._let_go(shelf, Entry(tombstone, removed=gone[-1] if gone else None, kept=kept), gone)
            self._index.bury(tombstone)
            self._begin_journal_anew()
            return tombstone, gone

    def drop(self, client: str, name: str, version: int) -> FileRecord | None:
        """Remove one version that is not needed here any more, without a tombstone; None if it is not here."""
        with self._lock:
            self._changes.finish()
            shelf = self._index.shelf(client, name)
            file = shelf.versions.get(version)
            if file is not None:
                self._let_go(shelf, Entry(file, removed=file, kept=shelf.others(version), gone=True), [file])
                self._begin_journal_anew()
            return file

    def quarantine(self, file: FileRecord) -> bool:
        """Move the damaged contents of a version away: it no longer counts, and nothing touches them any more. `file` is the
        record that `verify` gave: False if that is not here any more, though the same version may have been stored anew."""
        with self._lock:
            self._changes.finish()
            shelf, version = self._index.shelf(file.client, file.name), file.version
            there = shelf.versions.get(version)
            if there is not file:
                return False
            name = shelf.quarantine_name(version)
            line = Entry(there, removed=there, kept=shelf.others(version), gone=True, quarantine=name)
            self._changes.put_aside(shelf, line)
            self._begin_journal_anew()
            return True

    # ---- changes, which a store of a student's own makes otherwise (own_store.py)

    def _put(self, shelf: Shelf, line: Entry, gone: list[FileRecord]) -> None:
        self._changes.put(shelf, line, gone)

    def _let_go(self, shelf: Shelf, line: Entry, gone: list[FileRecord]) -> None:
        self._changes.let_go(shelf, line, gone)

    # ---- the journal

    def _begin_journal_anew(self) -> None:
        """Once the journal has grown far beyond what it describes, so that the work for a line stays the same in the mean."""
        if self._changes.finished and self._journal.lines > _GROWN * len(self._index) + _GROWN_LINES:
            self._index.forget_tombstones(self._world.clock.wall() - self._tombstone_s)
            try:
                self._journal.rewrite(self._index.lines())
            except StorageError as error:
                self._journal.lines = 0  # try again when it has grown as much again
                self._say(f"the journal could not be begun anew: {error}")

    # ---- the epoch

    @property
    def epoch(self) -> int:
        """The highest epoch that a manager has told this server (see Manager.join_epoch); 0 before the first."""
        return self._epoch.known

    def keep_epoch(self, epoch: int) -> None:
        """Note an epoch, durably, if it is higher than the one known."""
        with self._lock:
            self._epoch.keep(epoch)

    def close(self) -> None:
        with self._lock:
            self._changes.close()
            self._journal.close()
            self._held.close()
