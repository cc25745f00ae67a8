"""The index: a server's stored files by name, in memory, with the collisions that would hide one file behind another. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..errors import NameCollision, NoSuchFile
from ..names import fold
from ..records import FileRecord, file_key

__all__ = ["Index"]


class Index:
    """Stored files, found whatever the case of their letters, but only under their exact name."""

    def __init__(self) -> None:
        self._files: dict[str, FileRecord] = {}
        self._folders: Counter[str] = Counter()  # how many files lie below each folder
        self.stored_bytes = 0

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[FileRecord]:
        return iter(sorted(self._files.values(), key=lambda file: (file.client, file.name)))

    def find(self, client: str, name: str) -> FileRecord | None:
        """The file of exactly this name; raises NameCollision if another takes its place on some systems."""
        key = fold(file_key(client, name))
        found = self._files.get(key)
        if found is not None and (found.client, found.name) != (client, name):
            raise NameCollision(
                f"{file_key(client, name)!r} and the stored {file_key(found.client, found.name)!r} are one name on some systems: "
                "rename one of them"
            )
        if found is None and self._folders[key]:
            raise NameCollision(f"{file_key(client, name)!r} is a folder here: a file cannot have its name")
        for folder in _folders(key):
            if folder in self._files:
                raise NameCollision(
                    f"{file_key(client, name)!r} would lie in a folder, but {folder!r} is a stored file"
                )
        return found

    def get(self, client: str, name: str) -> FileRecord:
        """The file of this name; raises NoSuchFile."""
        found = self._files.get(fold(file_key(client, name)))
        if found is None or (found.client, found.name) != (client, name):
            raise NoSuchFile(f"{file_key(client, name)!r} is not stored here")
        return found

    def put(self, file: FileRecord) -> None:
        """Take a file in; one of the same name makes way."""
        self.drop(file.client, file.name)
        key = fold(file_key(file.client, file.name))
        self._files[key] = file
        self._folders.update(_folders(key))
        self.stored_bytes += file.size

    def drop(self, client: str, name: str) -> FileRecord | None:
        key = fold(file_key(client, name))
        file = self._files.pop(key, None)
        if file is not None:
            self._folders.subtract(_folders(key))
            self.stored_bytes -= file.size
        return file


def _folders(key: str) -> list[str]:
    parts = key.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]
