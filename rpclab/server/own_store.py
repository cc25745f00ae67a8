"""Somebody else's store in place of ours: what a server keeps, it keeps in theirs.

    class Store:
        def __init__(self, disk, folder): ...   # finds what was put, whatever the last crash has left
        def put(self, name, data): ...          # returns once it survives a power cut; all of it or nothing
        def get(self, name): ...                # the bytes; KeyError if there are none
        def delete(self, name): ...             # the same, of its being gone
        def names(self): ...

A name is made of letters, digits and hyphens. `disk` is the world's (world/base.py), `folder` is there, and theirs alone; what
the disk raises may come out of every method. One method is called at a time.

Each version of a file is put under a name of its own, its record before its contents, and so is each tombstone. What arrives
waits in Incoming as ever; which versions make way is decided as ever too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from blake3 import blake3

from ..errors import RpclabError, StorageError, error_text
from ..own import Own
from ..records import FileRecord
from ..world.base import Reader, World
from .journal import Entry
from .shelf import Shelf
from .store import Store

__all__ = ["FOLDER", "store_of"]

FOLDER = "Own"  # in the server's folder
_LENGTH_BYTES = 4


def store_of(own: Own, world: World, folder: str, **options: Any) -> Store:
    """A server's store, with the arguments of `Store`."""
    return Store(world, folder, **options) if own.store is None else _OwnStore(own.store, world, folder, **options)


class _OwnStore(Store):
    def __init__(self, code: Callable[..., Any], world: World, folder: str, **options: Any) -> None:
        self._code = code
        super().__init__(world, folder, **options)

    def _ask(self, what: str, *args: Any) -> Any:
        """What a method of theirs gives back. Errors: the disk's; StorageError, which says what else it raised."""
        try:
            return getattr(self._theirs, what)(*args)
        except RpclabError:
            raise
        except Exception as error:  # somebody else's code: whatever it raises is told as what it is
            raise StorageError(f"the store's {what} raised {type(error).__name__}: {error_text(error)}") from error

    def _recover(self) -> bool:
        folder = f"{self.folder}/{FOLDER}"
        self._disk.make_folder(folder)
        for entry in self._disk.list(self.place.incoming):
            self.place.forget(self.place.waiting(entry.name))
        try:
            self._theirs = self._code(self._disk, folder)
        except RpclabError:
            raise
        except Exception as error:  # as above
            raise StorageError(f"the store did not start: {type(error).__name__}: {error_text(error)}") from error
        found = []
        for name in sorted(self._ask("names")):
            try:
                found.append(_unpacked(self._ask("get", name))[0])
            except StorageError as error:
                self._say(f"{name} in the store does not count: {error}")
        for file in found:
            if file.deleted:
                self._index.bury(file)
        self._index.forget_tombstones(self._world.clock.wall() - self._tombstone_s)
        for file in found:
            tombstone = self._index.tombstone(file.client, file.name)
            if file.deleted and tombstone is None:
                self._ask("delete", _name(file))
            elif not file.deleted and tombstone is not None and file.version <= tombstone.version:
                self._ask("delete", _name(file))  # a crash came between the tombstone and this
            elif not file.deleted:
                self._index.add(self._index.shelf(file.client, file.name), file)
        return True

    def open(self, client: str, name: str, version: int | None = None) -> tuple[FileRecord, Reader]:
        with self._lock:
            file = self._index.get(client, name, version)
            stored, contents = _unpacked(self._ask("get", _name(file)))
        if (stored.client, stored.name, stored.version) != (file.client, file.name, file.version):
            raise StorageError(f"the store gave {stored.client}/{stored.name} back for {client}/{name}")
        return file, _Contents(contents)

    def _put(self, shelf: Shelf, line: Entry, gone: list[FileRecord]) -> None:
        waiting = self._disk.open(self.place.waiting(line.incoming))
        try:
            contents = bytearray(waiting.size)
            view, done = memoryview(contents), 0
            while done < len(view) and (count := waiting.read_into(view[done:])):
                done += count
        finally:
            waiting.close()
        self._ask("put", _name(line.file), _packed(line.file, bytes(contents)))
        self._index.add(shelf, line.file)
        self._remove_all(shelf, gone)

    def _let_go(self, shelf: Shelf, line: Entry, gone: list[FileRecord]) -> None:
        if line.file.deleted:
            self._ask("put", _name(line.file), _packed(line.file, b""))
        self._remove_all(shelf, gone)

    def _remove_all(self, shelf: Shelf, gone: list[FileRecord]) -> None:
        for file in gone:
            self._index.remove(shelf, file.version)
            with suppress(StorageError):  # the next start, or the manager, finds it again
                self._ask("delete", _name(file))

    def quarantine(self, file: FileRecord) -> bool:
        """What is damaged is removed: theirs has no place to put it aside."""
        with self._lock:
            shelf = self._index.shelf(file.client, file.name)
            if shelf.versions.get(file.version) is not file:
                return False
            self._remove_all(shelf, [file])
            return True

    def _begin_journal_anew(self) -> None:
        """There is none."""


class _Contents:
    """A reader of bytes."""

    def __init__(self, contents: bytes) -> None:
        self._contents, self._done, self.size = contents, 0, len(contents)

    def read_into(self, view: memoryview) -> int:
        piece = self._contents[self._done : self._done + len(view)]
        view[: len(piece)] = piece
        self._done += len(piece)
        return len(piece)

    def changed(self) -> bool:
        return False

    def close(self) -> None: ...


def _name(file: FileRecord) -> str:
    """Under which a version is put, or a file's tombstone, of which there is one."""
    which = "" if file.deleted else str(file.version)
    digest = blake3(f"{file.client}/{file.name}\0{which}".encode()).hexdigest(12)
    return f"{'gone' if file.deleted else 'version'}-{digest}"


def _packed(file: FileRecord, contents: bytes) -> bytes:
    record = msgspec.json.encode(file)
    return len(record).to_bytes(_LENGTH_BYTES, "big") + record + contents


def _unpacked(data: Any) -> tuple[FileRecord, bytes]:
    """Errors: StorageError for what was never put like that."""
    try:
        data = bytes(memoryview(data))
        end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
        return msgspec.json.decode(data[_LENGTH_BYTES:end], type=FileRecord), data[end:]
    except (TypeError, msgspec.MsgspecError) as error:
        raise StorageError(f"the store gave back what was never put into it: {error_text(error)}") from None
