"""A disk in memory for the small world: files and folders with the errors that `rpclab/world/base.py` states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rpclab.errors import FolderNotUsable, NoSuchFile, StorageError
from rpclab.world.base import Buffer

CAPACITY_BYTES = 1 << 30


class File:
    def __init__(self) -> None:
        self.data = bytearray()
        self.changes = 0


class Writer:
    def __init__(self, file: File, sync: Callable[[], None]) -> None:
        self._file, self.sync = file, sync

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


class Disk:
    """Files by path; a path that is None is a folder."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync  # waits as long as a disk takes
        self._paths: dict[str, File | None] = {}
        self._held: set[str] = set()

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
        return file

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

    def remove(self, path: str) -> None:
        if path not in self._paths:
            raise NoSuchFile(f"there is no {path}")
        if self.list(path):
            raise StorageError(f"the folder {path} is not empty")
        del self._paths[path]

    def make_folder(self, path: str) -> None:
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            if self._paths.setdefault("/".join(parts[:end]), None) is not None:
                raise FolderNotUsable(f"{path} is a file, a folder is needed there")

    def sync_folder(self, path: str) -> None:
        self._sync()

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
