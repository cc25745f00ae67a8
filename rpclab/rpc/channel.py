"""Packets over a stream: the one place where bytes are sent and received, each wait with its deadline."""

from __future__ import annotations

from collections.abc import Sequence

from ..config import BATCH_PACKETS, PACKET_BYTES, PACKET_HEADER_BYTES, Limits
from ..errors import ConnectionLost, PacketError
from ..world.base import Buffer, Stream, World
from . import packets

__all__ = ["Channel"]

_FILE_BUFFER = 2 * BATCH_PACKETS * (PACKET_HEADER_BYTES + PACKET_BYTES)
_MESSAGE_BUFFER = 2 * (PACKET_HEADER_BYTES + PACKET_BYTES)
_FIRST_BUFFER = 4096  # what nearly every message fits: a thousand idle connections cost little


class Channel:
    """Sends and receives packets on one stream. It belongs to one task at a time; `Connection` sees to that.

    `document`: the peer may speak the document's wire, where what one receive gives is a message.
    """

    def __init__(self, world: World, stream: Stream, limits: Limits, *, document: bool = False) -> None:
        self.stream = stream
        self.limits = limits
        self.now = world.clock.now
        self._buffer = packets.PacketBuffer(_MESSAGE_BUFFER if document else _FIRST_BUFFER)
        self.limit = PACKET_BYTES  # the longest payload accepted now; less during the handshake

    def send(self, buffers: Sequence[Buffer], deadline: float | None) -> None:
        self.stream.send(buffers, deadline)

    def send_packet(self, kind: int, payload: Buffer, deadline: float | None) -> None:
        self.stream.send([packets.packet(kind, payload)], deadline)

    def receive(self, deadline: float | None) -> tuple[int, memoryview] | None:
        """The next packet, None at the end of the stream. Errors: PacketError, ConnectionLost, DeadlineExceeded.

        Until its first byte a packet may take as long as the deadline lets it; from then on it has `limits.packet_s`,
        however slowly its bytes trickle in.
        """
        buffer = self._buffer
        if not len(buffer) and not buffer.fill(self.stream.receive_into, deadline):
            return None
        return buffer.next(self.limit) or self._rest(deadline)

    def _rest(self, deadline: float | None) -> tuple[int, memoryview]:
        """The packet of which the first bytes are here."""
        buffer, until = self._buffer, self.now() + self.limits.packet_s
        if deadline is not None and deadline < until:
            until = deadline
        while buffer.fill(self.stream.receive_into, until):
            if (found := buffer.next(self.limit)) is not None:
                return found
        raise ConnectionLost("the connection ended in the middle of a packet")

    def available(self) -> tuple[int, memoryview] | None:
        """A packet that is already here, without waiting; views given out before stay good."""
        return self._buffer.next(self.limit)

    def first_byte(self, deadline: float | None) -> int | None:
        """Wait for the first byte and leave it where it is; None at the end of the stream."""
        while (first := self._buffer.peek()) is None:
            if not self._buffer.fill(self.stream.receive_into, deadline):
                return None
        return first

    def receive_raw(self, deadline: float | None) -> bytes:
        """What one receive of 65,536 bytes gives, for the document's wire; b"" at the end."""
        if not len(self._buffer):
            self._buffer.filled(self.stream.receive_into(self._buffer.space()[:PACKET_BYTES], deadline))
        return self._buffer.take_all()

    def expect_file(self, size: int | None) -> None:
        """Make the buffer large while a file of so many bytes comes, so that sixteen packets arrive in one system call; small
        again with None. A file that fits the small one needs none: clearing 2 MiB for each costs more than receiving it."""
        large = size is not None and (size < 0 or size > PACKET_BYTES)
        if large or self._buffer.capacity > _MESSAGE_BUFFER:
            self._buffer.resize(_FILE_BUFFER if large else _MESSAGE_BUFFER)

    def close(self) -> None:
        self.stream.close()


def expect(found: tuple[int, memoryview] | None, *kinds: int) -> tuple[int, memoryview]:
    """The packet, if it is one of these kinds; an abort packet becomes the ConnectionLost it stands for."""
    if found is None:
        raise ConnectionLost("the peer closed the connection")
    kind, payload = found
    if kind == packets.ABORT and packets.ABORT not in kinds:
        raise ConnectionLost(f"the peer ended the connection: {bytes(payload).decode('utf-8', 'replace')[:500]}")
    if kind not in kinds:
        raise PacketError(f"an unexpected {chr(kind)!r} packet")
    return kind, payload
