"""The store: a server's folder. A file is in it whole, durable and under its name, or not at all.

    Backups/<client>/<name>   the stored files, readable as they are
    Incoming/                 files that are still arriving
    journal.jsonl             what is stored, with digests (journal.py)
    lock                      held while a server uses the folder

To store: write a new file in Incoming, check length and digest, sync it, note it in the journal and sync that, rename it over its
name, sync the folder. Only then is it acknowledged. At the start the journal is read: what it says is stored but still waits
in Incoming is renamed now, everything else in Incoming is removed, files that somebody put into Backups by hand are taken in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from blake3 import blake3
from msgspec.structs import replace

from ..errors import DigestMismatch, DiskFull, NoSuchFile, QuotaExceeded, RpclabError, StorageError
from ..names import check_client, check_name
from ..records import FileRecord, file_key
from ..world.base import Reader, World, walk
from .index import Index
from .journal import Entry, Journal

__all__ = ["Incoming", "Store"]

_SPARE_BYTES = 1 << 20  # left free on the disk for the journal and the event log
_READ_BYTES = 1 << 20


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
        self._disk.make_folder(f"{folder}/Backups")
        self._disk.make_folder(f"{folder}/Incoming")
        self._held = self._disk.lock(f"{folder}/lock")
        try:
            self._recover()
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
            return file, self._disk.open(self._path(file))

    def verify(self, client: str, name: str) -> tuple[FileRecord, str]:
        """Read a stored file and return its record and the digest that its contents have now."""
        file, reader = self.open(client, name)
        try:
            return file, _digest(reader)
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
        path = self._path(file)
        folder = path.rpartition("/")[0]
        self._disk.make_folder(folder)
        try:
            self._journal.append(Entry(file, incoming))
            self._rename(incoming, path)
        except RpclabError:
            self._journal.append(Entry(old) if old else Entry(file, void=True))
            raise
        self._index.put(file)
        self._disk.sync_folder(folder)

    def _rename(self, incoming: str, path: str) -> None:
        """Rename a file over its name; an empty folder, left there when its removal failed, makes way."""
        source = f"{self.folder}/Incoming/{incoming}"
        try:
            self._disk.rename(source, path)
        except StorageError:
            folder, _, name = path.rpartition("/")
            if not any(entry.is_folder and entry.name == name for entry in self._disk.list(folder)):
                raise
            self._disk.remove(path)
            self._disk.rename(source, path)

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
                path = self._path(file)
                self.forget(path)
                self._index.drop(client, name)
                self._tidy(path.rpartition("/")[0])
                with suppress(StorageError):  # done: what is put there by hand from now on stays
                    self._journal.append(Entry(tombstone))
            return tombstone, file

    def _tidy(self, folder: str) -> None:
        """Make a removal in a folder durable, and remove the folder, and those above it, once nothing is in them."""
        while folder != f"{self.folder}/Backups" and not self._disk.list(folder):
            try:
                self.forget(folder)
            except StorageError:
                break  # a person has put something there that is no file of ours, such as a link
            folder = folder.rpartition("/")[0]
        self._disk.sync_folder(folder)

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
                self.forget(fresh)
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

    # ---- starting

    def _recover(self) -> None:
        history: dict[tuple[str, str], list[Entry]] = {}
        entries = self._journal.read()
        for entry in entries:
            history.setdefault((entry.file.client, entry.file.name), []).append(entry)
        waiting = {entry.name for entry in self._disk.list(f"{self.folder}/Incoming")}
        lying = dict(walk(self._disk, f"{self.folder}/Backups"))
        for noted in history.values():
            self._finish(noted[-1], waiting, lying)
            self._remember_tombstone(noted)
        for name in sorted(waiting):
            self.forget(f"{self.folder}/Incoming/{name}")
        finished = any(noted[-1].removed is not None for noted in history.values())  # to be noted: never do it again
        changed, disowned = self._match_disk(history)
        if changed or finished or self._journal.damaged or len(entries) > 2 * len(self._index) + 64:
            self._journal.rewrite([*self._index, *disowned, *self._index.tombstones()])

    def _finish(self, entry: Entry, waiting: set[str], lying: Mapping[str, int]) -> None:
        """Do what the journal says was begun: the last rename or removal of one file."""
        path = self._path(entry.file)
        if entry.removed is not None:
            size = lying.get(file_key(entry.file.client, entry.file.name))
            if (
                size == entry.removed.size and self._digest_of(path) == entry.removed.digest
            ):  # else put there by hand since
                self.forget(path)
        elif entry.incoming in waiting:
            waiting.remove(entry.incoming)
            folder = path.rpartition("/")[0]
            self._disk.make_folder(folder)
            self._rename(entry.incoming, path)
            self._disk.sync_folder(folder)

    def _match_disk(self, history: dict[tuple[str, str], list[Entry]]) -> tuple[bool, list[FileRecord]]:
        """Fill the index with what lies on the disk. Returns whether the journal said otherwise, and what it says of files
        that somebody changed: it must go on saying so, or they would be taken in as new at the next start."""
        changed = False
        disowned: list[FileRecord] = []
        for path, size in walk(self._disk, f"{self.folder}/Backups"):
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
        path = f"{self.folder}/Backups/{client}/{name}"
        fitting = [file for file in noted if file.size == size]
        if len({file.digest for file in fitting}) == 1 and fitting[-1] is noted[-1]:
            return fitting[-1]
        try:
            check_client(client), check_name(name)
            self._index.find(client, name)
            digest = self._digest_of(path)
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

    def _digest_of(self, path: str) -> str:
        reader = self._disk.open(path)
        try:
            return _digest(reader)
        finally:
            reader.close()

    def forget(self, path: str) -> None:
        """Remove a file if it is there."""
        try:
            self._disk.remove(path)
        except NoSuchFile:
            return  # gone already: that is what was wanted

    def _path(self, file: FileRecord) -> str:
        return f"{self.folder}/Backups/{file.client}/{file.name}"


class Incoming:
    """A file that is arriving: write its pieces, then `commit`, or `discard` it. Nothing of it shows before."""

    def __init__(self, store: Store, world: World, client: str, name: str, size: int, version: int, kept: int) -> None:
        self._kept = kept  # bytes of room that the store keeps for this file
        self.client, self.name, self.size, self.version = client, name, size, version
        self._store, self._disk = store, world.disk
        self._temporary = world.nonce(8).hex()
        self._path = f"{store.folder}/Incoming/{self._temporary}"
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
            self._store.forget(self._path)


def _stored_last(entries: Sequence[Entry]) -> list[FileRecord]:
    """The versions that the journal notes since the file was last deleted."""
    deleted = max((place for place, entry in enumerate(entries) if entry.file.deleted), default=-1)
    return [entry.file for entry in entries[deleted + 1 :] if entry.stored]


def _digest(reader: Reader) -> str:
    hasher, buffer = blake3(), bytearray(_READ_BYTES)
    view = memoryview(buffer)
    while count := reader.read_into(view):
        hasher.update(view[:count])
    return hasher.hexdigest()
