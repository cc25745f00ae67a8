"""All that a node may touch outside its own memory: clock, network, disk, tasks, randomness.

Manager, server, client and rpc take a `World` and use nothing else. The real world (`real.py`) gives them sockets, files
and threads; a simulated one gives them seeded, replayable stand-ins with the same five parts.

Two conventions hold throughout. A `deadline` is an absolute time of `clock.now()`, in seconds; None is "no limit"; past it
an operation raises DeadlineExceeded (`connect`, which asks nothing of anybody, ConnectFailed). A `path` is text with "/"
between its parts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ..config import Address

__all__ = [
    "Buffer",
    "Clock",
    "Closeable",
    "Condition",
    "Disk",
    "Entry",
    "Listening",
    "Lock",
    "Log",
    "Network",
    "Reader",
    "Stream",
    "Task",
    "Tasks",
    "World",
    "Writer",
    "seeded",
    "walk",
]

Buffer = bytes | bytearray | memoryview


class Closeable(Protocol):
    def close(self) -> None:
        """Give it back. May be called twice."""


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since some moment; it never goes back, and every node on one machine reads the same clock."""

    def wall(self) -> float:
        """Seconds since 1970, for people; the only thing decided by it is when a tombstone is old enough to forget."""

    def sleep(self, seconds: float) -> None: ...


class Stream(Protocol):
    """One TCP connection: bytes in order, in pieces of any size. Errors: ConnectionLost, DeadlineExceeded, and with
    certificates HandshakeError at the first bytes."""

    peer: Address

    @property
    def certified(self) -> frozenset[str] | None:
        """Who the peer's certificate proves it to be, each as `role/node`; None where there are no certificates. It is
        known once something was received."""

    def send(self, buffers: Sequence[Buffer], deadline: float | None) -> None:
        """Send all of the buffers, in order."""

    def receive_into(self, view: memoryview, deadline: float | None) -> int:
        """Wait for bytes, put them into the view, return how many; 0 is the end."""

    def shutdown(self) -> None:
        """End both directions: whoever waits on this stream, here or there, wakes up."""

    def close(self) -> None: ...


class Listening(Protocol):
    address: Address

    def accept(self) -> Stream | None:
        """The next connection; None once this was closed."""

    def close(self) -> None: ...


class Network(Protocol):
    def listen(self, address: Address) -> Listening:
        """Errors: PortInUse, UsageError."""

    def connect(self, address: Address, deadline: float | None, *, nagle: bool = False) -> Stream:
        """With `nagle` a small write waits until the one before was acknowledged. Errors: ConnectFailed, UsageError."""


class Writer(Protocol):
    """A new file. Errors: DiskFull, SyncFailed, FolderNotUsable."""

    def write(self, buffers: Sequence[Buffer]) -> None: ...

    def sync(self) -> None:
        """Return once the contents survive a power cut. Never to be called again on a file where it failed."""

    def close(self) -> None: ...


class Reader(Protocol):
    size: int

    def read_into(self, view: memoryview) -> int:
        """Fill the view from where the last read ended; 0 is the end."""

    def changed(self) -> bool:
        """Whether the file's size or time of change differs from when it was opened."""

    def close(self) -> None: ...


class Log(Protocol):
    """An append-only file of lines that survives the death of its node, though not a power cut."""

    last_line: bytes
    """The last whole line found when it was opened, b"" if none."""

    def append(self, line: bytes) -> None: ...

    def close(self) -> None: ...


class Entry(Protocol):
    """One file or folder in a listing."""

    @property
    def name(self) -> str: ...
    @property
    def is_folder(self) -> bool: ...
    @property
    def size(self) -> int: ...


class Disk(Protocol):
    """Files and folders. Errors: NoSuchFile, DiskFull, SyncFailed, FolderNotUsable."""

    def create(self, path: str) -> Writer: ...

    def append(self, path: str) -> Writer:
        """Open a file, made if need be, to write at its end."""

    def open(self, path: str) -> Reader: ...

    def rename(self, old: str, new: str) -> None:
        """Atomically; a file under the new name is replaced."""

    def remove(self, path: str) -> None:
        """Remove a file, or a folder that is empty."""

    def make_folder(self, path: str) -> None:
        """Make a folder and its parents; the new names are durable when this returns."""

    def sync_folder(self, path: str) -> None:
        """Return once the names in this folder survive a power cut."""

    def list(self, path: str) -> Sequence[Entry]:
        """What lies in a folder, by name; nothing if there is no such folder. Links, pipes and devices are left out."""

    def is_link(self, path: str) -> bool:
        """Whether a symbolic link lies there, which could lead out of a folder."""

    def free_bytes(self, path: str) -> int: ...

    def open_log(self, path: str) -> Log: ...

    def lock(self, path: str) -> Closeable:
        """Hold a file that no other node can hold at the same time; raises FolderNotUsable if one does."""


class Lock(AbstractContextManager[bool], Protocol):
    def acquire(self, blocking: bool = True) -> bool: ...

    def release(self) -> None: ...


class Condition(AbstractContextManager[bool], Protocol):
    def wait(self, timeout: float | None = None) -> bool: ...

    def notify_all(self) -> None: ...


class Task(Protocol):
    name: str

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the task has ended; False if it still runs after so many seconds."""


class Tasks(Protocol):
    def spawn(self, function: Callable[[], object], name: str) -> Task: ...

    def is_end(self, error: BaseException) -> bool:
        """Whether this is how the world ends the task that it was raised in: then it is to be let through."""

    def lock(self) -> Lock: ...

    def condition(self) -> Condition: ...


class World(Protocol):
    """The five parts. `random` is for choices (seeded if asked), `nonce` for what nobody may guess."""

    @property
    def clock(self) -> Clock: ...
    @property
    def network(self) -> Network: ...
    @property
    def disk(self) -> Disk: ...
    @property
    def tasks(self) -> Tasks: ...
    @property
    def random(self) -> random.Random: ...

    def nonce(self, length: int) -> bytes: ...


def seeded(of: str) -> random.Random:
    """A generator of its own for one kind of chance: the same text, the same numbers."""
    return random.Random(of)


def walk(disk: Disk, folder: str) -> Iterator[tuple[str, int]]:
    """Every file below a folder as (path relative to it, bytes), in order of name."""
    for entry in disk.list(folder):
        if entry.is_folder:
            for path, size in walk(disk, f"{folder}/{entry.name}"):
                yield f"{entry.name}/{path}", size
        else:
            yield entry.name, entry.size
