"""A store on a simulated disk that is watched, for the checks of lab 7: its power fails, or it refuses, at a chosen step.

A step is whatever changes the disk. A power cut is followed by `lose`, which drops any part of what was not synced.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import DiskFull, RpclabError, SyncFailed
from ...world.base import Buffer, Reader, Writer
from ...world.simulated_disk import SimulatedDisk
from ..lab import Broken

__all__ = ["FOLDER", "Bench", "PowerCut"]

FOLDER = "store"
_STEPS = 3000  # of one operation: far more than any needs


class PowerCut(BaseException):
    """There is no power: no `except Exception` of a student's goes on."""


class _Watched:
    """Passes everything on to a disk, and remembers what is not durable yet. With `cut_at` the power fails before that step of
    `steps`; with `refuse_at` that step raises what a disk raises there."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self.disk = disk
        self.steps: list[str] = []
        self.cut_at = self.refuse_at = -1
        self.refused = ""
        self.unsynced: set[str] = set()  # paths of files that hold what was never synced
        self.open_names: set[str] = set()  # names that were given or taken away since their folder was synced
        self.renames = 0
        self.renamed_unsynced = False

    def step(self, what: str, path: str) -> None:
        self.need_power()
        if len(self.steps) > _STEPS:
            raise Broken("never-ends", f"more than {_STEPS} steps were done to the disk: the last was {what} {path}")
        self.steps.append(f"{what} {path}")
        self.need_power()
        if len(self.steps) == self.refuse_at:
            self.refused = what
            error: type[RpclabError] = SyncFailed if what.startswith("sync") else DiskFull
            raise error(f"{path}: {'it did not reach the disk' if error is SyncFailed else 'the disk is full'}")

    def need_power(self) -> None:
        if 0 <= self.cut_at <= len(self.steps):
            raise PowerCut

    def create(self, path: str) -> Writer:
        return self._writer("create", path, self.disk.create)

    def append(self, path: str) -> Writer:
        return self._writer("append", path, self.disk.append)

    def _writer(self, what: str, path: str, opened: Callable[[str], Writer]) -> Writer:
        self.step(what, path)
        writer = opened(path)
        self.open_names.add(path)
        self.unsynced.add(path)
        return _WatchedWriter(self, path, writer)

    def open(self, path: str) -> Reader:
        self.need_power()
        return self.disk.open(path)

    def rename(self, old: str, new: str) -> None:
        self.step("rename", new)
        self.disk.rename(old, new)
        self.renames += 1
        self.open_names.discard(old)
        self.open_names.add(new)
        self.unsynced.discard(new)
        if old in self.unsynced:
            self.renamed_unsynced = True
            self.unsynced.discard(old)
            self.unsynced.add(new)

    def remove(self, path: str) -> None:
        self.step("remove", path)
        self.disk.remove(path)
        self.open_names.add(path)
        self.unsynced.discard(path)

    def make_folder(self, path: str) -> None:
        self.step("make folder", path)
        self.disk.make_folder(path)

    def sync_folder(self, path: str) -> None:
        self.step("sync folder", path)
        self.disk.sync_folder(path)
        self.open_names = {each for each in self.open_names if each.rpartition("/")[0] != path}

    def __getattr__(self, name: str) -> Any:
        self.need_power()
        return getattr(self.disk, name)  # reading, which changes nothing


class _WatchedWriter:
    def __init__(self, watched: _Watched, path: str, writer: Writer) -> None:
        self._watched, self._path, self._writer = watched, path, writer
        self._failed = False

    def write(self, buffers: Sequence[Buffer]) -> None:
        self._watched.step("write", self._path)
        self._watched.unsynced.add(self._path)
        self._writer.write(buffers)

    def sync(self) -> None:
        if self._failed:
            raise Broken("sync-again", f"sync was called again on {self._path}, where it had failed")
        try:
            self._watched.step("sync", self._path)
        except SyncFailed:
            self._failed = True
            raise
        self._writer.sync()
        self._watched.unsynced.discard(self._path)

    def close(self) -> None:
        self._writer.close()


class Bench:
    """One disk, and the lives of a student's store on it. `put` and `delete` keep beside it what must be there."""

    def __init__(self, code: Callable[..., Any], *, capacity_bytes: int = 1 << 30) -> None:
        self._code = code
        self.disk = SimulatedDisk(capacity_bytes=capacity_bytes)
        self.disk.make_folder(FOLDER)
        self.there: dict[str, bytes] = {}
        self.ever: dict[str, list[bytes]] = {}
        self.watched = _Watched(self.disk)
        self.store: Any = None

    # ---- its lives

    def start(self, *, cut_at: int = -1) -> Bench:
        """A new life of the store. Errors: PowerCut."""
        self.watched = _Watched(self.disk)
        self.watched.cut_at = cut_at
        try:
            self.store = self._code(self.watched, FOLDER)
        except Exception as error:
            raise Broken(
                "cannot-start", f"Store(disk, folder) raised {_told(error)}; there lay {self.lying()}"
            ) from error
        return self

    def lose(self, chance: random.Random) -> Bench:
        """The power fails now."""
        self.disk.lose(chance)
        return self

    def lying(self) -> str:
        """What lies in the folder, in words."""
        found = [path.removeprefix(f"{FOLDER}/") for path in self.disk.files_below(FOLDER)]
        return ", ".join(found[:6]) or "nothing"

    # ---- what is done with it

    def put(self, name: str, data: bytes) -> None:
        self.ever.setdefault(name, []).append(data)
        self.store.put(name, data)
        self.there[name] = data

    def delete(self, name: str) -> None:
        self.store.delete(name)
        self.there.pop(name, None)

    def names(self) -> list[str]:
        found = self.store.names()
        try:
            return sorted(found)
        except TypeError:
            raise Broken("names", f"names() gave back {found!r}: a list of names is expected") from None

    def get(self, name: str) -> bytes | None:
        """The bytes, None for a KeyError."""
        try:
            found = self.store.get(name)
        except KeyError:
            return None
        except Exception as error:
            raise Broken("missing", f"get({name!r}) raised {_told(error)}; there lay {self.lying()}") from error
        if not isinstance(found, bytes | bytearray):
            raise Broken("contents", f"get({name!r}) gave back {type(found).__name__}, not bytes")
        return bytes(found)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
