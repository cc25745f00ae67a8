"""A file that comes from the browser, piece by piece: into a part file, then to its name, in the folder of its client.

1. What is not whole has no name in the client's folder: it lies beside it, and goes away when it is cancelled.
2. A file that has the name already is never replaced without a word: `exists` says so, `free_name` finds another.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import DiskFull, FileChanged, FolderNotUsable, UsageError
from ..names import check_name, fold
from ..text import bytes_text

__all__ = ["Arrival", "DiskFolder", "MemoryFolder", "folder_of"]

_ROOM_BYTES = 64 << 20  # what is left free on the disk in any case


class DiskFolder:
    """The `Files` folder of a real client."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self, name: str) -> bool:
        """Whether a file of that name, or of one that some system takes for it, is there."""
        try:
            return fold(name) in {fold(each) for each in os.listdir(self.path)}
        except FileNotFoundError:
            return False

    def check_room(self, size: int) -> None:
        """Raises DiskFull, before the first byte is sent."""
        import shutil

        self.path.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.path).free
        if size + _ROOM_BYTES > free:
            raise DiskFull(f"a file of {bytes_text(size)} does not fit: the disk has {bytes_text(free)} left")

    def part(self) -> Path:
        self.path.mkdir(parents=True, exist_ok=True)
        return self.path.parent / f".upload-{secrets.token_hex(8)}.part"

    def put(self, part: Path, name: str, replace: bool) -> Any:
        """Give a whole file its name; returns what `backup` takes for its path. Raises FileChanged if the name is taken."""
        if not replace and self.exists(name):
            raise FileChanged(f"a file {name!r} has come into {self.path} meanwhile: choose what to do with it")
        target = self.path / name
        if target.is_symlink() or target.is_dir():
            raise FolderNotUsable(f"{target} is a folder or a link, not a file that could be replaced")
        os.replace(part, target)
        return str(target)

    def where(self) -> str:
        return str(self.path)


class MemoryFolder:
    """The folder of a simulated client, on a disk in memory."""

    def __init__(self, client: Any, spare: Path) -> None:
        self._client, self._spare = client, spare

    def exists(self, name: str) -> bool:
        return fold(name) in {fold(each) for each in self._client.files}

    def check_room(self, size: int) -> None:
        return  # the widget's limit for simulated clusters is far below a simulated disk

    def part(self) -> Path:
        self._spare.mkdir(parents=True, exist_ok=True)
        return self._spare / f"{secrets.token_hex(8)}.part"

    def put(self, part: Path, name: str, replace: bool) -> Any:
        self._client.put(name, part.read_bytes())
        part.unlink()
        return name

    def where(self) -> str:
        return f"the simulated disk of {self._client.name}"


def folder_of(cluster: Any, client: Any, spare: Path) -> DiskFolder | MemoryFolder:
    """Where a client's uploads go."""
    if hasattr(cluster, "simulation"):
        return MemoryFolder(client, spare)
    return DiskFolder(getattr(client, "folder", None) or Path(cluster.data) / "clients" / client.name / "Files")


class Arrival:
    """One file on its way from the browser. Used by one thread at a time."""

    def __init__(self, folder: DiskFolder | MemoryFolder, name: str, size: int) -> None:
        self.name, self.size, self.done = name, size, 0
        self.folder = folder
        self._part: Path | None = None
        self._file: BinaryIO | None = None

    def begin(self) -> None:
        """Errors: DiskFull, FolderNotUsable."""
        self.folder.check_room(self.size)
        self._part = self.folder.part()
        try:
            self._file = open(self._part, "xb")  # noqa: SIM115 - it stays open from one piece to the next
        except OSError as error:
            raise FolderNotUsable(f"cannot write {self._part}: {error.strerror}") from None

    def take(self, offset: int, piece: Any) -> None:
        """The next piece. Errors: UsageError for one that does not follow the last; DiskFull."""
        if self._file is None or offset != self.done or self.done + len(piece) > self.size:
            raise UsageError(
                f"a piece of {self.name} came at byte {offset:,}, expected was {self.done:,}: send it again"
            )
        try:
            self._file.write(piece)
        except OSError as error:
            raise DiskFull(f"{self.name}: {error.strerror}, after {bytes_text(self.done)}") from None
        self.done += len(piece)

    @property
    def whole(self) -> bool:
        return self.done == self.size

    def finish(self, replace: bool) -> Any:
        """Give it its name; returns what `backup` takes for its path."""
        assert self._file is not None and self._part is not None
        self._file.close()
        return self.folder.put(self._part, self.name, replace)

    def drop(self) -> None:
        """Forget what has come. May be called twice, and after the end."""
        if self._file is not None:
            self._file.close()
        if self._part is not None:
            self._part.unlink(missing_ok=True)

    def free_name(self) -> str:
        """A name beside the one that is taken: `notes (2).txt`."""
        stem, dot, ending = self.name.rpartition(".")
        stem, ending = (stem, dot + ending) if stem else (self.name, "")
        number = 2
        while self.folder.exists(f"{stem} ({number}){ending}"):
            number += 1
        return check_name(f"{stem} ({number}){ending}")
