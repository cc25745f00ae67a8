"""A server's folder: where its files lie, and the few things that are done to them by name."""

from __future__ import annotations

from blake3 import blake3

from ..errors import NoSuchFile, StorageError
from ..records import FileRecord
from ..world.base import Disk, Reader

__all__ = ["Folder", "digest"]

_READ_BYTES = 1 << 20


class Folder:
    """`Backups/<client>/<name>` and `Incoming/`."""

    def __init__(self, disk: Disk, path: str) -> None:
        self.disk, self.path = disk, path
        self.backups, self.incoming = f"{path}/Backups", f"{path}/Incoming"
        disk.make_folder(self.backups)
        disk.make_folder(self.incoming)

    def path_of(self, file: FileRecord) -> str:
        """The path of a stored file."""
        return f"{self.backups}/{file.client}/{file.name}"

    def waiting(self, name: str) -> str:
        """The path of a file that is arriving."""
        return f"{self.incoming}/{name}"

    def give_name(self, incoming: str, path: str) -> None:
        """Rename a file over its name; an empty folder, left there when its removal failed, makes way."""
        source = self.waiting(incoming)
        try:
            self.disk.rename(source, path)
        except StorageError:
            folder, _, name = path.rpartition("/")
            if not any(entry.is_folder and entry.name == name for entry in self.disk.list(folder)):
                raise
            self.disk.remove(path)
            self.disk.rename(source, path)

    def tidy(self, folder: str) -> None:
        """Make a removal in a folder durable, and remove the folder, and those above it, once nothing is in them."""
        while folder != self.backups and not self.disk.list(folder):
            try:
                self.forget(folder)
            except StorageError:
                break  # a person has put something there that is no file of ours, such as a link
            folder = folder.rpartition("/")[0]
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


def digest(reader: Reader) -> str:
    hasher, buffer = blake3(), bytearray(_READ_BYTES)
    view = memoryview(buffer)
    while count := reader.read_into(view):
        hasher.update(view[:count])
    return hasher.hexdigest()
