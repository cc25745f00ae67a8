"""Trying a call again: when, after which pause, and what is said at the end. Each is the same call to its peer (once.py).

A patient caller waits for a peer that is away, as a manager is that is being started anew. The pauses are random, up to a
limit that doubles ("full jitter": M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), so that a class
whose manager was away does not come back all at once. An impatient one has others to turn to: it asks a second time at once,
and only when its connection broke, because a kept connection may have died while nobody used it.
"""

from __future__ import annotations

from collections.abc import Callable

from ..config import Limits
from ..errors import ConnectFailed, ConnectionLost, RpclabError, TooManyConnections
from ..world.base import World

__all__ = ["PASSING", "Retries"]

PASSING = (ConnectFailed, ConnectionLost, TooManyConnections)
"""What may be otherwise in a moment."""

_LONGEST_PAUSE_S = 1.0  # a peer that is back is found within a second


class Retries:
    """The tries of one call that has failed at least once. `wait(seconds)` pauses, and says whether to go on."""

    def __init__(
        self,
        world: World,
        limits: Limits,
        wait: Callable[[float], bool],
        *,
        began: float,
        deadline: float,
        patience_s: float,
    ) -> None:
        self._now, self._random, self._retry_s, self._wait = world.clock.now, world.random, limits.retry_s, wait
        self._began, self._deadline, self._patience_s = began, deadline, patience_s
        self._until: float | None = None
        self._failures = 0
        self._lost: RpclabError | None = None

    def after(self, error: RpclabError, *, lost: bool) -> float:
        """Wait for the next try and return the seconds that it has; raises when there is none. `lost` says that the peer
        may have heard this try."""
        at_once = lost and not self._failures
        self._failures += 1
        self._lost = self._lost or (error if lost else None)
        now = self._now()
        if self._until is None:  # patience is for a peer that is away: if it was there, it went away now
            self._until = min(self._deadline, (now if lost else self._began) + self._patience_s)
        if not isinstance(error, PASSING) or now >= self._deadline or (now >= self._until and not at_once):
            raise self._told(error) from None
        pause = 0.0 if at_once else self._pause()
        if not self._wait(min(pause, max(0.0, self._until - now))):
            raise self._told(error) from None
        return max(0.0, self._deadline - self._now())

    def _pause(self) -> float:
        return self._random.uniform(0.0, min(_LONGEST_PAUSE_S, self._retry_s * 2.0 ** min(self._failures - 1, 20)))

    def _told(self, error: RpclabError) -> RpclabError:
        """The error, which never says that nothing happened if an earlier try may have been heard."""
        if self._failures == 1:
            return error
        lost = self._lost
        text = error.message if lost is None or lost is error else f"{lost.message}; then: {error.message}"
        text = f"{text} (tried {self._failures} times in {self._now() - self._began:.1f} s)"
        return type(error)(text, node=error.node) if lost is None else ConnectionLost(text)
