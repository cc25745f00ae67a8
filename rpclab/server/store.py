"""The store: a server's folder. A file is in it whole, durable and under its name, or not at all.

    Backups/<client>/<name>   the stored files, readable as they are
    Incoming/                 files that are still arriving
    journal.jsonl             what is stored, with digests (journal.py)
    lock                      held while a server uses the folder

To store: write a new file in Incoming, check length and digest, sync it, note it in the journal and sync that, rename it over its
name, sync the folder. Only then is it acknowledged. What is done at the start, after whatever happened before, is in recovery.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec.structs import replace

from ..errors import DigestMismatch, DiskFull, NoSuchFile, QuotaExceeded, RpclabError, StorageError
from ..names import check_client, check_name
from ..records import FileRecord, file_key
from ..world.base import Reader, World
from .folder import Folder, digest
from .index import Index
from .journal import Entry, Journal
from .recovery import Recovery

__all__ = ["Incoming", "Store"]

_SPARE_BYTES = 1 << 20  # left free on the disk for the journal and the event log


class Store:
    """Keeps files safe in one folder. Open it once; its methods may be called from several tasks."""

    def __init__(
        self,
        world: World,
        folder: str,
        *,
        quota_bytes: int | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.folder = folder
        self.quota_bytes = quota_bytes
        self._world, self._disk, self._say = world, world.disk, say
        self._lock = world.tasks.lock()  # guards everything below, and the order of the journal
        self._index = Index()
        self._journal = Journal(world, folder)
        self._arriving = 0  # bytes announced and not yet stored
        self._report = 0
        self.place = Folder(world.disk, folder)
        self._held = self._disk.lock(f"{folder}/lock")
        try:
            Recovery(self.place, self._journal, self._index, say).run()
        except BaseException:
            self.close()
            raise

    # ---- what is stored

    def report(self) -> tuple[int, int]:
        """The report's rising number, and the bytes stored at that moment."""
        with self._lock:
            self._report += 1
            return self._report, self._index.stored_bytes

    def files(self) -> list[FileRecord]:
        with self._lock:
            return list(self._index)

    def inventory(self) -> tuple[int, int, list[FileRecord]]:
        """The report's number, the bytes stored, and every file and tombstone, all of one moment."""
        with self._lock:
            self._report += 1
            return self._report, self._index.stored_bytes, [*self._index, *self._index.tombstones()]

    def get(self, client: str, name: str) -> FileRecord:
        """Errors: NoSuchFile."""
        with self._lock:
            return self._index.get(client, name)

    def open(self, client: str, name: str) -> tuple[FileRecord, Reader]:
        """A stored file, and a reader of just those contents, whatever replaces them meanwhile."""
        with self._lock:
            file = self._index.get(client, name)
            return file, self._disk.open(self.place.path_of(file))

    def verify(self, client: str, name: str) -> tuple[FileRecord, str]:
        """Read a stored file and return its record and the digest that its contents have now."""
        file, reader = self.open(client, name)
        try:
            return file, digest(reader)
        finally:
            reader.close()

    # ---- storing

    def begin(self, client: str, name: str, size: int, version: int = 0) -> Incoming:
        """Make room for a file that is about to arrive; size -1 is "not known before".

        Errors, all with no effect: NameRefused, NameCollision, QuotaExceeded, DiskFull.
        """
        client, name = check_client(client), check_name(name)
        kept = self.announce(client, name, max(0, size))
        try:
            return Incoming(self, self._world, client, name, size, version, kept)
        except BaseException:
            self.arrived(kept)
            raise

    def announce(self, client: str, name: str, size: int) -> int:
        """Keep room for so many bytes of a file, less what it replaces; `arrived` gives free again what this returns."""
        with self._lock:
            old = self._index.find(client, name)
            added = max(0, size - old.size) if old else size
            if size:
                self._check_room(size, added, file_key(client, name))
            self._arriving += added
            return added

    def _check_room(self, size: int, added: int, file: str) -> None:
        after = self._index.stored_bytes + self._arriving + added
        if self.quota_bytes is not None and after > self.quota_bytes:
            raise QuotaExceeded(
                f"no room for {file} ({size:,} bytes): {self._index.stored_bytes:,} bytes are stored, "
                f"{self._arriving:,} are arriving, the quota is {self.quota_bytes:,}"
            )
        free = self._disk.free_bytes(self.folder) - _SPARE_BYTES - self._arriving
        if size > free:
            raise DiskFull(f"no room for {file} ({size:,} bytes): the disk has {max(0, free):,} bytes free")

    def arrived(self, size: int) -> None:
        """An announced file has come or never will: its room is free again."""
        with self._lock:
            self._arriving -= size

    def commit(self, file: FileRecord, incoming: str) -> FileRecord:
        """Give a synced file in Incoming its name. Returns the file that now has the name: a newer version stays. Errors:
        NoSuchFile when it was deleted meanwhile, and what the disk raises."""
        with self._lock:
            old = self._index.find(file.client, file.name)
            newest = self._index.newest(file.client, file.name)
            if not file.version:
                file = replace(file, version=newest.version + 1 if newest else 1)
            if newest is not None and newest.version > file.version:
                if newest.deleted:
                    raise NoSuchFile(
                        f"{file_key(file.client, file.name)} was deleted while it was sent: it is not stored"
                    )
                return newest
            self._place(file, incoming, old)
            return file

    def _place(self, file: FileRecord, incoming: str, old: FileRecord | None) -> None:
        """Note the file in the journal, then let it take its name; when that fails, note that it has not."""
        path = self.place.path_of(file)
        folder = path.rpartition("/")[0]
        self._disk.make_folder(folder)
        try:
            self._journal.append(Entry(file, incoming))
            self.place.give_name(incoming, path)
        except RpclabError:
            self._journal.append(Entry(old) if old else Entry(file, void=True))
            raise
        self._index.put(file)
        self._disk.sync_folder(folder)

    def delete(self, client: str, name: str, version: int = 0) -> tuple[FileRecord, FileRecord | None]:
        """Remove a file for good: returns its tombstone, and the file if there was one.

        With a `version` the tombstone is kept also where no copy is, so that one on its way here is not stored; a file that
        is newer stays. Without one a file must be there. Errors: NoSuchFile.
        """
        with self._lock:
            file, newest = self._index.held(client, name), self._index.newest(client, name)
            if file is None and not version:
                raise NoSuchFile(f"{file_key(client, name)!r} is not stored here")
            tombstone = FileRecord(client, name, 0, "", version or (newest.version + 1 if newest else 0), deleted=True)
            if file is not None and file.version > tombstone.version:
                raise NoSuchFile(f"{file_key(client, name)!r} was stored anew here since it was to be deleted")
            self._journal.append(Entry(tombstone, removed=file))
            self._index.put(tombstone)
            if file is not None:
                path = self.place.path_of(file)
                self.place.forget(path)
                self._index.drop(client, name)
                self.place.tidy(path.rpartition("/")[0])
                with suppress(StorageError):  # done: what is put there by hand from now on stays
                    self._journal.append(Entry(tombstone))
            return tombstone, file

    # ---- the epoch

    @property
    def epoch(self) -> int:
        """The highest epoch that a manager has told this server (see Manager.join_epoch); 0 before the first."""
        try:
            reader = self._disk.open(f"{self.folder}/epoch")
        except NoSuchFile:
            return 0
        try:
            text = bytearray(reader.size)
            reader.read_into(memoryview(text))
        finally:
            reader.close()
        return int(text) if text.isdigit() else 0

    def keep_epoch(self, epoch: int) -> None:
        """Note an epoch, durably, if it is higher than the one known."""
        with self._lock:
            if epoch > self.epoch:
                fresh = f"{self.folder}/epoch.new"
                self.place.forget(fresh)
                writer = self._disk.create(fresh)
                try:
                    writer.write([str(epoch).encode()])
                    writer.sync()
                finally:
                    writer.close()
                self._disk.rename(fresh, f"{self.folder}/epoch")
                self._disk.sync_folder(self.folder)

    def close(self) -> None:
        with self._lock:
            self._journal.close()
            self._held.close()


class Incoming:
    """A file that is arriving: write its pieces, then `commit`, or `discard` it. Nothing of it shows before."""

    def __init__(self, store: Store, world: World, client: str, name: str, size: int, version: int, kept: int) -> None:
        self._kept = kept  # bytes of room that the store keeps for this file
        self.client, self.name, self.size, self.version = client, name, size, version
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
            self._kept += self._store.announce(self.client, self.name, count)
        elif self._written + count > self.size:
            raise StorageError(f"{self.name} was announced with {self.size:,} bytes, more than that came")
        self._written += count
        self._writer.write(pieces)

    def commit(self, digest: str) -> FileRecord:
        """Make the file durable under its name; `digest` is what the received bytes have. Returns once it survives a power
        cut. On an error nothing is stored and the earlier version stays; only when the folder's sync fails, at the very
        end, is the new version there without a promise."""
        try:
            if self.size >= 0 and self._written != self.size:
                raise DigestMismatch(f"{self.name} was announced with {self.size:,} bytes, {self._written:,} came")
            self._writer.sync()
            self._writer.close()
            file = FileRecord(self.client, self.name, self._written, digest, self.version)
            return self._store.commit(file, self._temporary)
        finally:
            self.discard()

    def discard(self) -> None:
        """Forget what has arrived. May be called twice, and after a commit."""
        if self._open:
            self._open = False
            self._writer.close()
            self._store.arrived(self._kept)
            self._store.place.forget(self._path)
