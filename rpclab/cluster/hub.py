"""Where the processes of a cluster follow its stage: each waits here for the newest plan, and asks about messages that are held.

It listens on loopback, in the notebook's process, with the cluster's own secret and certificates; what is said here is in no
event log.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..config import DEFAULT_HOST, Address
from ..errors import DeadlineExceeded, NotRunning
from ..rpc.handshake import Identity
from ..rpc.listener import Listener
from ..rpc.plan import Arrived, Decision, Looked, News
from ..rpc.registry import Call, Registry
from ..staging import NEWS_S
from ..trace import Tracer
from ..world.base import World
from .stage import Direction

__all__ = ["Hub"]

_WITHIN_S = 5.0  # a process that runs answers in milliseconds


class Hub:
    """Serves from its construction to `stop`; `address` is where."""

    def __init__(self, world: World, identity: Identity, direction: Direction) -> None:
        self._world, self._direction = world, direction
        self._changed = world.tasks.condition()  # guards what follows
        self._follows: dict[str, int] = {}  # by node: the version that it has taken up
        self._looks: dict[str, int] = {}
        self._looked: dict[str, Looked] = {}
        self._number = 0
        self._closed = False
        registry = Registry()
        registry.register_method(self.follow, with_call=True, reads=True)
        registry.register_method(self.ask, with_call=True, reads=True)
        self._listener = Listener(world, registry, identity, Tracer(world, identity.node))
        self.address: Address = self._listener.start((DEFAULT_HOST, 0))

    # ---- remote methods

    def follow(self, call: Call, version: int, looked: Looked | None) -> News:
        """What is new since this version of the plan, which the caller follows now; waits for it."""
        node = call.peer.node
        until = self._world.clock.now() + NEWS_S
        with self._changed:
            self._follows[node] = version
            if looked is not None:
                self._looked[node] = looked
            self._changed.notify_all()
            while not self._closed and (left := until - self._world.clock.now()) > 0:
                plan, look = self._direction.current, self._looks.pop(node, 0)
                if plan.version != version or look:
                    return News(plan if plan.version != version else None, look)
                self._changed.wait(left)
        return News()

    def ask(self, call: Call, message: Arrived) -> Decision | None:
        """What becomes of a message that is held; waits for it."""
        return self._direction.ask(self._world, message)

    # ---- for the cluster

    def publish(self, nodes: Iterable[str]) -> None:
        """Tell everybody that there is a newer plan; returns once these nodes follow it. Errors: DeadlineExceeded."""
        version, waited = self._direction.current.version, list(nodes)
        self._wait(
            lambda: all(self._follows.get(node, 0) >= version for node in waited),
            f"{', '.join(waited)} did not take up what the stage says",
        )

    def look(self, node: str) -> dict[str, Any]:
        """What a node says of itself now. Errors: NotRunning."""
        with self._changed:
            self._number += 1
            self._looks[node] = number = self._number
        try:
            self._wait(lambda: node in self._looked and self._looked[node].number >= number, f"{node} does not answer")
        except DeadlineExceeded:
            raise NotRunning(f"{node} does not answer: is it paused, or very busy?") from None
        return self._looked[node].found

    def _wait(self, condition: Any, otherwise: str) -> None:
        until = self._world.clock.now() + _WITHIN_S
        with self._changed:
            self._changed.notify_all()
            while not condition() and not self._closed:
                left = until - self._world.clock.now()
                if left <= 0:
                    raise DeadlineExceeded(f"{otherwise} within {_WITHIN_S:g} s")
                self._changed.wait(left)

    def stop(self) -> None:
        """Let everything pass from now on. May be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._direction.release()
        self._listener.stop()
