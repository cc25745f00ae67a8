"""Progress: what is being done about copies, what has been done since the manager's start, and what went wrong last."""

from __future__ import annotations

from typing import Any

from ..errors import RpclabError
from ..records import FileRecord
from ..rpc.listener import Say
from ..trace import Tracer
from ..world.base import World
from .balancing import Move
from .works import Work

__all__ = ["Progress"]


class Progress:
    """Written by those who do it, read by `getUpkeep`."""

    def __init__(self, world: World, tracer: Tracer, say: Say) -> None:
        self._tracer, self._say = tracer, say
        self.problem = ""
        """What went wrong last."""
        self._lock = world.tasks.lock()  # guards all that follows
        self._running: dict[str, dict[str, Any]] = {}
        self._done = {"copied": 0, "copied_bytes": 0, "trimmed": 0, "buried": 0, "moved": 0, "failed": 0}
        self._balance: dict[str, Any] | None = None

    def told(self, problem: str) -> dict[str, Any]:
        """All of it, as plain values; the `problem` of somebody else where none is known here."""
        with self._lock:
            return {
                "running": list(self._running.values()),
                **self._done,
                "problem": self.problem or problem,
                "balance": None if self._balance is None else dict(self._balance),
            }

    def begin(self, upload: str, facts: dict[str, Any]) -> None:
        """A copy is being made under this upload; `facts` say which."""
        with self._lock:
            self._running[upload] = facts

    def end(self, upload: str) -> None:
        """It is made, or has failed."""
        with self._lock:
            self._running.pop(upload, None)

    def count(self, **more: int) -> None:
        """So much more was done."""
        with self._lock:
            for what, number in more.items():
                self._done[what] += number

    def failed(self, work: Work | Move, error: RpclabError) -> None:
        """A work ended with an error, and will come again: note it, and say it."""
        self.problem = f"{type(work).__name__.lower()} of {work.key}: {error}"
        self.count(failed=1)
        self._tracer.event(
            "failed",
            file=work.key,
            detail={"error": type(error).__name__, "message": error.message, "during": "repair"},
        )
        self._say(f"upkeep failed, and will be tried again: {self.problem}")

    # ---- balance

    def begin_balance(self, ratio: float) -> bool:
        """Copies are being moved from now on; False if they are already."""
        with self._lock:
            if self._balance is not None and not self._balance["over"]:
                return False
            self._balance = {"ratio": ratio, "moved": 0, "moved_bytes": 0, "over": False, "reason": ""}
            return True

    def moved(self, file: FileRecord) -> None:
        """One copy of a version was moved."""
        with self._lock:
            assert self._balance is not None
            self._done["moved"] += 1
            self._balance["moved"] += 1
            self._balance["moved_bytes"] += file.size

    def end_balance(self, reason: str) -> None:
        """No more are moved, for this reason."""
        with self._lock:
            assert self._balance is not None
            self._balance.update(over=True, reason=reason)
