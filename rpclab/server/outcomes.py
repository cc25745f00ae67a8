"""What became of each upload, so that a sender can ask for it, again or over another connection."""

from __future__ import annotations

from collections import OrderedDict

from ..errors import DeadlineExceeded, RpclabError, UploadUnknown
from ..records import Receipt
from ..world.base import World

__all__ = ["Outcomes"]


class Outcomes:
    """The last `limit` uploads: under way, acknowledged, or failed."""

    def __init__(self, world: World, limit: int) -> None:
        self._now = world.clock.now
        self._limit = limit
        self._changed = world.tasks.condition()  # guards what follows
        self._known: OrderedDict[str, tuple[int, Receipt | RpclabError | None]] = OrderedDict()
        self._attempts = 0

    def begin(self, upload: str) -> int:
        """An upload begins, perhaps again: returns the number of this attempt."""
        with self._changed:
            self._attempts += 1
            self._note(upload, self._attempts, None)
            return self._attempts

    def end(self, upload: str, attempt: int, outcome: Receipt | RpclabError) -> None:
        """An attempt has ended; one that failed after a later one had begun says nothing of the upload."""
        with self._changed:
            latest, known = self._known.get(upload, (attempt, None))
            if isinstance(outcome, Receipt) or (attempt == latest and known is None):
                self._note(upload, max(attempt, latest), outcome)

    def _note(self, upload: str, attempt: int, outcome: Receipt | RpclabError | None) -> None:
        self._known[upload] = (attempt, outcome)
        self._known.move_to_end(upload)
        while len(self._known) > self._limit:
            self._known.popitem(last=False)
        self._changed.notify_all()

    def wait(self, upload: str, seconds: float) -> Receipt:
        """The receipt, once there is one; raises the error that the upload ended with, UploadUnknown
        if it is not known here, DeadlineExceeded if it is still under way."""
        until = self._now() + seconds
        with self._changed:
            while True:
                if upload not in self._known:
                    raise UploadUnknown(f"no upload {upload[:40]!r} is known here: send the file again")
                _, outcome = self._known[upload]
                if isinstance(outcome, Receipt):
                    return outcome
                if outcome is not None:
                    raise outcome
                left = until - self._now()
                if left <= 0:
                    raise DeadlineExceeded(f"the upload {upload[:40]!r} is still under way: ask again")
                self._changed.wait(left)
