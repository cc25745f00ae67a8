"""A process's part in its cluster's stage: it follows the newest plan, and asks the notebook about messages that are held.

It joins before it serves, and then one task of it waits for news, so that a process that was paused learns them as soon as it
goes on. What it says to the stage goes over connections of their own, past links that are cut, and is not drawn. When the
notebook has gone every message is delivered: the process is about to end.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from .config import Address, Limits
from .errors import RpclabError, StartFailed
from .rpc.connection import Connection
from .rpc.handshake import Identity
from .rpc.opening import open_connection
from .rpc.plan import Arrived, Decision, Looked, News, Plan, lines
from .rpc.pool import Pool
from .rpc.stage import Ask, Stage
from .trace import Tracer
from .world.limited_disk import LimitedDisk
from .world.links import LinkedNetwork, Links
from .world.real import RealWorld

__all__ = ["NEWS_S", "Staging", "put_on_stage"]

NEWS_S = 20.0  # how long one waits for news at most: long enough to cost nothing
_GRACE_S = 10.0
_SHOWN_BYTES = 32_000  # of a message that is held: as base64 it still fits one


def put_on_stage(world: RealWorld, tracer: Tracer, ask: Ask) -> Stage:
    """Give a node of this process its stage: from now on its world has the links and the disk that the plan says."""
    links, disk = Links(world.clock, world.tasks), LimitedDisk(world.disk, world.tasks)
    world.network, world.disk = LinkedNetwork(world.network, links), disk
    full = 0

    def follow(plan: Plan) -> None:
        nonlocal full
        links.set(*lines(plan, tracer.node))
        version, free_bytes = plan.full.get(tracer.node, (0, 0))
        if version != full:
            disk.limit(free_bytes if version else None)
            full = version

    stage = Stage(world, tracer, ask, follow)
    tracer.stage = stage
    return stage


class Staging:
    """Joins the stage at an address. Errors: StartFailed."""

    def __init__(self, world: RealWorld, identity: Identity, tracer: Tracer, address: Address) -> None:
        self.look: Callable[[], dict[str, Any]] = dict
        """What this node knows, for people who look at it."""
        self._node, self._plain = identity.node, copy.copy(world)
        self._open: list[Connection] = []
        self._closing = False
        quiet, plainly = Tracer(world, identity.node), Identity(identity.node, identity.role, identity.secret)

        def connect() -> Connection:
            connection = open_connection(self._plain, address, plainly, quiet, expected=("client",))
            self._open = [*(each for each in self._open if not each.closed), connection]
            return connection

        self._pool = Pool(self._plain, connect)
        self.stage = put_on_stage(world, tracer, self._ask)
        self._version = 0
        try:
            self._heard(self._pool.call("follow", self._version, None, returns=News))
        except RpclabError as error:
            raise StartFailed(f"the stage at {address[0]}:{address[1]} could not be joined: {error}") from None
        world.tasks.spawn(self._follow, f"{identity.node}-follows")

    def _follow(self) -> None:
        looked: Looked | None = None
        while not self._closing:
            try:
                news = self._pool.call("follow", self._version, looked, returns=News, deadline_s=NEWS_S + _GRACE_S)
            except RpclabError:  # the notebook has gone, and we shall end with it; or this process was paused for long
                self._plain.clock.sleep(Limits().retry_s)
                continue
            looked = self._heard(news)

    def _heard(self, news: News) -> Looked | None:
        if news.plan is not None:
            self.stage.follow(news.plan)
            self._version = news.plan.version
        return Looked(news.look, {**self.look(), **self.stage.calls()}) if news.look else None

    def _ask(self, message: Arrived) -> Decision | None:
        seconds = 24 * 3600.0 if message.seconds is None else message.seconds
        shown = replace(message, payload=message.payload[:_SHOWN_BYTES])
        try:
            decision = self._pool.call("ask", shown, returns=Decision | None, deadline_s=seconds + _GRACE_S)
        except RpclabError:  # nobody directs any more
            return Decision()
        return decision if decision is None or isinstance(decision, Decision) else Decision()

    def close(self) -> None:
        """Hold nothing up any more, and leave. May be called twice."""
        self._closing = True
        self.stage.close()
        for connection in self._open:
            connection.channel.stream.shutdown()
        self._pool.close()
