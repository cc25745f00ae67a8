"""Reservations: bytes that were promised to uploads and are not yet stored, so that two clients who ask at the same moment are
not sent to the same server. Pure; times are seconds."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

from ..config import Address
from .catalogue import FileKey

__all__ = ["Reservations"]


_ENDED = 1000  # uploads that ended and still wait for their time to be over, beside as many as are under way


@dataclass(slots=True, eq=False)
class _Upload:
    """Bytes promised to one upload, by server, until they expire."""

    name: str
    file: FileKey
    expires: float
    promised: dict[Address, int]


class Reservations:
    """What each upload was promised, on which servers."""

    def __init__(self, last_s: float) -> None:
        self._last_s = last_s
        self._uploads: dict[str, _Upload] = {}
        self._expiring: deque[_Upload] = deque()  # in order of expiry, since all last equally long
        self._by_server: dict[Address, dict[str, int]] = {}
        self._totals: Counter[Address] = Counter()
        self._open: Counter[FileKey] = Counter()

    def reserved(self, address: Address) -> int:
        """The bytes promised on a server."""
        return self._totals[address]

    def is_open(self, file: FileKey) -> bool:
        """Whether an upload of this file is under way."""
        return self._open[file] > 0

    def of_server(self, address: Address) -> list[str]:
        """The uploads that were promised something on a server."""
        return list(self._by_server.get(address, ()))

    def of_upload(self, upload: str) -> list[Address]:
        """The servers on which an upload still has something, in order."""
        known = self._uploads.get(upload)
        return sorted(known.promised) if known else []

    def uploads(self) -> list[tuple[str, FileKey, dict[Address, int]]]:
        """What each upload was promised and has not yet stored: its name, its file, the bytes by server."""
        return [(each.name, each.file, dict(each.promised)) for each in self._uploads.values()]

    def reserve(self, upload: str, file: FileKey, promised: Mapping[Address, int], now: float) -> None:
        """Promise an upload that has nothing so many bytes, by server."""
        promise = self._uploads[upload] = _Upload(upload, file, now + self._last_s, dict(promised))
        self._expiring.append(promise)
        self._open[file] += 1
        for address, size in promised.items():
            self._by_server.setdefault(address, {})[upload] = size
            self._totals[address] += size

    def release(self, address: Address, upload: str) -> FileKey | None:
        """Take back what is promised to an upload on one server. Returns the upload's file if that was its last."""
        promise = self._uploads.get(upload)
        if promise is None or promise.promised.pop(address, None) is None:
            return None
        table = self._by_server[address]
        self._totals[address] -= table.pop(upload)
        if not table:
            del self._by_server[address], self._totals[address]
        if promise.promised:
            return None
        del self._uploads[upload]
        if len(self._expiring) > 2 * len(self._uploads) + _ENDED:
            self._expiring = deque(each for each in self._expiring if self._uploads.get(each.name) is each)
        self._open[promise.file] -= 1
        if not self._open[promise.file]:
            del self._open[promise.file]
        return promise.file

    def expired(self, now: float) -> list[str]:
        """The uploads whose time is over; each is named once."""
        over = []
        while self._expiring and self._expiring[0].expires <= now:
            upload = self._expiring.popleft()
            if self._uploads.get(upload.name) is upload:
                over.append(upload.name)
        return over
