"""Pace: how work in the background is kept slow enough to leave the foreground its disk and network."""

from __future__ import annotations

from collections.abc import Callable

from ..world.base import World

__all__ = ["Pace"]


class Pace:
    """Holds work back so that it does no more than so many bytes a second; all waiting ends at `stop`."""

    def __init__(self, world: World) -> None:
        self._now = world.clock.now
        self._changed = world.tasks.condition()  # guards _stopping
        self._stopping = False

    def at(self, bytes_s: float) -> Callable[[int], bool]:
        """A pace that begins now: call it with the bytes done so far, and it returns when so many are due; False once stopped."""
        began = self._now()
        return lambda done: self.pause(began + done / bytes_s - self._now())

    def pause(self, seconds: float) -> bool:
        """Wait so long: False as soon as it was stopped."""
        until = self._now() + seconds
        with self._changed:
            while not self._stopping and (left := until - self._now()) > 0:
                self._changed.wait(left)
            return not self._stopping

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
