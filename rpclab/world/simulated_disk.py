"""A disk in memory, with the errors that base.py states, that loses what was not synced when its power fails.

Kept apart are what a file holds and how much of it was synced, and which names were made durable. A power cut (`lose`) keeps of
each file any part after what was synced, of the changes of names any that POSIX lets a file system lose, in any order:
a file that was renamed and nothing else is under its old name, its new one, or both.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import FolderNotUsable, NoSuchFile, StorageError, SyncFailed
from .simulated_files import HeldFile, MemoryEntry, MemoryFile, MemoryLogFile, MemoryReader, MemoryWriter

__all__ = ["SimulatedDisk"]

_CAPACITY_BYTES = 1 << 30


@dataclass(eq=False)
class _Change:
    """A name that got a file, or a folder, or that nothing has any more; it is not durable before those it `needs` are."""

    path: str
    folder: str
    file: MemoryFile | None
    gone: bool
    needs: list[_Change]


class SimulatedDisk:
    """Files by path. `step` is called before whatever is done, and may wait, or raise for a node that has died; `sync` waits as
    long as a disk takes. `capacity_bytes` and `failing` (the share of syncs that fail, decided by `chance`) may be changed."""

    def __init__(
        self,
        sync: Callable[[], None] = lambda: None,
        *,
        step: Callable[[], None] = lambda: None,
        chance: random.Random | None = None,
        capacity_bytes: int = _CAPACITY_BYTES,
    ) -> None:
        self.wait_for_sync, self.step = sync, step
        self.capacity_bytes, self.used, self.failing = capacity_bytes, 0, 0.0
        self._chance = chance or random.Random(0)
        self._paths: dict[str, MemoryFile | None] = {}  # None is a folder
        self._names: dict[str, set[str]] = {}  # in each folder; only ever read in order
        self._held: set[str] = set()
        self._durable: dict[str, MemoryFile | None] = {}
        self._pending: list[_Change] = []  # changes of names that were not synced, in their order

    def room(self) -> int:
        return self.capacity_bytes - self.used

    def sync_fails(self) -> bool:
        return self.failing > 0 and self._chance.random() < self.failing

    # ---- names

    def _file(self, path: str) -> MemoryFile:
        file = self._paths.get(path)
        if file is None:
            raise NoSuchFile(f"there is no file {path}")
        return file

    def _check_folder(self, path: str) -> None:
        folder = path.rpartition("/")[0]
        if folder and self._paths.get(folder, folder) is not None:
            raise NoSuchFile(f"there is no folder {folder}")

    def _set(self, path: str, file: MemoryFile | None) -> None:
        before = self._paths.get(path)
        if before is not None and before is not file:
            self.used -= len(before.data)
        self._paths[path] = file
        folder, _, name = path.rpartition("/")
        self._names.setdefault(folder, set()).add(name)

    def _drop(self, path: str) -> None:
        del self._paths[path]
        folder, _, name = path.rpartition("/")
        self._names[folder].discard(name)

    def _new(self, path: str) -> MemoryFile:
        self._check_folder(path)
        if path in self._paths:
            raise FolderNotUsable(f"{path} is there already")
        file = MemoryFile()
        self._set(path, file)
        self._change(path, file)
        return file

    def _change(self, path: str, file: MemoryFile | None, needs: Sequence[_Change] = (), gone: bool = False) -> _Change:
        change = _Change(path, path.rpartition("/")[0], file, gone, list(needs))
        self._pending.append(change)
        return change

    def _make_durable(self, wanted: Sequence[_Change]) -> None:
        """Make changes durable, and those that they need."""
        done: set[_Change] = set()  # never read in its order
        waiting = list(wanted)
        while waiting:
            change = waiting.pop()
            if change not in done:
                done.add(change)
                waiting += change.needs
        last: dict[str, int] = {}
        for place, change in enumerate(self._pending):
            if change in done:
                last[change.path] = place
                if change.gone:
                    self._durable.pop(change.path, None)
                else:
                    self._durable[change.path] = change.file
        self._pending = [change for place, change in enumerate(self._pending) if place > last.get(change.path, -1)]
        for change in self._pending:
            if change.needs:
                change.needs = [need for need in change.needs if need not in done]

    # ---- what is done to it

    def let_go(self) -> None:
        """Who held something has died."""
        self._held.clear()

    def lose(self, chance: random.Random) -> None:
        """The power fails: nobody holds anything, and an arbitrary part of what was not synced is lost."""
        self.let_go()
        share = chance.random()
        self._make_durable([change for change in self._pending if chance.random() < share])
        self._pending = []
        self._paths, self._names, self.used = {}, {}, 0
        for path, file in self._durable.items():
            self._set(path, file)
        for file in {id(file): file for file in self._paths.values() if file is not None}.values():
            file.lose(chance)
            self.used += len(file.data)

    def flip_bit(self, path: str, bit: int = 0) -> None:
        """What ageing does to a disk; nobody is told. Errors: NoSuchFile, also for a file without a bit in it."""
        file = self._file(path)
        if not file.data:
            raise NoSuchFile(f"{path} is empty: there is no bit in it")
        file.data[bit // 8 % len(file.data)] ^= 1 << bit % 8

    def place(self, path: str, contents: bytes) -> None:
        """Put a file there from outside, durably and in no time; one that is there is replaced."""
        self.make_folder(path.rpartition("/")[0])
        file = MemoryFile()
        file.data += contents
        file.synced = len(contents)
        self._set(path, file)
        self.used += len(contents)
        self._make_durable([self._change(path, file)])

    def contents(self, path: str) -> bytes:
        """What a file holds now. Errors: NoSuchFile."""
        return bytes(self._file(path).data)

    def size(self, path: str) -> int:
        """How many bytes a file has, looked up in no time. Errors: NoSuchFile."""
        return len(self._file(path).data)

    def is_file(self, path: str) -> bool:
        """Whether there is a file, looked up in no time."""
        return self._paths.get(path) is not None

    def files_below(self, folder: str) -> list[str]:
        """The path of every file below a folder, in order, looked up in no time."""
        return sorted(path for path, file in self._paths.items() if file is not None and path.startswith(f"{folder}/"))

    def is_durable(self, path: str) -> bool:
        """Whether a power cut would leave this file as it is."""
        file = self._paths.get(path)
        return file is not None and self._durable.get(path) is file and file.synced == len(file.data) and not file.holes

    # ---- what base.Disk says

    def create(self, path: str) -> MemoryWriter:
        self.step()
        return MemoryWriter(self, path, self._new(path))

    def append(self, path: str) -> MemoryWriter:
        self.step()
        return MemoryWriter(self, path, self._paths.get(path) or self._new(path))

    def open(self, path: str) -> MemoryReader:
        self.step()
        return MemoryReader(self, self._file(path))

    def rename(self, old: str, new: str) -> None:
        self.step()
        file = self._file(old)
        self._check_folder(new)
        if self._paths.get(new, file) is None:
            raise FolderNotUsable(f"{new} is a folder")
        self._drop(old)
        self._set(new, file)
        self._change(old, None, [self._change(new, file)], gone=True)

    def remove(self, path: str) -> None:
        self.step()
        if path not in self._paths:
            raise NoSuchFile(f"there is no {path}")
        if self._names.get(path):
            raise StorageError(f"the folder {path} is not empty")
        file = self._paths[path]
        self.used -= len(file.data) if file is not None else 0
        self._drop(path)
        emptied = [change for change in self._pending if change.path.startswith(f"{path}/")]
        self._change(path, None, emptied, gone=True)

    def make_folder(self, path: str) -> None:
        self.step()
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            part = "/".join(parts[:end])
            if self._paths.get(part) is not None:
                raise FolderNotUsable(f"{path} is a file, a folder is needed there")
            if part and part not in self._paths:
                self._set(part, None)
                self._make_durable([self._change(part, None)])

    def sync_folder(self, path: str) -> None:
        wanted = [change for change in self._pending if change.folder == path]
        self.step()
        self.wait_for_sync()
        if self.sync_fails():
            raise SyncFailed(f"the names in {path} did not reach the disk: input/output error")
        if wanted:
            pending = set(self._pending)
            self._make_durable([change for change in wanted if change in pending])

    def list(self, path: str) -> Sequence[MemoryEntry]:
        self.step()
        return [self._entry(path, name) for name in sorted(self._names.get(path, ()))]

    def _entry(self, folder: str, name: str) -> MemoryEntry:
        file = self._paths[f"{folder}/{name}" if folder else name]
        return MemoryEntry(name, file is None, len(file.data) if file is not None else 0)

    def is_link(self, path: str) -> bool:
        return False

    def free_bytes(self, path: str) -> int:
        return self.room()

    def open_log(self, path: str) -> MemoryLogFile:
        return MemoryLogFile(self._paths.get(path) or self._new(path))

    def lock(self, path: str) -> HeldFile:
        self.step()
        if path in self._held:
            raise FolderNotUsable(f"another running node holds {path}")
        self._held.add(path)
        return HeldFile(self._held, path)
