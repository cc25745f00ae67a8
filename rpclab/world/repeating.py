"""A task that does something again and again until it is stopped."""

from __future__ import annotations

from collections.abc import Callable

from .base import Task, World

__all__ = ["Repeating"]


class Repeating:
    """Calls a function every so many seconds, in a task of its own, from `start` until `stop`."""

    def __init__(self, world: World, function: Callable[[], object], every_s: float, name: str) -> None:
        self._world, self._function, self._every_s, self._name = world, function, every_s, name
        self._changed = world.tasks.condition()  # guards _stopping
        self._stopping = False
        self._task: Task | None = None

    def start(self) -> None:
        self._task = self._world.tasks.spawn(self._run, self._name)

    def _run(self) -> None:
        while self.pause(self._every_s):
            self._function()

    def pause(self, seconds: float) -> bool:
        """Wait so long, for the function's own use too: False as soon as it is to stop."""
        until = self._world.clock.now() + seconds
        with self._changed:
            while not self._stopping and (left := until - self._world.clock.now()) > 0:
                self._changed.wait(left)
            return not self._stopping

    def stop(self, within_s: float = 5.0) -> None:
        """Call it no more, and wait for the call under way. May be called twice, and without a start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._task is not None:
            self._task.join(within_s)
