"""A pool: connections to one peer, each lent to one task at a time, made when needed and kept for the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ..config import Address
from ..errors import ConnectionLost, RpclabError
from ..world.base import World
from .connection import Connection, Notify

__all__ = ["Pool", "Pools"]

_KEPT = 8  # idle connections a peer: more tasks than that at once are rare in a classroom


class Pool:
    """Lends connections that `connect` makes.

    A kept connection may have died while nobody used it, because its peer was restarted. `call` and `begin` then try once more
    on a new one; so they are for calls that may be carried out twice, as all of ours may. When there is no new one to be had the
    error stays ConnectionLost: the peer may have done, before it died, what it was asked over the old one.
    """

    def __init__(self, world: World, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._lock = world.tasks.lock()  # guards _idle and _closed
        self._idle: list[Connection] = []
        self._closed = False

    @contextmanager
    def take(self) -> Iterator[Connection]:
        """Lend a connection for the block; it is kept for the next task if it is still open then."""
        connection = self._take(fresh=False)
        try:
            yield connection
        finally:
            self._give_back(connection)

    def call(self, method: str, *params: Any, **options: Any) -> Any:
        """`Connection.call`, with its options, on a lent connection."""
        connection = self._take(fresh=False)
        used_before = connection.used
        try:
            return connection.call(method, *params, **options)
        except ConnectionLost as error:
            if not (used_before and connection.closed):  # a peer's own lost connection is an answer like any other
                raise
            lost = error
        finally:
            self._give_back(connection)
        with self._take_again(lost) as another:
            return another.call(method, *params, **options)

    @contextmanager
    def begin(
        self,
        method: str,
        *params: Any,
        deadline_s: float | None = None,
        returns: Any = Any,
        notified: Notify | None = None,
        named: dict[str, Any] | None = None,
    ) -> Iterator[tuple[Connection, Any]]:
        """Lend a connection for a conversation that begins with this call: gives the connection and the call's answer."""

        def ask(connection: Connection) -> Any:
            return connection.ask(
                method, *params, deadline_s=deadline_s, returns=returns, notified=notified, named=named
            )

        with ExitStack() as held:
            connection = held.enter_context(self.take())
            used_before = connection.used
            held.enter_context(connection.taken())
            try:
                answer = ask(connection)
            except ConnectionLost as lost:
                if not (used_before and connection.closed):
                    raise
                connection = held.enter_context(self._take_again(lost))
                held.enter_context(connection.taken())
                answer = ask(connection)
            yield connection, answer

    @contextmanager
    def _take_again(self, lost: ConnectionLost) -> Iterator[Connection]:
        """A new connection for a second try."""
        try:
            connection = self._take(fresh=True)
        except RpclabError as error:
            raise ConnectionLost(f"{lost.message}; then: {error.message}") from None
        try:
            yield connection
        finally:
            self._give_back(connection)

    def _take(self, fresh: bool) -> Connection:
        if fresh:
            self._drop_idle()
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        return kept if kept is not None and not kept.closed else self._connect()

    def _drop_idle(self) -> None:
        with self._lock:
            stale, self._idle = self._idle, []
        for connection in stale:
            connection.close()

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if not connection.closed and not self._closed and len(self._idle) < _KEPT:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class Pools:
    """One pool for each address that was asked for."""

    def __init__(self, world: World, connect: Callable[[Address], Connection]) -> None:
        self._world, self._connect = world, connect
        self._lock = world.tasks.lock()  # guards _pools
        self._pools: dict[Address, Pool] = {}

    def to(self, address: Address) -> Pool:
        with self._lock:
            if address not in self._pools:
                self._pools[address] = Pool(self._world, lambda: self._connect(address))
            return self._pools[address]

    def close(self) -> None:
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.close()
