"""The listener: accepts connections, one task each, answers their calls from a registry, and ends them all at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET, UnsetType

from ..config import Address, Limits, is_loopback
from ..errors import (
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    MessageTooLarge,
    NotEncodable,
    PacketError,
    RpclabError,
    TooManyConnections,
    error_text,
)
from ..trace import Tracer
from ..world.base import Listening, Stream, Task, World
from . import messages
from .channel import Channel
from .connection import Connection
from .handshake import Identity
from .messages import Incoming
from .once import Once, Outcome
from .opening import accept_connection
from .own_framing import framed
from .registry import Call, Registry, Then

__all__ = ["DocumentHandler", "Listener", "Say", "WhenBound"]

Say = Callable[[str], None]
"""Where a node tells people what it does, a line at a time."""

WhenBound = Callable[[Address], object]
"""Is told a node's address, with its real port, before anybody is served there."""

DocumentHandler = Callable[[Channel], None]
"""Talks to a program of the document's own wire until it goes away."""

Params = list[Any] | dict[str, Any] | UnsetType

_DOCUMENT_FIRST_BYTE = ord("[")
_LAST_WORD_S = 0.1  # to tell a stranger that there is no room; meanwhile nobody else is accepted


class Listener:
    """Serves an address until `stop`. Its tasks are its own: each connection's is registered before it runs, and waited for."""

    def __init__(
        self,
        world: World,
        registry: Registry,
        identity: Identity,
        tracer: Tracer,
        *,
        limits: Limits | None = None,
        expected: tuple[str, ...] = ("manager", "server", "client"),
        document: DocumentHandler | None = None,
        say: Say = lambda line: None,
        show_messages: bool = False,
    ) -> None:
        self.world, self.registry, self.identity, self.tracer = world, registry, identity, tracer
        self.limits = limits or Limits()
        self._expected, self._document = expected, document
        self._say, self._show = say, show_messages
        self._lock = world.tasks.lock()  # guards _open and _stopping
        self._open: dict[Stream, Task | None] = {}
        self._busy: set[Stream] = set()  # those that are answering, not waiting for the next request
        self._stopping = False
        self._once = Once(world, self.limits)
        self._listening: Listening | None = None
        self._accepting: Task | None = None

    def start(self, address: Address, when_bound: WhenBound = lambda address: None) -> Address:
        """Listen and serve; returns the address with its real port. Errors: PortInUse, UsageError.

        `when_bound` is told that address before the first connection is accepted.
        """
        self._listening = self.world.network.listen(address)
        when_bound(self._listening.address)
        self._accepting = self.world.tasks.spawn(self._accept, f"{self.identity.node}-accept")
        return self._listening.address

    def stop(self, within_s: float = 0.0) -> None:
        """Take no more connections, wait so long for what is under way, then end it. May be called twice.

        A call that was heard is answered, and a conversation goes on to its end. What is asked later finds nobody, here and
        now: it can be asked elsewhere, or again.
        """
        with self._lock:
            self._stopping = True
        if self._listening is not None:
            self._listening.close()
        if self._accepting is not None:
            self._accepting.join()
        for last, seconds in ((False, within_s), (True, self.limits.stop_s)):
            until = self.world.clock.now() + seconds
            with self._lock:
                tasks = list(self._open.items())
                for stream, _ in tasks:
                    if last or stream not in self._busy:
                        stream.shutdown()
            for _, task in tasks:
                if task is not None:
                    task.join(max(0.0, until - self.world.clock.now()))

    # ---- accepting

    def _accept(self) -> None:
        assert self._listening is not None
        while True:
            try:
                stream = self._listening.accept()
            except ConnectFailed as error:  # out of descriptors: those that end make room
                self._say(error.message)
                self.world.clock.sleep(self.limits.retry_s)
                continue
            if stream is None:
                return
            self._admit(stream)

    def _admit(self, stream: Stream) -> None:
        with self._lock:
            room = len(self._open) < self.limits.connections and not self._stopping
            if room:
                self._open[stream] = None
                name = f"{self.identity.node}-serves-{stream.peer[1]}"
                try:
                    self._open[stream] = self.world.tasks.spawn(lambda: self._serve(stream), name)
                except RuntimeError:  # the system gives no more threads
                    del self._open[stream]
                    room = False
        if not room:
            self._turn_away(stream)

    def _turn_away(self, stream: Stream) -> None:
        why = f"can serve no more than {len(self._open)} connections now: try again later"
        if self._stopping:
            why = "is stopping: try again when it was started anew"
        error = TooManyConnections(f"{self.identity.node} {why}")
        self.tracer.event("refused", detail={"error": "TooManyConnections", "message": error.message})
        refusal = bytearray()
        try:
            messages.encode(messages.failure(None, error), refusal)
            stream.send([refusal], self.world.clock.now() + _LAST_WORD_S)
        except RpclabError as problem:
            self._say(f"could not tell a stranger that there is no room: {problem}")
        stream.close()

    # ---- one connection

    def _serve(self, stream: Stream) -> None:
        document = self._document is not None
        channel = Channel(self.world, framed(stream, self.identity.own), self.limits, document=document)
        try:
            first = channel.first_byte(self._first_deadline(stream))
            if first == _DOCUMENT_FIRST_BYTE and self._document is not None:
                self._document(channel)
            elif first is not None:
                connection = accept_connection(self.world, channel, self.identity, self.tracer, expected=self._expected)
                with connection:
                    self._converse(connection)
        except RpclabError as error:
            self._refused(stream, error)
        except Exception as error:  # the task's outermost edge: one connection's fault must not end the node
            self.tracer.event("failed", detail={"error": type(error).__name__, "message": error_text(error)})
            self._say(f"a fault in {self.identity.node} itself, please report it: {_where(error)}")
        finally:
            stream.close()
            with self._lock:
                self._open.pop(stream, None)
                self._busy.discard(stream)

    def _first_deadline(self, stream: Stream) -> float | None:
        """A program of the document's wire may connect and then wait for its person; nobody else has a reason to."""
        if self._document is not None and is_loopback(stream.peer):
            return None
        return self.world.clock.now() + self.limits.handshake_s

    def _refused(self, stream: Stream, error: RpclabError) -> None:
        if self._stopping:
            return
        kind = type(error).__name__
        self.tracer.event("refused", detail={"error": kind, "message": error.message, "address": list(stream.peer)})
        self._say(f"ended the connection from {stream.peer[0]}:{stream.peer[1]}: {kind}: {error.message}")

    def _converse(self, connection: Connection) -> None:
        call, stream = Call(connection.peer, connection), connection.channel.stream
        asked_after = False
        try:
            while True:
                idle = self.limits.idle_s
                request = connection.next_request(None if idle is None else self.world.clock.now() + idle)
                if request is None:
                    return
                self._busy.add(stream)  # no lock: `stop` sets _stopping before it looks at _busy, we look after this
                if self._stopping and not asked_after:
                    return
                asked_after = self._answer(call, connection, request)
                if asked_after:
                    continue  # still busy: the peer asks on, and a stop waits for that
                self._busy.discard(stream)
                if self._stopping:
                    return
        except PacketError as error:
            connection.abort(error.message)
            raise
        except ConnectionLost as error:
            if not self._stopping:
                self._say(f"{connection.peer.node} went away: {error.message}")
        finally:
            for function in reversed(call.at_end):
                function()

    def _answer(self, call: Call, connection: Connection, request: Incoming) -> bool:
        """Answer a request; True if the peer's next one belongs to the same conversation."""
        method = str(request.method)
        if self._show and request.kind == "request":
            self._say(f"{connection.peer.node}: {method}({_shown(request.params)})")
        if request.once is not UNSET and request.id is not UNSET and self.registry.changes(method):
            return self._answer_once(call, connection, request, method)
        try:
            result = self.registry.invoke(call, method, request.params)
        except Exception as error:  # every error of a remote method is its caller's to see
            self._trace_failure(connection, method, error)
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
        seconds = self.limits.call_s if isinstance(request.deadline, UnsetType) else request.deadline / 1000
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
            result = self.registry.invoke(call, method, params)
        except Exception as error:  # every error of a remote method is its caller's to see
            self._trace_failure(connection, method, error)
            return messages.failure(None, error).error
        try:
            return result if isinstance(result, Then) else messages.result_bytes(result)
        except (NotEncodable, MessageTooLarge) as error:
            error.message = f"the result of {method}: {error.message}"
            return messages.failure(None, error).error

    def _trace_failure(self, connection: Connection, method: str, error: Exception) -> None:
        kind = type(error).__name__
        self.tracer.event(
            "failed",
            peer=connection.peer.node,
            method=method[:100],
            detail={"error": kind, "message": error_text(error)[:1000]},
        )
        if not isinstance(error, RpclabError):
            self._say(f"{method[:100]} raised {_where(error)}")


def _where(error: Exception) -> str:
    """An exception and the line that raised it: enough to find it, without a page of traceback."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}: {error_text(error)}{place}"


def _shown(params: object) -> str:
    text = repr(params) if params else ""
    return text if len(text) < 200 else f"{text[:200]}… ({len(text):,} letters)"
