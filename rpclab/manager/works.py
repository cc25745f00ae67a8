"""Works: what can be done about a file's copies, and what of it is under way, so that not all ask the same server. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..config import Address
from ..records import FileRecord, ServerRecord, file_key
from .candidates import Rank, load
from .catalogue import FileKey

__all__ = ["Bury", "Copy", "Trim", "UnderWay", "Work", "subject"]


@dataclass(frozen=True, slots=True)
class Copy:
    """One more copy of a version is needed: a source sends it to a server that is none of the `excluded`, which hold one or
    took none."""

    file: FileRecord
    sources: list[ServerRecord]
    excluded: frozenset[Address]

    @property
    def key(self) -> str:
        return file_key(self.file.client, self.file.name)


@dataclass(frozen=True, slots=True)
class Trim:
    """One copy too many: `extra` goes, once those of the keepers have been read and found whole."""

    file: FileRecord
    keepers: list[ServerRecord]
    extra: ServerRecord

    @property
    def key(self) -> str:
        return file_key(self.file.client, self.file.name)


@dataclass(frozen=True, slots=True)
class Bury:
    """A server holds versions that are deleted, or older than those that are kept: all up to this one go."""

    server: ServerRecord
    client: str
    name: str
    version: int

    @property
    def key(self) -> str:
        return file_key(self.client, self.name)


Work = Copy | Trim | Bury


def subject(work: Work) -> tuple[FileKey, int]:
    """The file, and its version, that a work is about."""
    about = work if isinstance(work, Bury) else work.file
    return (about.client, about.name), about.version


class UnderWay:
    """How much each server has to do for the works that were begun and have not ended."""

    def __init__(self, suspected: Callable[[Address], bool]) -> None:
        self._suspected = suspected
        self._sending: Counter[Address] = Counter()  # copies, by the server that is asked for them
        self._leaving: Counter[Address] = Counter()  # bytes that trims remove

    def begin(self, work: Work) -> Work:
        """The work as it is to be done: of servers that have a copy the one that sends fewest is asked, a suspected one last."""
        if isinstance(work, Copy):
            sources = sorted(
                work.sources, key=lambda each: (self._suspected(each.address), self._sending[each.address])
            )
            self._sending[sources[0].address] += 1
            return replace(work, sources=sources)
        if isinstance(work, Trim):
            self._leaving[work.extra.address] += work.file.size
        return work

    def end(self, work: Work) -> None:
        """A work that `begin` gave is done, or has failed."""
        if isinstance(work, Copy):
            self._sending[work.sources[0].address] -= 1
        elif isinstance(work, Trim):
            self._leaving[work.extra.address] -= work.file.size

    def rank(self, server: ServerRecord) -> Rank:
        """`rank` as it will be once the trims are done: else all would take from the same one of equally full servers."""
        return load(server) - self._leaving[server.address], server.files, server.node, server.address
