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
    targets = [(each, load(source) - load(each), room(each)) for each in servers[:-1]]
    best: tuple[int, int, FileRecord] | None = None  # the emptiest target, for it the best file
    for file in directory.files_of(source.address):
        for number, (target, gap, space) in enumerate(targets):
            how_far = abs(gap - 2 * file.size)
            if not 0 < file.size < gap or (best is not None and (number, how_far) >= best[:2]):
                break  # no better with the next, which stores more
            if (
                (space is None or file.size <= space)
                and not directory.holds(target.address, file)
                and _is_movable(directory, source, file)
            ):
                best = number, how_far, file
                break
    if best is None:
        return None
    number, _, file = best
    copies = directory.catalogue.copies((file.client, file.name), file.version)
    others = [each for each in directory.in_order(copies) if each.address != source.address]
    return Move(file, source, targets[number][0], others)


def _is_movable(directory: Directory, source: ServerRecord, file: FileRecord) -> bool:
    """Whether a version counts as a copy there, and nothing of its file is under way."""
    key = (file.client, file.name)
    return (
        file.version > directory.catalogue.buried(key)
        and not directory.reservations.is_open(key)
        and not directory.upkeep.works_on(key)
        and source.address in directory.catalogue.copies(key, file.version)
    )
