"""The journal: which versions of which files a server stores, with the digests they must have. Append-only lines, each with a
checksum.

Each line says all that holds of its file from then on: its own version and the earlier ones that are `kept`, those that are not
listed make way. A line is durable before anything is moved, and it names the temporary file that waits to be renamed. So whatever
moment the power fails at, the next start can finish what was begun (a redo log): an acknowledged version is there, in its
place, with the digest that was acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import msgspec
from blake3 import blake3
from msgspec.structs import replace

from ..errors import NoSuchFile, StorageError
from ..records import FileRecord
from ..world.base import World, Writer

__all__ = ["SETTLED", "Entry", "Journal"]


class Entry(msgspec.Struct, omit_defaults=True, frozen=True):
    """One change of one file: this version was stored (it waits under the name `incoming`), or it is a tombstone, or the
    version is `gone` (into `quarantine`, if that names a place there); `void` takes back a line that could not be carried
    out. Of the other versions those in `kept` are there after it.

    `removed` is the newest of what is to go; the same line without it says that this was done. With `foreign`
    something else was found in the place of this version. `settled` is about no file: everything above was carried out.
    """

    file: FileRecord
    incoming: str = ""
    removed: FileRecord | None = None
    void: bool = False
    kept: list[int] = []
    gone: bool = False
    quarantine: str = ""
    foreign: bool = False
    settled: bool = False

    @property
    def stored(self) -> bool:
        return not (self.void or self.gone or self.file.deleted)

    @property
    def unsettled(self) -> bool:
        """Whether something was to be done for it that may not have been done."""
        return bool(self.incoming or self.removed)

    @property
    def versions(self) -> set[int]:
        """What is there after it."""
        return {*self.kept, self.file.version} if self.stored else set(self.kept)


SETTLED = Entry(FileRecord("", "", 0, "", 0), settled=True)


class Journal:
    """The journal of one server's folder. Not locked: its store does that."""

    def __init__(self, world: World, folder: str) -> None:
        self._disk = world.disk
        self._folder = folder
        self._path = f"{folder}/journal.jsonl"
        self._writer: Writer | None = None
        self.damaged = 0
        self.torn = False  # whether the last line is not whole: its change was never begun
        self.lines = 0
        self.unsettled = False  # whether a line was added that begins what a crash can interrupt

    def read(self) -> list[Entry]:
        """Every whole line, in order; lines that are damaged are counted in `damaged`."""
        try:
            reader = self._disk.open(self._path)
        except NoSuchFile:
            return []
        try:
            data = bytearray(reader.size)
            view, done = memoryview(data), 0
            while done < len(data) and (count := reader.read_into(view[done:])):
                done += count
        finally:
            reader.close()
        *lines, last = bytes(data).split(b"\n")
        self.torn = bool(last)
        entries = [_parse(line) for line in lines if line]
        self.damaged, self.lines = entries.count(None), len(entries)
        settled = max((place for place, entry in enumerate(entries) if entry is not None and entry.settled), default=0)
        found = [
            replace(entry, incoming="", removed=None) if place < settled and entry.unsettled else entry
            for place, entry in enumerate(entries)
            if entry is not None and not entry.settled
        ]
        self.unsettled = any(entry.unsettled for entry in found)
        return found

    def rewrite(self, entries: Iterable[Entry]) -> None:
        """Begin anew with just these lines, atomically. Errors: DiskFull, SyncFailed: the old lines are still there."""
        self.close()
        fresh = f"{self._path}.new"
        with suppress(NoSuchFile):  # left over only when a rewrite was cut short
            self._disk.remove(fresh)
        writer = self._disk.create(fresh)
        lines = [_line(entry) for entry in entries]
        try:
            writer.write(lines or [b""])
            writer.sync()
        except BaseException:
            writer.close()
            with suppress(StorageError):  # on a full disk its room is needed
                self._disk.remove(fresh)
            raise
        writer.close()
        self._disk.rename(fresh, self._path)
        self.lines, self.unsettled = len(lines), False
        self._disk.sync_folder(self._folder)

    def sync(self) -> None:
        """Make durable what a node that was killed had written and not synced: it is about to be acted on."""
        writer = self._disk.append(self._path)
        try:
            writer.sync()
        finally:
            writer.close()
        self._disk.sync_folder(self._folder)

    def append(self, entry: Entry) -> None:
        """Add a line and return once it is durable. Errors: DiskFull, SyncFailed: the line may or may not be there."""
        start = b""
        if self._writer is None:
            self._writer = self._disk.append(self._path)
            start = b"\n"  # whatever a line that failed has left behind, this one begins anew
        try:
            if start:
                self._disk.sync_folder(
                    self._folder
                )  # a journal that was just made, or made anew, has its name for good
            self.lines += 1
            self.unsettled = self.unsettled or entry.unsettled
            self._writer.write([start + _line(entry)])
            self._writer.sync()
        except BaseException:
            self.close()  # a writer whose sync failed must not be used again
            raise

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


def _line(entry: Entry) -> bytes:
    text = msgspec.json.encode(entry)
    return b"%s %s\n" % (_checksum(text), text)


def _parse(line: bytes) -> Entry | None:
    checksum, _, text = line.partition(b" ")
    if checksum != _checksum(text):
        return None
    try:
        return msgspec.json.decode(text, type=Entry)
    except msgspec.MsgspecError:
        return None


def _checksum(text: bytes) -> bytes:
    return blake3(text).hexdigest(8).encode()
