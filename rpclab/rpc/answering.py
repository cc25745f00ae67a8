"""Answering: a request that has come is carried out by the registry's method, and its outcome is sent back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET, UnsetType

from ..config import Limits
from ..errors import DeadlineExceeded, MessageTooLarge, NotEncodable, RpclabError, error_text
from ..trace import Tracer
from ..world.base import World
from . import messages
from .connection import Connection
from .messages import Incoming
from .once import Once, Outcome
from .registry import Call, Registry, Then

__all__ = ["Answering", "Say", "where"]

Say = Callable[[str], None]
"""Where a node tells people what it does, a line at a time."""

Params = list[Any] | dict[str, Any] | UnsetType


class Answering:
    """What a node does with the requests of its peers, whichever connection they come over; with `show_messages` it says each."""

    def __init__(
        self, world: World, registry: Registry, tracer: Tracer, limits: Limits, say: Say, *, show_messages: bool
    ) -> None:
        self._world, self._registry, self._tracer, self._limits = world, registry, tracer, limits
        self._say, self._show = say, show_messages
        self._once = Once(world, limits)

    def answer(self, call: Call, connection: Connection, request: Incoming) -> bool:
        """Answer a request; True if the peer's next one belongs to the same conversation."""
        method = str(request.method)
        if self._show and request.kind == "request":
            self._say(f"{connection.peer.node}: {method}({_shown(request.params)})")
        if request.once is not UNSET and request.id is not UNSET and self._registry.changes(method):
            return self._answer_once(call, connection, request, method)
        try:
            result = self._registry.invoke(call, method, request.params)
        except BaseException as error:
            self._failed(connection, method, error)
            if request.kind == "request":
                connection.reply_error(request, error)
            return False
        if isinstance(result, Then):
            return self._go_on(connection, request, result)
        if request.id is not UNSET:
            connection.reply(request, result)
        return False

    def _go_on(self, connection: Connection, request: Incoming, result: Then) -> bool:
        if request.id is not UNSET:
            connection.reply(request, result.result)
        result.go_on()
        return result.asked_after

    def _answer_once(self, call: Call, connection: Connection, request: Incoming, method: str) -> bool:
        """Answer a call that may have come before."""
        key = (call.peer.role, call.peer.node, method, str(request.once))
        seconds = self._limits.call_s if isinstance(request.deadline, UnsetType) else request.deadline / 1000
        try:
            outcome = self._once.run(key, seconds, lambda: self._outcome(call, connection, method, request.params))
        except DeadlineExceeded as error:
            connection.reply_error(request, error)
            return False
        if isinstance(outcome, Then):
            return self._go_on(connection, request, outcome)
        connection.reply_outcome(request, outcome)
        return False

    def _outcome(self, call: Call, connection: Connection, method: str, params: Params) -> Outcome | Then:
        try:
            result = self._registry.invoke(call, method, params)
        except BaseException as error:
            self._failed(connection, method, error)
            return messages.failure(None, error).error
        try:
            return result if isinstance(result, Then) else messages.result_bytes(result)
        except (NotEncodable, MessageTooLarge) as error:
            error.message = f"the result of {method}: {error.message}"
            return messages.failure(None, error).error

    def _failed(self, connection: Connection, method: str, error: BaseException) -> None:
        """Every error of a remote method is its caller's to see, also one that is meant to end a program: this task goes on,
        and the call is not made again for want of an answer. Only what ends the task itself is raised again."""
        if self._world.tasks.is_end(error):
            raise error
        kind = type(error).__name__
        self._tracer.event(
            "failed",
            peer=connection.peer.node,
            method=method[:100],
            detail={"error": kind, "message": error_text(error)[:1000]},
        )
        if not isinstance(error, RpclabError):
            self._say(f"{method[:100]} raised {where(error)}")


def where(error: BaseException) -> str:
    """An exception and the line that raised it: enough to find it, without a page of traceback."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}: {error_text(error)}{place}"


def _shown(params: object) -> str:
    text = repr(params) if params else ""
    return text if len(text) < 200 else f"{text[:200]}… ({len(text):,} letters)"
