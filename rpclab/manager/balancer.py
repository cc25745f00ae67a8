"""The balancer: moves copy after copy from the fullest server to the emptiest, as long as balancing.py finds one that helps."""

from __future__ import annotations

from ..errors import RpclabError
from ..world.base import Lock, World
from .asking import Asking
from .balancing import Move, next_move
from .directory import Directory
from .progress import Progress

__all__ = ["Balancer"]


class Balancer:
    """Evens the servers out, once for each `run`. `lock` guards the directory."""

    def __init__(self, world: World, directory: Directory, lock: Lock, asking: Asking, progress: Progress) -> None:
        self._world, self._directory, self._lock = world, directory, lock
        self._asking, self._progress = asking, progress

    def run(self, ratio: float) -> None:
        """Move copies until the fullest server stores no more than `ratio` times what the emptiest does; what came of it is
        told to the progress, which knows that it has begun."""
        reason = "it ended before its time"
        try:
            reason = self._move_while_it_helps(ratio)
        finally:
            self._progress.end_balance(reason)

    def _move_while_it_helps(self, ratio: float) -> str:
        """Move copy after copy; returns why it ended."""
        while not self._asking.stopping:
            with self._lock:
                move = next_move(self._directory, ratio)
                if move is not None:
                    self._directory.upkeep.hold((move.file.client, move.file.name))
            if move is None:
                return "nothing more can be evened out"
            try:
                self._move(move)
            except RpclabError as error:
                if not self._asking.stopping:
                    self._progress.failed(move, error)
                return f"a copy could not be moved: {error}"
        return "the manager is stopping"

    def _move(self, move: Move) -> None:
        """Copy first, then remove: there are never fewer copies than wanted."""
        file, upload = move.file, self._world.nonce(16).hex()
        key = (file.client, file.name)
        try:
            with self._lock:
                self._directory.placing.reserve(upload, [move.target.address], key, file.size, self._world.clock.now())
            self._asking.copy(file, [move.source], move.target, upload, "balance")
            self._asking.trim(file, [*move.others, move.target], move.source, "balance")
        finally:
            with self._lock:
                self._directory.placing.release(upload)
                self._directory.upkeep.let_go(key, self._world.clock.now())
            self._progress.end(upload)
        self._progress.moved(file)
