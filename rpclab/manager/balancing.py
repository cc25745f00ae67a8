"""Balancing: which copy to move so that the fullest server comes nearer to the emptiest. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..records import FileRecord, ServerRecord, file_key
from .candidates import load, rank, room
from .directory import Directory

__all__ = ["Move", "next_move"]


@dataclass(frozen=True, slots=True)
class Move:
    """One copy of a version goes from the source to the target; the `others` that hold one keep theirs."""

    file: FileRecord
    source: ServerRecord
    target: ServerRecord
    others: list[ServerRecord]

    @property
    def key(self) -> str:
        return file_key(self.file.client, self.file.name)


def next_move(directory: Directory, ratio: float) -> Move | None:
    """The move that does most; None once the fullest server's bytes are within `ratio` of the emptiest's, or if none helps.

    A copy of half the difference would make two servers even, one of the whole difference would only swap them: so each move
    lessens the sum of the squares of all loads, and the moving ends. Costs O(files of the fullest server).
    """
    servers = sorted(
        (each for each in directory.servers() if each.wire == "rpclab" and not directory.is_suspected(each.address)),
        key=rank,
    )
    if len(servers) < 2 or load(servers[-1]) <= ratio * load(servers[0]):
        return None
    source = servers[-1]
    files = list(_movable(directory, source))
    for target in servers[:-1]:
        gap = load(source) - load(target)
        space = room(target)
        fitting = [
            file
            for file in files
            if 0 < file.size < gap
            and (space is None or file.size <= space)
            and not directory.holds(target.address, file)
        ]
        if fitting:
            file = min(fitting, key=lambda file: abs(gap - 2 * file.size))
            copies = directory.catalogue.copies((file.client, file.name), file.version)
            others = [each for each in directory.in_order(copies) if each.address != source.address]
            return Move(file, source, target, others)
    return None


def _movable(directory: Directory, source: ServerRecord) -> Iterator[FileRecord]:
    """The versions on a server that count as copies, and of which nothing is under way."""
    catalogue = directory.catalogue
    for file in directory.files_of(source.address):
        key = (file.client, file.name)
        if (
            file.version > catalogue.buried(key)
            and not directory.reservations.is_open(key)
            and not directory.upkeep.works_on(key)
            and source.address in catalogue.copies(key, file.version)
        ):
            yield file
