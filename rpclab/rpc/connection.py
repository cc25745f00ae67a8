"""One conversation between two nodes that have proved who they are: calls, replies, notifications.

A connection belongs to one task at a time. That is enforced: a second task that calls meanwhile gets ConnectionBusy, because
two tasks that take turns on one socket get one another's answers (the original's worst fault). A `Pool` hands connections out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ..config import Limits
from ..errors import (
    CommunicationError,
    ConnectionBusy,
    ConnectionLost,
    DeadlineExceeded,
    MessageError,
    MessageTooLarge,
    NotEncodable,
    ProtocolError,
)
from ..trace import Tracer
from ..world.base import World
from . import messages, packets
from .channel import Channel
from .endpoint import Endpoint
from .handshake import Peer
from .messages import ErrorObject, Failure, Incoming, Request, Success

__all__ = ["Connection"]

Notify = Callable[[str, Any], None]
_LAST_WORD_S = 0.1  # to tell a peer that did wrong why it is left: no time to wait for it


class Connection(Endpoint):
    """Calls a peer's remote methods and hears its answers, or answers its calls."""

    def __init__(self, world: World, channel: Channel, peer: Peer, tracer: Tracer, limits: Limits) -> None:
        super().__init__(world, channel, peer, tracer, limits)
        self._taken = world.tasks.lock()  # held by the task that this connection belongs to
        self._calls = 0

    # ---- calling

    def call(self, method: str, *params: Any, **options: Any) -> Any:
        """Call a remote method and return its result; the options are those of `ask`.

        By position, or by name with `named={...}`; within `deadline_s` seconds (`limits.call_s`); the result is converted to
        the type `returns`. `notified(method, params)` is called for each notification that comes before the answer. Errors:
        whatever the method raises; DeadlineExceeded and ConnectionLost (the effect is unknown, this connection is closed);
        NotEncodable, MessageTooLarge, ConnectionBusy (nothing was sent).
        """
        self._take()
        try:
            return self.ask(method, *params, **options)
        finally:
            self._taken.release()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the connection for a conversation of several steps; raises ConnectionBusy if another task holds it."""
        self._take()
        try:
            yield
        finally:
            self._taken.release()

    def _take(self) -> None:
        if not self._taken.acquire(False):
            raise ConnectionBusy(
                f"another task is using this connection to {self.peer.node}: take one from the pool for each task"
            )

    def ask(
        self,
        method: str,
        *params: Any,
        deadline_s: float | None = None,
        returns: Any = Any,
        notified: Notify | None = None,
        named: dict[str, Any] | None = None,
        once: str | UnsetType = UNSET,
    ) -> Any:
        """`call` for who holds the connection already. A call that may be sent again has an id, `once`: see once.py."""
        seconds = self.limits.call_s if deadline_s is None else deadline_s
        deadline = self._now() + seconds
        self._calls = number = self._calls + 1
        self.asking = method
        values: list[Any] | dict[str, Any] = named if named is not None else list(params)
        messages.check_json(values)
        try:
            request = Request(method, values, number, deadline=int(seconds * 1000), once=once)
            self._send(request, "request", method, deadline)
            answer = self._answer(number, deadline, notified)
        except (NotEncodable, MessageTooLarge):
            raise  # nothing was sent
        except BaseException as error:  # also Ctrl-C: an answer that comes later must not meet the next call
            self.close()
            if isinstance(error, CommunicationError | ProtocolError):
                error.message = f"{method} at {self.peer.node}: {error.message}"
            raise
        self.asking = ""
        answer.raise_error(self.peer.node)
        if returns is Any:
            return answer.result
        try:
            return msgspec.convert(answer.result, returns, strict=True)
        except msgspec.ValidationError as error:
            raise MessageError(
                f"{method} gave back something else than expected: {error}", node=self.peer.node
            ) from None

    def _answer(self, number: int, deadline: float, notified: Notify | None) -> Incoming:
        while True:
            message = self._receive(deadline)
            if message is None:
                raise ConnectionLost("the peer closed the connection before it answered")
            if message.id == number and message.method is UNSET:
                return message
            elif message.method is not UNSET and message.id is UNSET:
                if notified is not None:
                    notified(message.method, None if message.params is UNSET else message.params)
            elif isinstance(message.id, int) and 0 < message.id < number and message.method is UNSET:
                continue  # an answer that came twice
            elif message.id is None and isinstance(message.error, messages.ErrorObject):
                return message  # the peer could not even read the call's id
            else:
                raise MessageError(f"an answer to call {message.id!r} came, expected was {number}")

    # ---- for who sees to answers of its own (own_connection.py)

    def post(self, request: Request) -> None:
        """Send a request and wait for nothing."""
        self._send(request, "request", request.method, self._reply_deadline())

    def hear(self) -> Incoming:
        """The next answer, whoever waits for it. Errors: ConnectionLost at the end."""
        while (message := self._receive(None)) is not None:
            if message.method is UNSET:
                return message
        raise ConnectionLost("the peer closed the connection")

    # ---- answering

    def next_request(self, deadline: float | None) -> Incoming | None:
        """The next call or notification of the peer; None when it has closed. A message that is none is answered here."""
        self.answering = ""
        while True:
            try:
                message = self._receive(deadline)
            except messages.BadMessage as bad:
                self.tracer.event(
                    "refused", peer=self.peer.node, detail={"error": "BadMessage", "message": bad.message}
                )
                self._send(bad.reply(), "error", "", self._now() + self.limits.call_s)
                if not bad.keep:
                    raise
                continue
            if message is None:
                return None
            if message.method is not UNSET:
                self.answering = message.method
                return message
            raise MessageError("a response came that nobody waits for")

    def reply(self, request: Incoming, result: Any) -> None:
        """Answer with a result. A result that no message can carry is answered with the error that says so."""
        try:
            messages.check_json(result)
            self._send(Success(request.reply_id, result), "reply", request.method, self._reply_deadline())
        except (NotEncodable, MessageTooLarge) as error:
            error.message = f"the result of {request.method}: {error.message}"
            self.reply_error(request, error)

    def reply_error(self, request: Incoming, error: BaseException) -> None:
        answer = messages.failure(request.reply_id, error)
        self._send(answer, "error", request.method, self._reply_deadline())

    def reply_outcome(self, request: Incoming, outcome: Raw | ErrorObject) -> None:
        """Answer with how the call ended, now or when it came first."""
        if isinstance(outcome, Raw):
            self.reply(request, outcome)
        else:
            self._send(Failure(request.reply_id, outcome), "error", request.method, self._reply_deadline())

    def notify(self, method: str, params: list[Any] | dict[str, Any]) -> None:
        """Tell the peer something that it need not answer."""
        messages.check_json(params)
        self._send(Request(method, params), "notification", method, self._reply_deadline())

    def abort(self, reason: str) -> None:
        """Tell the peer why this connection ends, if it still listens."""
        try:
            self.channel.send_packet(
                packets.ABORT, reason.encode("utf-8", "replace")[:1000], self._now() + _LAST_WORD_S
            )
        except CommunicationError:
            return  # it is gone, or reads no more

    def stay(self, seconds: float) -> None:
        """Wait so long, with nothing to say; raises ConnectionLost as soon as the peer is gone."""
        try:
            if self._receive(self._now() + seconds) is None:
                raise ConnectionLost(f"{self.peer.node} closed the connection")
        except DeadlineExceeded:
            return

    def _reply_deadline(self) -> float:
        return self._now() + self.limits.call_s

    @property
    def used(self) -> bool:
        """Whether a call was made on it before."""
        return self._calls > 0

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Connection of {self.tracer.node} to {self.peer.role} {self.peer.node}{', closed' if self.closed else ''}>"
