"""The catalogue: which server holds which version of which file, in order of (client, name). Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from ..config import Address
from ..records import FileRecord

__all__ = ["Catalogue", "FileKey"]

FileKey = tuple[str, str]
"""A file's client and name."""


class Catalogue:
    """Which server holds which version of which file; listed in order of (client, name).

    The order is made when a page is asked for: sorting what is nearly sorted costs little more than reading it.
    """

    def __init__(self) -> None:
        self._holders: dict[FileKey, dict[Address, FileRecord]] = {}
        self._order: list[FileKey] | None = []

    def __len__(self) -> int:
        return len(self._holders)

    def put(self, address: Address, key: FileKey, record: FileRecord) -> None:
        if key not in self._holders:
            self._holders[key] = {}
            self._order = None
        self._holders[key][address] = record

    def drop(self, address: Address, key: FileKey) -> None:
        del self._holders[key][address]
        if not self._holders[key]:
            del self._holders[key]
            self._order = None

    def holders(self, key: FileKey) -> dict[Address, FileRecord]:
        return self._holders.get(key, {})

    def after(self, key: FileKey | None) -> Iterator[FileKey]:
        """The files that follow `key`, from the first one if it is None."""
        if self._order is None:
            self._holders = dict(sorted(self._holders.items()))
            self._order = list(self._holders)
        order = self._order
        start = 0 if key is None else bisect_right(order, key)
        return (order[index] for index in range(start, len(order)))
