"""Balancing: which copy to move so that the fullest server comes nearer to the emptiest. Pure."""

from __future__ import annotations

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
    files = list(directory.files_of(source.address))
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
        fitting.sort(key=lambda file: abs(gap - 2 * file.size))
        file = next((file for file in fitting if _is_movable(directory, source, file)), None)
        if file is not None:
            copies = directory.catalogue.copies((file.client, file.name), file.version)
            others = [each for each in directory.in_order(copies) if each.address != source.address]
            return Move(file, source, target, others)
    return None


def _is_movable(directory: Directory, source: ServerRecord, file: FileRecord) -> bool:
    """Whether a version counts as a copy there, and nothing of its file is under way."""
    key = (file.client, file.name)
    return (
        file.version > directory.catalogue.buried(key)
        and not directory.reservations.is_open(key)
        and not directory.upkeep.works_on(key)
        and source.address in directory.catalogue.copies(key, file.version)
    )
