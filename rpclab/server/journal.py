"""The journal: which files a server stores, with the digests they must have. Append-only lines, each with a checksum.

A line is durable before the file appears under its name, and it names the temporary file that waits to be renamed. So whatever
moment the power fails at, the next start can finish what was begun (a redo log): an acknowledged file is there, under its
name, with the digest that was acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import msgspec
from blake3 import blake3

from ..errors import NoSuchFile
from ..records import FileRecord
from ..world.base import World, Writer

__all__ = ["Entry", "Journal"]


class Entry(msgspec.Struct, omit_defaults=True, frozen=True):
    """One change: a file was stored (it waits under the name `incoming`), or a tombstone for one that is `removed`; a `void`
    one takes back the line before, whose file did not get its name."""

    file: FileRecord
    incoming: str = ""
    removed: FileRecord | None = None
    void: bool = False

    @property
    def stored(self) -> bool:
        return not (self.void or self.file.deleted)


class Journal:
    """The journal of one server's folder. Not locked: its store does that."""

    def __init__(self, world: World, folder: str) -> None:
        self._disk = world.disk
        self._folder = folder
        self._path = f"{folder}/journal.jsonl"
        self._writer: Writer | None = None
        self.damaged = 0

    def read(self) -> list[Entry]:
        """Every whole line, in order; lines that are torn or damaged are counted in `damaged`."""
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
        entries = [_parse(line) for line in bytes(data).split(b"\n") if line]
        self.damaged = entries.count(None)
        return [entry for entry in entries if entry is not None]

    def rewrite(self, files: Iterable[FileRecord]) -> None:
        """Begin anew with just these files, atomically."""
        self.close()
        fresh = f"{self._path}.new"
        with suppress(NoSuchFile):  # left over only when a rewrite was cut short
            self._disk.remove(fresh)
        writer = self._disk.create(fresh)
        try:
            writer.write([_line(Entry(file)) for file in files] or [b""])
            writer.sync()
        finally:
            writer.close()
        self._disk.rename(fresh, self._path)
        self._disk.sync_folder(self._folder)

    def append(self, entry: Entry) -> None:
        """Add a line and return once it is durable. Errors: DiskFull, SyncFailed: the line may or may not be there."""
        start = b""
        if self._writer is None:
            self._writer = self._disk.append(self._path)
            start = b"\n"  # whatever a line that failed has left behind, this one begins anew
        try:
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
