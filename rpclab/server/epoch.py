"""The epoch: the last life of the manager that a server knows of, kept in a name, for which also a full disk has room."""

from __future__ import annotations

from ..world.base import Disk

__all__ = ["Epoch"]


class Epoch:
    """An empty file `epoch-<number>` in a server's folder. Not locked: its store does that."""

    def __init__(self, disk: Disk, folder: str) -> None:
        self._disk, self._folder = disk, folder

    @property
    def known(self) -> int:
        """The highest epoch that was kept, 0 before the first."""
        return max(self._all(), default=0)

    def keep(self, epoch: int) -> None:
        """Note an epoch, durably, if it is higher than the one known."""
        known = self.known
        if epoch > known:
            path = f"{self._folder}/epoch-{epoch}"
            if known:
                self._disk.rename(f"{self._folder}/epoch-{known}", path)
            else:
                self._disk.create(path).close()
            self._disk.sync_folder(self._folder)

    def _all(self) -> list[int]:
        parts = (entry.name.partition("epoch-") for entry in self._disk.list(self._folder))
        return [int(number) for before, _, number in parts if not before and number.isascii() and number.isdigit()]
