"""A server's folder: where its files lie, and the few things that are done to them by name."""

from __future__ import annotations

from collections.abc import Callable

from blake3 import blake3

from ..errors import NoSuchFile, StorageError
from ..world.base import Disk, Reader

__all__ = ["Folder", "digest", "parent"]

_READ_BYTES = 1 << 20


class Folder:
    """`Backups/<client>/<name>`, `Versions/` and `Quarantine/<client>/<name>/<version>`, `Incoming/`."""

    def __init__(self, disk: Disk, path: str) -> None:
        self.disk, self.path = disk, path
        self.backups, self.incoming = f"{path}/Backups", f"{path}/Incoming"
        self.versions, self.quarantine = f"{path}/Versions", f"{path}/Quarantine"
        self._roots = (self.backups, self.versions, self.quarantine)
        for each in (*self._roots, self.incoming):
            disk.make_folder(each)

    def plain(self, client: str, name: str) -> str:
        """The path of a file's newest version."""
        return f"{self.backups}/{client}/{name}"

    def earlier(self, client: str, name: str, version: int) -> str:
        """The path of an earlier version."""
        return f"{self.versions}/{client}/{name}/{version}"

    def waiting(self, name: str) -> str:
        """The path of a file that is arriving."""
        return f"{self.incoming}/{name}"

    def give_name(self, source: str, path: str) -> None:
        """Rename a file over a name; an empty folder, left there when its removal failed, makes way."""
        try:
            self.disk.rename(source, path)
        except StorageError:
            folder, _, name = path.rpartition("/")
            if not any(entry.is_folder and entry.name == name for entry in self.disk.list(folder)):
                raise
            self.disk.remove(path)
            self.disk.rename(source, path)

    def remove(self, path: str) -> None:
        """Remove a file for good, and the folders above it once nothing is in them."""
        self.forget(path)
        self.tidy(parent(path))

    def tidy(self, folder: str) -> None:
        """Make a removal in a folder durable, and remove the folder, and those above it, once nothing is in them."""
        while folder not in self._roots and not self.disk.list(folder):
            try:
                self.forget(folder)
            except StorageError:
                break  # a person has put something there that is no file of ours, such as a link
            folder = parent(folder)
        self.disk.sync_folder(folder)

    def forget(self, path: str) -> None:
        """Remove a file if it is there."""
        try:
            self.disk.remove(path)
        except NoSuchFile:
            return  # gone already: that is what was wanted

    def digest(self, path: str) -> str:
        """The digest of the contents that a file has now."""
        reader = self.disk.open(path)
        try:
            return digest(reader)
        finally:
            reader.close()


def parent(path: str) -> str:
    return path.rpartition("/")[0]


def digest(reader: Reader, progress: Callable[[int], object] = lambda done: None) -> str:
    """The digest of what a reader reads; `progress` is told the bytes done, and may hold it back."""
    hasher, buffer, done = blake3(), bytearray(min(_READ_BYTES, reader.size + 1)), 0
    view = memoryview(buffer)
    while count := reader.read_into(view):
        hasher.update(view[:count])
        done += count
        progress(done)
    return hasher.hexdigest()
