"""Exactly once in effect: a call that comes again with the same id is not done again, its first outcome is told again.

A caller whose answer was lost cannot know whether it was heard, so it asks again with the same `once`. Of each such call this
table knows that it is under way, in which case the second asker waits for it, or how it ended. It is kept in memory: a node
that was started anew has forgotten it, and what must survive that has an id of its own (an upload, a version).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from msgspec import Raw

from ..config import Limits
from ..errors import DeadlineExceeded
from ..world.base import World
from .messages import ErrorObject

__all__ = ["Key", "Once", "Outcome"]

Key = tuple[str, str, str, str]
"""Role and node of the caller, the method, and the id that the caller made for this call."""

Outcome = Raw | ErrorObject
"""How a call ended: its result as it was sent, or its error."""

_Other = TypeVar("_Other")
_ENTRY_BYTES = 400  # of Python's own, for a key and its place in the table


class Once:
    """The calls that are under way, and the outcomes of the last ones: `limits.once` of them, `limits.once_bytes` in all."""

    def __init__(self, world: World, limits: Limits) -> None:
        self._now, self._limits = world.clock.now, limits
        self._lock = (
            world.tasks.lock()
        )  # guards what follows; `_changed` is only for those that wait, as that is dearer
        self._changed = world.tasks.condition()
        self._waiting = 0
        self._under_way: set[Key] = set()
        self._ended: OrderedDict[Key, Outcome] = OrderedDict()
        self._bytes = 0

    def run(self, key: Key, seconds: float, work: Callable[[], Outcome | _Other]) -> Outcome | _Other:
        """Do the work unless it was done: returns how it ended, now or the first time. Errors: DeadlineExceeded, if it is
        under way and does not end within so many seconds.

        What is no outcome (a conversation, whose data follow) is not kept: asked again, it is done again.
        """
        known = self._begin(key, seconds)
        if known is not None:
            return known
        ended: Outcome | None = None
        try:
            result = work()
            if isinstance(result, Raw | ErrorObject):
                ended = result
        finally:
            self._end(key, ended)
        return result

    def _begin(self, key: Key, seconds: float) -> Outcome | None:
        """The outcome, if there is one; else the call is under way from now on."""
        until: float | None = None
        while True:
            with self._lock:
                if key in self._ended:
                    return self._ended[key]
                if key not in self._under_way:
                    self._under_way.add(key)
                    return None
                self._waiting += 1
            try:
                until = until or self._now() + seconds
                self._wait(key, until)
            finally:
                with self._lock:
                    self._waiting -= 1

    def _wait(self, key: Key, until: float) -> None:
        with self._changed:
            while key in self._under_way:
                if (left := until - self._now()) <= 0:
                    raise DeadlineExceeded(f"{key[2]} was asked before, and is still under way")
                self._changed.wait(left)

    def _end(self, key: Key, outcome: Outcome | None) -> None:
        with self._lock:
            self._under_way.discard(key)
            if outcome is not None:
                self._keep(key, outcome)
            waiting = self._waiting
        if waiting:  # they were counted before they looked, so none of them misses this
            with self._changed:
                self._changed.notify_all()

    def _keep(self, key: Key, outcome: Outcome) -> None:
        self._ended[key] = outcome
        self._bytes += _size(outcome)
        while len(self._ended) > self._limits.once or self._bytes > self._limits.once_bytes:
            self._bytes -= _size(self._ended.popitem(last=False)[1])

    def __len__(self) -> int:
        return len(self._ended)


def _size(outcome: Outcome) -> int:
    if isinstance(outcome, Raw):
        return len(memoryview(outcome)) + _ENTRY_BYTES
    return len(outcome.message) + len(repr(outcome.data)) + _ENTRY_BYTES
