"""The listener: accepts connections, one task each, answers their calls from a registry, and ends them all at the end."""

from __future__ import annotations

from collections.abc import Callable

from ..config import Address, Limits, is_loopback
from ..errors import (
    ConnectFailed,
    ConnectionLost,
    PacketError,
    RpclabError,
    TooManyConnections,
    error_text,
)
from ..trace import Tracer
from ..world.base import Listening, Stream, Task, World
from . import messages
from .answering import Answering, Say, where
from .channel import Channel
from .connection import Connection
from .handshake import Identity
from .opening import accept_connection
from .own_framing import framed
from .registry import Call, Registry

__all__ = ["DocumentHandler", "Listener", "Say", "WhenBound"]

WhenBound = Callable[[Address], object]
"""Is told a node's address, with its real port, before anybody is served there."""

DocumentHandler = Callable[[Channel], None]
"""Talks to a program of the document's own wire until it goes away."""

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
        self.world, self.identity, self.tracer = world, identity, tracer
        self.limits = limits or Limits()
        self._expected, self._document = expected, document
        self._say = say
        self._lock = world.tasks.lock()  # guards _open and _stopping
        self._open: dict[Stream, Task | None] = {}
        self._busy: set[Stream] = set()  # those that are answering, not waiting for the next request
        self._stopping = False
        self._answering = Answering(world, registry, tracer, self.limits, say, show_messages=show_messages)
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
            self._say(f"a fault in {self.identity.node} itself, please report it: {where(error)}")
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
                asked_after = self._answering.answer(call, connection, request)
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
