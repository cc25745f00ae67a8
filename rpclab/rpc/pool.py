"""A pool: connections to one peer, each lent to one task at a time, made when needed and kept for the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..config import Address, Limits
from ..errors import RpclabError
from ..world.base import World
from .connection import Connection, Notify
from .retries import PASSING, Retries

__all__ = ["Pool", "Pools"]

_KEPT = 8  # idle connections a peer: more tasks than that at once are rare in a classroom
_ONCE_BYTES = 12  # chosen at random: no two calls of a cluster's life have the same, and nobody guesses another's

_Ask = Callable[[Connection, float | None], Any]


class Pool:
    """Lends connections that `connect` makes.

    `call` and `begin` try again when the peer cannot be reached or its answer was lost, within their deadline: `patient`
    for `limits.patience_s`, else at once and once, and only if a connection broke. Every try carries the same id, by which
    the peer does once what it hears twice. After the last try the error says how often and how long was tried; it is
    ConnectionLost if any of them may have been heard.
    """

    def __init__(
        self, world: World, connect: Callable[[], Connection], *, limits: Limits | None = None, patient: bool = False
    ) -> None:
        self._world, self._connect = world, connect
        self._limits = limits or Limits()
        self._patience_s = self._limits.patience_s if patient else 0.0
        self._lock = world.tasks.lock()  # guards _idle and _closed
        self._idle: list[tuple[Connection, float]] = []  # with the time since when, the longest idle first
        self._closed = False
        self._ended = world.tasks.condition()  # told when _closed is set: nobody is patient any more

    @contextmanager
    def take(self) -> Iterator[Connection]:
        """Lend a connection for the block; it is kept for the next task if it is still open then."""
        connection = self._take(fresh=False)
        try:
            yield connection
        finally:
            self._give_back(connection)

    def call(
        self,
        method: str,
        *params: Any,
        deadline_s: float | None = None,
        patience_s: float | None = None,
        **options: Any,
    ) -> Any:
        """`Connection.call`, with its options, on a lent connection; `patience_s` is the pool's unless given."""
        once = self._world.nonce(_ONCE_BYTES).hex()

        def ask(connection: Connection, seconds: float | None) -> Any:
            return connection.call(method, *params, deadline_s=seconds, once=once, **options)

        connection, answer = self._until_answered(ask, deadline_s, patience_s)
        self._give_back(connection)
        return answer

    @contextmanager
    def begin(
        self,
        method: str,
        *params: Any,
        deadline_s: float | None = None,
        patience_s: float | None = None,
        returns: Any = Any,
        notified: Notify | None = None,
        named: dict[str, Any] | None = None,
    ) -> Iterator[tuple[Connection, Any]]:
        """Lend a connection for a conversation that begins with this call: gives the connection and the call's answer."""
        once = self._world.nonce(_ONCE_BYTES).hex()

        def ask(connection: Connection, seconds: float | None) -> Any:
            return connection.call(
                method, *params, deadline_s=seconds, returns=returns, notified=notified, named=named, once=once
            )

        connection, answer = self._until_answered(ask, deadline_s, patience_s)
        try:
            with connection.taken():
                yield connection, answer
        finally:
            self._give_back(connection)

    # ---- trying, and trying again

    def _until_answered(self, ask: _Ask, deadline_s: float | None, patience_s: float | None) -> tuple[Connection, Any]:
        """The answer, and the connection that it came over, which the caller gives back."""
        began = self._world.clock.now()
        retries: Retries | None = None
        while True:
            connection: Connection | None = None
            try:
                connection = self._take(fresh=retries is not None)
                return connection, ask(connection, deadline_s)
            except BaseException as error:
                if connection is not None:
                    self._give_back(connection)
                if not isinstance(error, RpclabError) or not _may_pass(error, connection, retries):
                    raise
                retries = retries or self._retries(began, deadline_s, patience_s)
                deadline_s = retries.after(error, lost=connection is not None)

    def _retries(self, began: float, deadline_s: float | None, patience_s: float | None) -> Retries:
        deadline = began + (self._limits.call_s if deadline_s is None else deadline_s)
        patience_s = self._patience_s if patience_s is None else patience_s
        return Retries(self._world, self._limits, self._pause, began=began, deadline=deadline, patience_s=patience_s)

    def _pause(self, seconds: float) -> bool:
        """Wait so long; False as soon as this pool is closed."""
        until = self._world.clock.now() + seconds
        with self._ended:
            while not self._closed and (left := until - self._world.clock.now()) > 0:
                self._ended.wait(left)
            return not self._closed

    def _take(self, fresh: bool) -> Connection:
        if fresh:
            self._drop_idle()
        with self._lock:
            kept = self._idle.pop()[0] if self._idle else None
        return kept if kept is not None and not kept.closed else self._connect()

    def _drop_idle(self) -> None:
        with self._lock:
            stale, self._idle = self._idle, []
        for connection, _ in stale:
            connection.close()

    def let_go(self, idle_s: float) -> None:
        """Close the connections that nobody has used for so many seconds: the peer can serve only so many."""
        until = self._world.clock.now() - idle_s
        with self._lock:
            stale = [connection for connection, since in self._idle if since <= until]
            self._idle = self._idle[len(stale) :]
        for connection in stale:
            connection.close()

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if not connection.closed and not self._closed and len(self._idle) < _KEPT:
                self._idle.append((connection, self._world.clock.now()))
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        with self._ended:
            self._ended.notify_all()
        for connection, _ in idle:
            connection.close()


def _may_pass(error: RpclabError, connection: Connection | None, retries: Retries | None) -> bool:
    """Whether a try failed for want of a connection; what the peer answered, over one that stays open, is an answer."""
    if connection is None:
        return isinstance(error, PASSING) or retries is not None  # then it has to be told with the tries before
    return isinstance(error, PASSING) and connection.closed


class Pools:
    """One pool for each address that was asked for. They are not patient: who asks one server can ask another."""

    def __init__(self, world: World, connect: Callable[[Address], Connection]) -> None:
        self._world, self._connect = world, connect
        self._lock = world.tasks.lock()  # guards _pools
        self._pools: dict[Address, Pool] = {}
        self._closed = False

    def to(self, address: Address) -> Pool:
        with self._lock:
            if address not in self._pools:
                self._pools[address] = Pool(self._world, lambda: self._connect(address))
                if self._closed:  # a task that still works here keeps no connection
                    self._pools[address].close()
            return self._pools[address]

    def close(self) -> None:
        with self._lock:
            self._closed = True
            pools = list(self._pools.values())
        for pool in pools:
            pool.close()
