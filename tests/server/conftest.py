"""A disk that counts its steps, and fails or dies at any one of them: what the store does about it is then looked at."""

from __future__ import annotations

import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from rpclab.world.base import Buffer, Closeable, Log, Reader, Writer
from rpclab.world.real import RealWorld
from rpclab.world.real_disk import RealDisk


class PowerGone(BaseException):
    """The process died at this step: no `except` of the store may run on the disk any more."""


class StepDisk:
    """A disk, a real one if no other is given, whose changing
    steps are noted in `steps`; at step `die_at` the process dies, from `fail_at` on `fail_for` steps fail."""

    def __init__(
        self,
        *,
        die_at: int = 0,
        fail_at: int = 0,
        fail_for: int = 1,
        error: Callable[[str], Exception] | None = None,
        disk: Any = None,
    ) -> None:
        self._disk = disk or RealDisk()
        self._die_at, self._fail_at, self._fail_for, self._error = die_at, fail_at, fail_for, error
        self._dead = False
        self._open: list[Closeable] = []
        self.steps: list[str] = []
        self.failed = ""

    def step(self, what: str, path: str, halfway: Callable[[], object] = lambda: None) -> None:
        if self._dead:
            raise PowerGone
        self.steps.append(f"{what} {path.rpartition('/')[2] if 'Incoming/' not in path else 'incoming'}")
        if len(self.steps) == self._die_at:
            halfway()
            self._dead = True
            raise PowerGone
        if 0 <= len(self.steps) - self._fail_at < self._fail_for and self._error is not None:
            self.failed = self.steps[-1]
            halfway()
            raise self._error(self.failed)

    def let_go(self) -> None:
        """What the system does when a process dies: close its files, release its locks."""
        for each in self._open:
            each.close()

    def kept(self, each: Any) -> Any:
        self._open.append(each)
        return each

    def create(self, path: str) -> Writer:
        self.step("create", path)
        return StepWriter(self, path, self.kept(self._disk.create(path)))

    def append(self, path: str) -> Writer:
        self.step("append to", path)
        return StepWriter(self, path, self.kept(self._disk.append(path)))

    def rename(self, old: str, new: str) -> None:
        self.step("rename to", new)
        self._disk.rename(old, new)

    def remove(self, path: str) -> None:
        self.step("remove", path)
        self._disk.remove(path)

    def make_folder(self, path: str) -> None:
        above, _, name = path.rpartition("/")
        if not any(entry.name == name and entry.is_folder for entry in self._disk.list(above)):
            self.step("make folder", path)
        self._disk.make_folder(path)

    def sync_folder(self, path: str) -> None:
        self.step("sync folder", path)
        self._disk.sync_folder(path)

    def open(self, path: str) -> Reader:
        return self._disk.open(path)

    def list(self, path: str) -> Sequence[Any]:
        return self._disk.list(path)

    def is_link(self, path: str) -> bool:
        return self._disk.is_link(path)

    def free_bytes(self, path: str) -> int:
        return self._disk.free_bytes(path)

    def open_log(self, path: str) -> Log:
        return self._disk.open_log(path)

    def lock(self, path: str) -> Closeable:
        lock: Closeable = self.kept(self._disk.lock(path))
        return lock


class StepWriter:
    """A file whose writes and syncs are steps; a write that fails, or that the process dies in, is half done."""

    def __init__(self, disk: StepDisk, path: str, writer: Writer) -> None:
        self._disk, self._path, self._writer = disk, path, writer

    def write(self, buffers: Sequence[Buffer]) -> None:
        whole = b"".join(buffers)
        self._disk.step("write", self._path, lambda: self._writer.write([whole[: len(whole) // 2]]))
        self._writer.write(buffers)

    def sync(self) -> None:
        self._disk.step("sync", self._path)
        self._writer.sync()

    def close(self) -> None:
        self._writer.close()


class StepWorld(RealWorld):
    """The real world with such a disk."""

    def __init__(self, **faults: Any) -> None:
        super().__init__(seed=1)
        self.steps = StepDisk(**faults)
        self.disk = self.steps  # type: ignore[assignment]


@pytest.fixture
def step_world() -> Callable[..., StepWorld]:
    return StepWorld


@pytest.fixture
def power_gone() -> type[BaseException]:
    return PowerGone


@pytest.fixture
def new_folder() -> Iterator[Callable[[], str]]:
    """Make server folders on a memory disk if there is one: hundreds of stores are opened, and a real sync takes its time."""
    memory = pathlib.Path("/dev/shm")
    root = tempfile.mkdtemp(prefix="rpclab-test-", dir=memory if memory.is_dir() else None)
    made = 0

    def make() -> str:
        nonlocal made
        made += 1
        return f"{root}/server{made}"

    yield make
    shutil.rmtree(root)
