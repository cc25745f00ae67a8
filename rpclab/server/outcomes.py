"""What became of each upload, so that a sender can ask for it, again or over another connection."""

from __future__ import annotations

from collections import OrderedDict

from ..errors import NoSuchFile, RpclabError
from ..records import Receipt
from ..world.base import World

__all__ = ["Outcomes"]


class Outcomes:
    """The last `limit` uploads: under way, acknowledged, or failed."""

    def __init__(self, world: World, limit: int) -> None:
        self._now = world.clock.now
        self._limit = limit
        self._changed = world.tasks.condition()  # guards _known
        self._known: OrderedDict[str, Receipt | RpclabError | None] = OrderedDict()

    def begin(self, upload: str) -> None:
        self.end(upload, None)

    def end(self, upload: str, outcome: Receipt | RpclabError | None) -> None:
        with self._changed:
            self._known[upload] = outcome
            self._known.move_to_end(upload)
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
            self._changed.notify_all()

    def wait(self, upload: str, seconds: float) -> Receipt:
        """The receipt, once there is one; raises the error that the upload ended with, or NoSuchFile for an unknown one."""
        until = self._now() + seconds
        with self._changed:
            while True:
                if upload not in self._known:
                    raise NoSuchFile(f"no upload {upload[:40]!r} is known here: send the file again")
                outcome = self._known[upload]
                if isinstance(outcome, Receipt):
                    return outcome
                if outcome is not None:
                    raise outcome
                left = until - self._now()
                if left <= 0:
                    raise NoSuchFile(f"the upload {upload[:40]!r} is still under way: ask again")
                self._changed.wait(left)
