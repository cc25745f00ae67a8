"""A disk in memory for the small world: files and folders with the errors that `rpclab/world/base.py` states.

What was not synced can be lost (`lose`): of a file any part after what was synced, of the changes of names any that POSIX
lets a file system lose, in any order. A file that was renamed and nothing else is under its old name, its new one, or both.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rpclab.errors import FolderNotUsable, NoSuchFile, StorageError
from rpclab.world.base import Buffer

CAPACITY_BYTES = 1 << 30


class File:
    def __init__(self) -> None:
        self.data = bytearray()
        self.changes = 0
        self.synced = b""

    def lose(self, chance: random.Random) -> None:
        """Keep what was synced and an arbitrary part of the rest, the end of which may be zeros."""
        kept = chance.randint(len(self.synced), max(len(self.synced), len(self.data)))
        zeros = chance.choice([0, chance.randint(0, kept - len(self.synced))])
        self.synced = self.synced + bytes(self.data[len(self.synced) : kept - zeros]) + bytes(zeros)
        self.data = bytearray(self.synced)


class Writer:
    def __init__(self, file: File, sync: Callable[[], None]) -> None:
        self._file, self._sync = file, sync

    def sync(self) -> None:
        self._sync()
        self._file.synced = bytes(self._file.data)

    def write(self, buffers: Sequence[Buffer]) -> None:
        self._file.data += b"".join(buffers)
        self._file.changes += 1

    def close(self) -> None: ...


class Reader:
    def __init__(self, file: File) -> None:
        self._file, self._state, self._done = file, file.changes, 0
        self.size = len(file.data)

    def read_into(self, view: memoryview) -> int:
        piece = self._file.data[self._done : self._done + len(view)]
        view[: len(piece)] = piece
        self._done += len(piece)
        return len(piece)

    def changed(self) -> bool:
        return self._file.changes != self._state

    def close(self) -> None: ...


class Log:
    def __init__(self, file: File) -> None:
        self._data = file.data
        self.last_line = bytes(file.data).rpartition(b"\n")[0].rpartition(b"\n")[2] + b"\n" if file.data else b""

    def append(self, line: bytes) -> None:
        self._data += line

    def close(self) -> None: ...


class Held:
    def __init__(self, held: set[str], path: str) -> None:
        self._held, self._path = held, path

    def close(self) -> None:
        self._held.discard(self._path)


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    is_folder: bool
    size: int


@dataclass(eq=False)
class Change:
    """A name that got a file, or a folder, or that nothing has any more; it is not durable before those it `needs` are."""

    path: str
    file: File | None
    gone: bool = False
    needs: list[Change] = field(default_factory=list)


class Disk:
    """Files by path; a path that is None is a folder."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync  # waits as long as a disk takes
        self._paths: dict[str, File | None] = {}
        self._held: set[str] = set()
        self._durable: dict[str, File | None] = {}
        self._pending: list[Change] = []  # changes of names that were not synced, in their order

    def _file(self, path: str) -> File:
        file = self._paths.get(path)
        if file is None:
            raise NoSuchFile(f"there is no file {path}")
        return file

    def _check_folder(self, path: str) -> None:
        folder = path.rpartition("/")[0]
        if folder and self._paths.get(folder, folder) is not None:
            raise NoSuchFile(f"there is no folder {folder}")

    def _new(self, path: str) -> File:
        self._check_folder(path)
        if path in self._paths:
            raise FolderNotUsable(f"{path} is there already")
        file = self._paths[path] = File()
        self._change(path, file)
        return file

    def _change(self, path: str, file: File | None, needs: Sequence[Change] = (), gone: bool = False) -> Change:
        change = Change(path, file, gone, list(needs))
        self._pending.append(change)
        return change

    def _make_durable(self, wanted: Sequence[Change]) -> None:
        """Make changes durable, and those that they need."""
        done: set[int] = set()
        waiting = list(wanted)
        while waiting:
            change = waiting.pop()
            if id(change) not in done:
                done.add(id(change))
                waiting += change.needs
        for change in self._pending:
            if id(change) in done and change.gone:
                self._durable.pop(change.path, None)
            elif id(change) in done:
                self._durable[change.path] = change.file
        last = {change.path: place for place, change in enumerate(self._pending) if id(change) in done}
        self._pending = [change for place, change in enumerate(self._pending) if place > last.get(change.path, -1)]
        for change in self._pending:
            change.needs = [need for need in change.needs if id(need) not in done]

    def let_go(self) -> None:
        """Who held something has died."""
        self._held.clear()

    def lose(self, chance: random.Random) -> None:
        """The power fails: nobody holds anything, and an arbitrary part of what was not synced is lost."""
        self.let_go()
        share = chance.random()
        self._make_durable([change for change in self._pending if chance.random() < share])
        self._pending = []
        self._paths = dict(self._durable)
        for file in {id(file): file for file in self._paths.values() if file is not None}.values():
            file.lose(chance)

    def flip_bit(self, path: str) -> None:
        """What ageing does to a disk; nobody is told."""
        file = self._file(path)
        file.data[0] ^= 1
        file.synced = bytes(file.data)

    def create(self, path: str) -> Writer:
        return Writer(self._new(path), self._sync)

    def append(self, path: str) -> Writer:
        return Writer(self._paths.get(path) or self._new(path), self._sync)

    def open(self, path: str) -> Reader:
        return Reader(self._file(path))

    def rename(self, old: str, new: str) -> None:
        file = self._file(old)
        self._check_folder(new)
        if self._paths.get(new, file) is None:
            raise FolderNotUsable(f"{new} is a folder")
        self._paths[new] = self._paths.pop(old)
        self._change(old, None, [self._change(new, file)], gone=True)

    def remove(self, path: str) -> None:
        if path not in self._paths:
            raise NoSuchFile(f"there is no {path}")
        if self.list(path):
            raise StorageError(f"the folder {path} is not empty")
        del self._paths[path]
        emptied = [change for change in self._pending if change.path.startswith(f"{path}/")]
        self._change(path, None, emptied, gone=True)

    def make_folder(self, path: str) -> None:
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            part = "/".join(parts[:end])
            if self._paths.get(part) is not None:
                raise FolderNotUsable(f"{path} is a file, a folder is needed there")
            if part not in self._paths:
                self._paths[part] = None
                self._make_durable([self._change(part, None)])

    def sync_folder(self, path: str) -> None:
        self._sync()
        self._make_durable([change for change in self._pending if change.path.rpartition("/")[0] == path])

    def list(self, path: str) -> list[Entry]:
        inside = [(each.rpartition("/"), file) for each, file in self._paths.items()]
        found = [
            Entry(name, file is None, len(file.data) if file else 0)
            for (folder, _, name), file in inside
            if folder == path
        ]
        return sorted(found, key=lambda entry: entry.name)

    def is_link(self, path: str) -> bool:
        return False

    def free_bytes(self, path: str) -> int:
        return CAPACITY_BYTES - sum(len(file.data) for file in self._paths.values() if file)

    def open_log(self, path: str) -> Log:
        return Log(self._paths.get(path) or self._new(path))

    def lock(self, path: str) -> Held:
        if path in self._held:
            raise FolderNotUsable(f"another running node holds {path}")
        self._held.add(path)
        return Held(self._held, path)
