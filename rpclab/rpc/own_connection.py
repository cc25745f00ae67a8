"""Somebody else's connection for many tasks in place of our pool: all calls of a client to its manager share one connection.

    class SharedConnection:
        def __init__(self, send, receive, tasks, now): ...
        def call(self, method, params, deadline_s): ...    # the result; raises what "error" holds; TimeoutError when it is late

    send(message)     sends {"id": ..., "method": ..., "params": ...}; one task at a time may do that
    receive()         waits for the next answer, {"id": ..., "result": ...} or {"id": ..., "error": an exception};
                      one task at a time; answers come in any order
    tasks             tasks.lock(), tasks.condition(), tasks.spawn(function, name): as in threading
    now()             seconds

Whatever `send` or `receive` raises means that the connection has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..config import Limits
from ..errors import ConnectionLost, DeadlineExceeded, MessageError, RpclabError, error_text
from ..own import Own
from ..world.base import Condition, Lock, Task, World
from . import messages
from .connection import Connection
from .messages import Request
from .pool import Pool

__all__ = ["PlainTasks", "pool_of"]


def pool_of(own: Own, world: World, connect: Callable[[], Connection], limits: Limits) -> Pool:
    """A client's connections to its manager."""
    if own.connection is None:
        return Pool(world, connect, limits=limits, patient=True)
    return _OwnPool(own.connection, world, connect, limits)


class PlainTasks:
    """A world's tasks for somebody else's code: one that ends with an error ends alone."""

    def __init__(self, world: World) -> None:
        self._tasks = world.tasks

    def lock(self) -> Lock:
        return self._tasks.lock()

    def condition(self) -> Condition:
        return self._tasks.condition()

    def spawn(self, function: Callable[[], object], name: str = "own") -> Task:
        def run() -> None:
            try:
                function()
            except Exception:  # its own affair: who waits for what it should have done has a deadline
                return

        return self._tasks.spawn(run, name)


class _Shared:
    """One connection that all tasks call over, as theirs arranges it."""

    def __init__(self, theirs: Any, world: World, connection: Connection, limits: Limits) -> None:
        self._connection, self._limits = connection, limits
        self._theirs = theirs(self._send, self._receive, PlainTasks(world), world.clock.now)
        self.closed = False

    def _send(self, message: dict[str, Any]) -> None:
        params = message["params"]
        if not isinstance(params, _Params):
            raise MessageError("the message has other params than those that call was given")
        values: list[Any] | dict[str, Any] = params.values
        request = Request(message["method"], values, message["id"], deadline=params.deadline_ms, once=params.once)
        self._connection.post(request)

    def _receive(self) -> dict[str, Any]:
        answer = self._connection.hear()
        try:
            answer.raise_error(self._connection.peer.node)
        except RpclabError as error:
            return {"id": answer.id, "error": error}
        return {"id": answer.id, "result": answer.result}

    def call(
        self,
        method: str,
        *params: Any,
        deadline_s: float | None = None,
        returns: Any = Any,
        notified: object = None,
        named: dict[str, Any] | None = None,
        once: str = "",
    ) -> Any:
        seconds = self._limits.call_s if deadline_s is None else deadline_s
        values: list[Any] | dict[str, Any] = named if named is not None else list(params)
        messages.check_json(values)
        try:
            result = self._theirs.call(method, _Params(values, int(seconds * 1000), once), seconds)
        except (DeadlineExceeded, ConnectionLost):
            self.close()
            raise
        except RpclabError:
            raise
        except TimeoutError as error:
            self.close()
            raise DeadlineExceeded(f"{method}: {error_text(error)}") from error
        except Exception as error:  # somebody else's code: whatever it raises, the connection is not to be trusted
            self.close()
            raise ConnectionLost(f"{method}: {type(error).__name__}: {error_text(error)}") from error
        if returns is Any:
            return result
        try:
            return msgspec.convert(result, returns)
        except msgspec.ValidationError as error:
            raise MessageError(f"{method} gave back something else than expected: {error}") from None

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._connection.channel.stream.shutdown()  # who waits in `receive` wakes up
            self._connection.close()


class _Params:
    """What a call is given and hands on as it is."""

    def __init__(self, values: list[Any] | dict[str, Any], deadline_ms: int, once: str) -> None:
        self.values, self.deadline_ms, self.once = values, deadline_ms, once


class _OwnPool(Pool):
    """Lends the one shared connection to everybody."""

    def __init__(self, theirs: Any, world: World, connect: Callable[[], Connection], limits: Limits) -> None:
        super().__init__(world, connect, limits=limits, patient=True)
        self._theirs = theirs
        self._shared: _Shared | None = None

    def _take(self, fresh: bool) -> Any:
        with self._lock:
            shared = self._shared
            if shared is None or shared.closed:
                shared = self._shared = _Shared(self._theirs, self._world, self._connect(), self._limits)
            return shared

    def _give_back(self, connection: Any) -> None:
        """It stays where it is."""

    def close(self) -> None:
        super().close()
        with self._lock:
            shared, self._shared = self._shared, None
        if shared is not None:
            shared.close()
