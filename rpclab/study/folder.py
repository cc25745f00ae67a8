"""What lies in a server's folder: every stored copy with the digest that its bytes have now, and whatever else is
there.

Each file is read once. Nothing that the server says of its files is believed here: digests are those of the bytes,
and what the journal says is kept beside them, for who wants to compare.
"""

from __future__ import annotations

import os
import pathlib
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field

from blake3 import blake3

from ..errors import NoSuchFile, RpclabError
from ..records import FileRecord, file_key
from ..server.journal import Journal
from ..server.own_store import FOLDER
from ..world.base import Disk
from ..world.real_disk import RealDisk

__all__ = ["Copy", "ServerFolder"]

_READ_BYTES = 1 << 20
_GIT_KEEPS = "Backups/.gitkeep"  # git knows no empty folders: this empty file is how a clone has one
_KNOWN = frozenset(
    [
        "Backups",
        "Versions",
        "Quarantine",
        "Incoming",
        "journal.jsonl",
        "journal.jsonl.new",
        "lock",
    ]
)


@dataclass(frozen=True, slots=True)
class Copy:
    """A stored copy: `version` is None for the newest, which lies under its plain name. `path` is relative to the folder."""

    path: str
    version: int | None
    size: int
    digest: str


@dataclass(slots=True)
class ServerFolder:
    """One server's folder as it was found. `problem` says why it could not be read, "" if it could."""

    path: str
    problem: str = ""
    copies: dict[str, list[Copy]] = field(default_factory=dict)
    strange: list[tuple[str, str]] = field(default_factory=list)
    arriving: list[str] = field(default_factory=list)
    noted: dict[str, list[FileRecord]] = field(default_factory=dict)
    damaged_lines: int = 0

    @property
    def stored_bytes(self) -> int:
        """The bytes of all copies; what is arriving or in quarantine does not count."""
        return sum(copy.size for copies in self.copies.values() for copy in copies)

    @property
    def place(self) -> str:
        """The folder by its one real path, by which two servers that share it are found out."""
        return os.path.realpath(self.path)

    @classmethod
    def read(cls, path: str | os.PathLike[str], disk: Disk | None = None) -> ServerFolder:
        """Read a folder, of a simulated world if its `disk` is given."""
        found = cls(os.fspath(path))
        _Reading(found, disk or RealDisk(), real=disk is None).run()
        return found

    def holds(self, file: str, digest: str) -> bool:
        """Whether one of a file's copies here has these very bytes."""
        return any(copy.digest == digest for copy in self.copies.get(file, ()))


class _DiskOnly:
    """As much of a world as a journal needs to be read."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk


class _Reading:
    def __init__(self, found: ServerFolder, disk: Disk, *, real: bool) -> None:
        self._found, self._disk, self._real = found, disk, real

    def run(self) -> None:
        found = self._found
        if self._real and not os.path.isdir(found.path):
            found.problem = "there is no such folder"
            return
        if any(entry.name == FOLDER for entry in self._disk.list(found.path)):
            found.problem = "its files are in a store of somebody's own, which nothing else can read"
            return
        try:
            self._top()
            self._stored("Backups", versions=False)
            self._stored("Versions", versions=True)
            found.arriving = sorted(self._names("Incoming"))
            self._journal()
        except (RpclabError, OSError) as error:
            found.problem = str(error)

    def _top(self) -> None:
        for entry in self._disk.list(self._found.path):
            if entry.name not in _KNOWN and not entry.name.startswith("epoch-"):
                self._found.strange.append((entry.name, "lies beside what a server keeps in its folder"))
        if self._real:
            root = pathlib.Path(self._found.path)
            for path in sorted(_odd(root)):
                self._found.strange.append((path.relative_to(root).as_posix(), "is a link or a device, no file"))

    def _stored(self, below: str, *, versions: bool) -> None:
        for path in self._names(below):
            parts = path.split("/")
            if f"{below}/{path}" == _GIT_KEEPS and not self._digest(f"{self._found.path}/{_GIT_KEEPS}")[0]:
                continue
            if len(parts) < 2 + versions or (versions and not parts[-1].isdecimal()):
                self._found.strange.append((f"{below}/{path}", "is not named as a stored file"))
                continue
            version = int(parts.pop()) if versions else None
            try:
                size, digest = self._digest(f"{self._found.path}/{below}/{path}")
            except NoSuchFile:
                continue  # gone since it was listed: the server is at work
            key = file_key(parts[0], "/".join(parts[1:]))
            self._found.copies.setdefault(key, []).append(Copy(f"{below}/{path}", version, size, digest))

    def _names(self, below: str) -> Iterable[str]:
        return _walk(self._disk, f"{self._found.path}/{below}")

    def _digest(self, path: str) -> tuple[int, str]:
        reader = self._disk.open(path)
        try:
            hasher, buffer, size = blake3(), bytearray(min(_READ_BYTES, reader.size + 1)), 0
            view = memoryview(buffer)
            while count := reader.read_into(view):
                hasher.update(view[:count])
                size += count
            return size, hasher.hexdigest()
        finally:
            reader.close()

    def _journal(self) -> None:
        journal = Journal(_DiskOnly(self._disk), self._found.path)  # type: ignore[arg-type]
        for entry in journal.read():
            file = entry.file
            if entry.stored and file.name:
                self._found.noted.setdefault(file_key(file.client, file.name), []).append(file)
        self._found.damaged_lines = journal.damaged


def _walk(disk: Disk, folder: str, below: str = "") -> Iterable[str]:
    for entry in disk.list(folder):
        if entry.is_folder:
            yield from _walk(disk, f"{folder}/{entry.name}", f"{below}{entry.name}/")
        else:
            yield f"{below}{entry.name}"


def _odd(folder: pathlib.Path) -> Iterable[pathlib.Path]:
    """Links, pipes and devices below a folder."""
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = pathlib.Path(root, name)
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:
                continue
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                yield path
