"""A placement function of somebody's own, watched: while it runs the manager answers nobody, so it may not do that in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..records import ServerRecord
from ..rpc.listener import Say
from ..world.base import World
from .placement import POLICIES, Policy, Request, Servers, TookTooLong, policy_text

if TYPE_CHECKING:
    import random

__all__ = ["watched"]

_SLOW_S = 2.0  # nobody waits that long for a choice without wondering
_LIMIT_S = 5.0  # half of what a call waits for its answer: who asked is still there to read why


def watched(policy: Policy, world: World, say: Say, *, slow_s: float = _SLOW_S, limit_s: float = _LIMIT_S) -> Policy:
    """A policy that does not take long in silence: one of ours as it is, anybody else's with a watch.

    A decision that takes more than `slow_s` is told as one line while it still runs; after more than `limit_s` it ends as
    PlacementError. Nothing can stop a function that never returns: the manager has to be started again with another one.
    """
    if any(policy is ours for ours in POLICIES.values()):
        return policy
    return _Watched(policy, world, say, slow_s, limit_s)


class _Watched:
    def __init__(self, policy: Policy, world: World, say: Say, slow_s: float, limit_s: float) -> None:
        self.__name__ = policy_text(policy)
        self._policy, self._world, self._say = policy, world, say
        self._slow_s, self._limit_s = slow_s, limit_s

    def __call__(self, servers: Servers, request: Request, random: random.Random) -> ServerRecord:
        now, began = self._world.clock.now, self._world.clock.now()
        watch = _Watch(self._world, self._slow_s, lambda: self._tell(now() - began))
        try:
            answer = self._policy(servers, request, random)
        finally:
            watch.end()
        if now() - began > self._limit_s:
            raise TookTooLong(
                f"took {now() - began:.1f} s to choose a server: no more than {self._limit_s:g} s are allowed"
            )
        return answer

    def _tell(self, seconds: float) -> None:
        self._say(
            f"the placement policy {self.__name__} has run for {seconds:.1f} s, and nobody is answered until it returns: "
            "if it never does, start the manager again with another placement"
        )


class _Watch:
    """Calls `late` once, unless `end` is called within so many seconds."""

    def __init__(self, world: World, seconds: float, late: Callable[[], None]) -> None:
        self._now, self._until, self._late = world.clock.now, world.clock.now() + seconds, late
        self._changed = world.tasks.condition()  # guards _ended
        self._ended = False
        world.tasks.spawn(
            self._wait, "manager-watches-placement"
        )  # not joined: the manager's lock is held, and it ends at once

    def _wait(self) -> None:
        with self._changed:
            while not self._ended and (left := self._until - self._now()) > 0:
                self._changed.wait(left)
            if self._ended:
                return
        self._late()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
