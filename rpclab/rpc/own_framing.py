"""Somebody else's framing in place of ours: what our packets say goes over the wire in their frames.

    class Framing:
        def frame(self, kind, payload): ...   # bytes that say both; kind is a number from 0 to 255
        def feed(self, data): ...             # the (kind, payload) of every frame that is whole by now, in order

Each connection has a Framing of its own, at each end. `data` is what one receive gave: a part of a frame, or several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..config import PACKET_BYTES, Address
from ..errors import PacketError, error_text
from ..own import Own
from ..world.base import Buffer, Stream
from . import packets

__all__ = ["framed"]


def framed(stream: Stream, own: Own) -> Stream:
    """The stream, or one that speaks a framing of their own over it."""
    return stream if own.framing is None else _FramedStream(stream, own.framing())


class _FramedStream:
    def __init__(self, stream: Stream, framing: Any) -> None:
        self._stream, self._framing = stream, framing
        self.peer: Address = stream.peer
        self._out = packets.PacketBuffer()
        self._raw = bytearray(PACKET_BYTES)
        self._in = bytearray()

    @property
    def certified(self) -> frozenset[str] | None:
        return self._stream.certified

    def send(self, buffers: Sequence[Buffer], deadline: float | None) -> None:
        frames = []
        for buffer in buffers:
            rest = memoryview(buffer)
            while rest:
                space = self._out.space()
                count = min(len(space), len(rest))
                space[:count] = rest[:count]
                self._out.filled(count)
                rest = rest[count:]
                while (found := self._out.next()) is not None:
                    frames.append(self._frame(found[0], bytes(found[1])))
        if frames:
            self._stream.send([b"".join(frames)], deadline)

    def _frame(self, kind: int, payload: bytes) -> bytes:
        try:
            framed = self._framing.frame(kind, payload)
        except Exception as error:  # somebody else's code: whatever it raises is told as what it is
            raise PacketError(f"frame raised {type(error).__name__}: {error_text(error)}") from error
        if not isinstance(framed, bytes | bytearray | memoryview):
            raise PacketError(f"frame gave back a {type(framed).__name__}, not bytes")
        return bytes(framed)

    def receive_into(self, view: memoryview, deadline: float | None) -> int:
        while not self._in:
            count = self._stream.receive_into(memoryview(self._raw), deadline)
            if not count:
                return 0
            self._in += b"".join(self._fed(bytes(self._raw[:count])))
        count = min(len(view), len(self._in))
        view[:count] = self._in[:count]
        del self._in[:count]
        return count

    def _fed(self, data: bytes) -> list[bytes]:
        try:
            return [packets.packet(kind, bytes(payload)) for kind, payload in self._framing.feed(data)]
        except Exception as error:  # as above
            raise PacketError(f"feed did not work: {type(error).__name__}: {error_text(error)}") from error

    def shutdown(self) -> None:
        self._stream.shutdown()

    def close(self) -> None:
        self._stream.close()
