"""A shelf: the kept versions of one file, and how they change places on the disk.

The newest lies under the plain name, earlier ones in Versions. Each move is one rename to a place where nothing of value
lies, and is durable before the next begins: whatever moment the power fails at, each version is in one of its two places.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from ..errors import NoSuchFile
from ..records import FileRecord, file_key
from .folder import Folder, parent

__all__ = ["Shelf"]


class Shelf:
    """The versions of one file. `plain` is the one that lies under the plain name, None if none of them does.

    `foreign` is set when somebody changed what lies there: the version that was expected. Only a new version may replace
    such a file.
    """

    def __init__(self, folder: Folder, client: str, name: str) -> None:
        self.client, self.name = client, name
        self.versions: dict[int, FileRecord] = {}
        self.plain: int | None = None
        self.foreign: FileRecord | None = None
        self._folder, self._disk = folder, folder.disk
        self._path = folder.plain(client, name)

    @property
    def key(self) -> str:
        return file_key(self.client, self.name)

    @property
    def newest(self) -> FileRecord | None:
        return self.versions[max(self.versions)] if self.versions else None

    def path_of(self, version: int) -> str:
        return self._path if version == self.plain else self._folder.earlier(self.client, self.name, version)

    def others(self, version: int) -> list[int]:
        """The versions beside this one, in order."""
        return sorted(each for each in self.versions if each != version)

    def kept_with(self, version: int, keep: int | None) -> tuple[list[int], list[FileRecord]]:
        """Which versions stay, in order, when this one comes and `keep` of them are kept, None for all; which make way."""
        versions = sorted({*self.versions, version})
        kept = versions if keep is None else versions[-max(1, keep) :]
        return kept, [self.versions[each] for each in versions if each not in kept and each != version]

    def take_in(self, version: int, incoming: str, kept: Collection[int]) -> str:
        """Give a file that waits in Incoming its place; of the others those in `kept` stay. Returns the folder that is to be
        synced for it."""
        waiting = self._folder.waiting(incoming)
        if version < max(kept, default=version):
            path = self._folder.earlier(self.client, self.name, version) if version != self.plain else self._path
            self._disk.make_folder(parent(path))
            self._folder.give_name(waiting, path)
            return parent(path)
        self._disk.make_folder(parent(self._path))
        if self.plain in kept:
            self.set_aside()
        self._folder.give_name(waiting, self._path)
        self.plain, self.foreign = version, None
        return parent(self._path)

    def set_aside(self) -> None:
        """Move what lies under the plain name to the earlier versions."""
        assert self.plain is not None
        path = self._folder.earlier(self.client, self.name, self.plain)
        self._disk.make_folder(parent(path))
        with suppress(NoSuchFile):  # somebody took it from the disk: that is found when this version is read
            self._folder.give_name(self._path, path)
        self.plain = None
        self._disk.sync_folder(parent(path))

    def raise_newest(self) -> None:
        """Give the newest version the plain name, if nothing that stays has it."""
        newest = self.newest
        if newest is None or self.plain in self.versions or self.foreign is not None:
            return
        source = self._folder.earlier(self.client, self.name, newest.version)
        self._disk.make_folder(parent(self._path))
        self._folder.give_name(source, self._path)
        self.plain = newest.version
        self._disk.sync_folder(parent(self._path))
        self._folder.tidy(parent(source))

    def quarantine_name(self, version: int) -> str:
        """A name in Quarantine that nothing has yet."""
        taken = {entry.name for entry in self._disk.list(self._quarantine)}
        name, number = str(version), 1
        while name in taken:
            number += 1
            name = f"{version}-{number}"
        return name

    def quarantine(self, version: int, name: str) -> None:
        """Move the contents of a version away, where nothing touches them any more."""
        source = self.path_of(version)
        self._disk.make_folder(self._quarantine)
        self._disk.rename(source, f"{self._quarantine}/{name}")
        if version == self.plain:
            self.plain = None

    def after_quarantine(self, version: int) -> None:
        """Make that durable, and let the newest of the others have the plain name."""
        self._disk.sync_folder(self._quarantine)
        self.raise_newest()
        if not self.versions:
            self._folder.tidy(parent(self._path))
        self._folder.tidy(parent(self._folder.earlier(self.client, self.name, version)))

    def quarantined(self, name: str) -> str | None:
        """The path of what lies in Quarantine under this name."""
        there = any(entry.name == name for entry in self._disk.list(self._quarantine))
        return f"{self._quarantine}/{name}" if there else None

    @property
    def _quarantine(self) -> str:
        return f"{self._folder.quarantine}/{self.client}/{self.name}"
