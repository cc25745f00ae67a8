"""The power fails at every step of writing a file: what is found under its name afterwards, by the order of the steps.

    def hasty(disk, path, contents):
        file = disk.create(path + ".new")
        file.write([contents])
        disk.rename(path + ".new", path)

    for crash in crash_points(hasty):
        print(crash.before, dict(crash.found))

The disk is the simulated one, so what a crash may do is what POSIX allows: of what was not synced, contents or names, any
part may be lost, in any order. Each step is tried with many power cuts, because one may be kind.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from blake3 import blake3

from ..errors import NoSuchFile
from ..server.store import Store
from ..world.base import Buffer, Closeable, Writer
from ..world.real import RealWorld
from ..world.simulated_disk import SimulatedDisk

__all__ = ["ANSWERED", "OUTCOMES", "Crash", "crash_points", "servers_read", "servers_write"]

OUTCOMES = ("old", "new", "torn", "gone")
"""What is found under the name: the contents from before, the new ones, others, or nothing."""

ANSWERED = "(answered)"
"""The last crash point: the function has returned, whoever asked for it was told that the file is safe."""

Write = Callable[[Any, str, bytes], object]
Read = Callable[[Any, str], bytes]

_PATH = "files/notes.txt"
_OLD, _NEW = b"the old contents. " * 8, b"What is new here. " * 12


@dataclass(frozen=True, slots=True)
class Crash:
    """The power failed `before` this step, `sum(found.values())` times; how often each of `OUTCOMES` was found then."""

    before: str
    found: Counter[str] = field(default_factory=Counter)

    @property
    def promised(self) -> bool:
        """Whether the write had been answered, so that only the new contents will do."""
        return self.before == ANSWERED

    @property
    def bad(self) -> int:
        """How many of the power cuts broke a promise: a file torn or gone, or an answered one not there."""
        allowed = ("new",) if self.promised else ("old", "new")
        return sum(count for outcome, count in self.found.items() if outcome not in allowed)


class _PowerCut(BaseException):
    """The machine has no power: no `except Exception` of what was running goes on."""


def crash_points(write: Write, *, read: Read | None = None, cuts: int = 100, seed: int = 1) -> list[Crash]:
    """Let the power fail before each step of `write(disk, path, contents)`, and after its end, `cuts` times each.

    An older file is there durably before. `read(disk, path)` says what is found later, by default what the path holds; it
    raises NoSuchFile for nothing. Any other error of `write` is raised.
    """
    read = read or _read
    steps = _Steps(SimulatedDisk())
    _begin(steps, write, read)
    write(steps, _PATH, _NEW)
    points = []
    for number, name in enumerate([*steps.done, ANSWERED], 1):
        found: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        for cut in range(cuts):
            found[_one(write, read, number, random.Random(f"{seed} {number} {cut}"))] += 1
        points.append(Crash(name, found))
    return points


def _begin(steps: _Steps, write: Write, read: Read) -> None:
    """Put the old contents there: as a plain file, and if that is not where `read` looks, by a whole `write`."""
    steps.disk.place(_PATH, _OLD)
    try:
        found = read(steps.disk, _PATH)
    except NoSuchFile:
        found = b""
    if found != _OLD:
        write(steps.disk, _PATH, _OLD)
    steps.done.clear()


def _one(write: Write, read: Read, number: int, chance: random.Random) -> str:
    steps = _Steps(SimulatedDisk(chance=chance))
    _begin(steps, write, read)
    steps.last = number
    with suppress(_PowerCut):
        write(steps, _PATH, _NEW)
    steps.disk.lose(chance)
    try:
        found = read(steps.disk, _PATH)
    except NoSuchFile:
        return "gone"
    return {_OLD: "old", _NEW: "new"}.get(found, "torn")


def _read(disk: Any, path: str) -> bytes:
    return _all_of(disk.open(path))


def _all_of(reader: Any) -> bytes:
    view = memoryview(bytearray(reader.size))
    done = 0
    while done < len(view) and (count := reader.read_into(view[done:])):
        done += count
    reader.close()
    return bytes(view[:done])


# ---- the server's own way


def servers_write(disk: Any, path: str, contents: bytes) -> None:
    """The same file stored by the server's own code (`server/store.py`): to be compared with other orders."""
    store = _store(disk)
    try:
        incoming = store.begin("client1", path.rpartition("/")[2], len(contents))
        incoming.write([memoryview(contents)])
        incoming.commit(blake3(contents).hexdigest())
    finally:
        store.close()


def servers_read(disk: Any, path: str) -> bytes:
    """What a server that starts on this disk, and repairs what a crash has left, has under that name."""
    store = _store(disk)
    try:
        _, reader = store.open("client1", path.rpartition("/")[2])
        return _all_of(reader)
    finally:
        store.close()


def _store(disk: Any) -> Store:
    world = RealWorld(seed=1)
    world.disk = disk
    return Store(world, "server1")


# ---- counting the steps


class _Steps:
    """Passes everything on to a disk, names each step that changes it, and loses the power before the one numbered `last`."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self.disk = disk
        self.done: list[str] = []
        self.last = 0
        self._dark = False

    def step(self, what: str) -> None:
        self.done.append(what)
        self._dark = self._dark or len(self.done) == self.last
        self.need_power()

    def need_power(self) -> None:
        """Whatever a `finally` would still do to the disk is not done."""
        if self._dark:
            raise _PowerCut

    def create(self, path: str) -> Writer:
        self.step(f"create {_short(path)}")
        return _StepWriter(self, path, self.disk.create(path))

    def append(self, path: str) -> Writer:
        self.need_power()
        return _StepWriter(self, path, self.disk.append(path))

    def rename(self, old: str, new: str) -> None:
        self.step(f"rename to {_short(new)}")
        self.disk.rename(old, new)

    def remove(self, path: str) -> None:
        self.need_power()
        folder, _, name = path.rpartition("/")
        if any(entry.name == name for entry in self.disk.list(folder)):
            self.step(f"remove {_short(path)}")
        self.disk.remove(path)

    def sync_folder(self, path: str) -> None:
        self.step(f"sync folder {_short(path)}")
        self.disk.sync_folder(path)

    def lock(self, path: str) -> Closeable:
        return self.disk.lock(path)

    def make_folder(self, path: str) -> None:
        self.need_power()
        self.disk.make_folder(path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.disk, name)  # reading, which changes nothing


class _StepWriter:
    def __init__(self, steps: _Steps, path: str, writer: Writer) -> None:
        self._steps, self._path, self._writer = steps, path, writer

    def write(self, buffers: Sequence[Buffer]) -> None:
        self._steps.step(f"write {_short(self._path)}")
        self._writer.write(buffers)

    def sync(self) -> None:
        self._steps.step(f"sync {_short(self._path)}")
        self._writer.sync()

    def close(self) -> None:
        self._writer.close()


def _short(path: str) -> str:
    """A name that says what it is: a number is an earlier version, a long one a file that is arriving."""
    folder, _, name = path.rpartition("/")
    return "incoming" if folder.endswith("Incoming") else f"version {name}" if name.isdecimal() else name
