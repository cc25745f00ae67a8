"""One end of a connection: sends messages and receives them, each with its event. What they mean is connection.py's to know."""

from __future__ import annotations

from typing import Any

from ..config import PACKET_HEADER_BYTES, Limits
from ..trace import Stamp, Tracer
from ..world.base import World
from . import messages, packets
from .channel import Channel, expect
from .handshake import Peer
from .messages import Failure, Incoming, Request, Success

__all__ = ["Endpoint"]

_TEXT_BYTES = 2000  # of a message, in the event that it was received: what a person reads of it


class Endpoint:
    """What a connection is made on. A stage may decide what becomes of each message that has come (stage.py)."""

    def __init__(self, world: World, channel: Channel, peer: Peer, tracer: Tracer, limits: Limits) -> None:
        self.peer = peer
        self.channel = channel
        self.tracer = tracer
        self.limits = limits
        self.asking = self.answering = ""
        """The methods that are under way: asked of the peer, answered to it."""
        self._stage = tracer.stage
        if self._stage is not None:
            self._stage.connections[self] = None
        self._now = world.clock.now
        self._out = bytearray()
        self.at, self.file = 0, ""
        """The number of the last message's event, and the file whose packets passed here since."""
        self.closed = False
        tracer.event("connected", peer=peer.node, detail={"role": peer.role})

    def _send(self, message: Request | Success | Failure, kind: str, method: Any, deadline: float) -> None:
        out = self._out
        tracer = self.tracer
        if tracer.enabled:

            def measure(stamp: Stamp) -> int:
                message.trace = stamp
                messages.encode(message, out)
                return len(out)

            call = message.id if isinstance(message.id, int | str) else ""
            detail, self.file = {"after": self.file} if self.file else None, ""
            self.at = tracer.event(
                "send", peer=self.peer.node, message=kind, method=method, call=call, detail=detail, measure=measure
            )[1]
        else:
            messages.encode(message, out)
        self.channel.send((out,), deadline)

    def _receive(self, deadline: float | None) -> Incoming | None:
        stage = self._stage
        payload = self.payload(deadline) if stage is None else stage.next(self, deadline)
        if payload is None:
            return None
        message = messages.decode(payload)
        if self.tracer.enabled:
            self._trace_receive(message, payload)
        return message

    def payload(self, deadline: float | None) -> bytes | None:
        """The next message as it came; None at the end of the stream. Only the stage reads it so."""
        found = self.channel.receive(deadline)
        if found is None:
            return None
        if found[0] != packets.MESSAGE:
            expect(found, packets.MESSAGE)
        return bytes(found[1])

    def _trace_receive(self, message: Incoming, payload: bytes) -> None:
        tracer = self.tracer
        detail, self.file = {"after": self.file} if self.file else {}, ""
        if tracer.texts:
            detail["text"] = payload[:_TEXT_BYTES].decode("utf-8", "replace")
        self.at = tracer.event(
            "receive",
            peer=self.peer.node,
            message=message.kind,
            method=message.method or "",
            call=message.call_id,
            bytes=len(payload) + PACKET_HEADER_BYTES,
            cause=message.trace or None,
            detail=detail,
        )[1]

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.asking = self.answering = ""
            if self._stage is not None:
                self._stage.connections.pop(self, None)
            self.tracer.event("disconnected", peer=self.peer.node)
            self.channel.close()
