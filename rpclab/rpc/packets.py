"""Packets: bytes in, packets out, no I/O. Everything on a connection is a packet.

    kind (1 byte) | payload length (3 bytes, big endian) | payload (at most 65,536 bytes)

    M  message   one JSON-RPC 2.0 message
    D  data      a piece of a file, at least one byte
    E  end       the file is complete; payload: its BLAKE3 digest, 32 bytes
    A  abort     the file, or the connection, ends here; payload: the reason, UTF-8 text

The length stands before the payload, so no content can end a file early; it is checked before room is made for it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from ..config import PACKET_BYTES, PACKET_HEADER_BYTES
from ..errors import MessageTooLarge, PacketError

__all__ = [
    "ABORT",
    "DATA",
    "DIGEST_BYTES",
    "END",
    "MESSAGE",
    "PacketBuffer",
    "header",
    "packet",
    "split",
    "write_header",
]

MESSAGE, DATA, END, ABORT = b"MDEA"
DIGEST_BYTES = 32
_KINDS = {MESSAGE: "message", DATA: "data", END: "end", ABORT: "abort"}
_HEADER = struct.Struct(">I")
_unpack = _HEADER.unpack_from
_TLS_RECORDS = (0x15, 0x16)  # an alert, a handshake: what a TLS peer begins with
_WHOLE = PACKET_HEADER_BYTES + PACKET_BYTES
_ROOM = 2 * _WHOLE


def header(kind: int, length: int) -> bytes:
    """The four bytes before a payload; raises MessageTooLarge over 65,536 bytes."""
    if length > PACKET_BYTES:
        raise MessageTooLarge(
            f"a packet carries at most {PACKET_BYTES:,} bytes, this is {length:,}: ask for it in pages"
        )
    return _HEADER.pack(kind << 24 | length)


def write_header(buffer: bytearray, kind: int) -> None:
    """Fill in the header of a buffer whose first four bytes were left for it. Errors: MessageTooLarge."""
    length = len(buffer) - PACKET_HEADER_BYTES
    if length > PACKET_BYTES:
        header(kind, length)
    _HEADER.pack_into(buffer, 0, kind << 24 | length)


def packet(kind: int, payload: bytes | bytearray | memoryview) -> bytes:
    """One whole packet."""
    return header(kind, len(payload)) + payload


def split(block: memoryview) -> list[bytes | memoryview]:
    """A block of a file as data packets: headers and slices of the block, nothing copied."""
    buffers: list[bytes | memoryview] = []
    for start in range(0, len(block), PACKET_BYTES):
        piece = block[start : start + PACKET_BYTES]
        buffers += (_FULL_DATA if len(piece) == PACKET_BYTES else header(DATA, len(piece)), piece)
    return buffers


_FULL_DATA = header(DATA, PACKET_BYTES)


class PacketBuffer:
    """Collects received bytes and cuts them into packets, however they were cut on their way. A small one grows when a packet
    comes that needs more: most connections never carry one.

    Receive into `space()`, tell `filled(count)`, then take packets with `next()` until it gives None. A payload is a view
    into the buffer: use it before you ask for space again.
    """

    def __init__(self, capacity: int = _ROOM) -> None:
        self._buffer = bytearray(capacity)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0

    def __len__(self) -> int:
        """Bytes received and not yet taken."""
        return self._end - self._start

    def space(self) -> memoryview:
        """Where the next bytes go: always room for the rest of a whole packet."""
        if self._start == self._end:
            self._start = self._end = 0
        elif len(self._buffer) - self._end < _WHOLE:
            if self._start:
                rest = bytes(self._view[self._start : self._end])
                self._view[: len(rest)] = rest
                self._start, self._end = 0, len(rest)
            if len(self._buffer) < _WHOLE and self._end >= PACKET_HEADER_BYTES:
                length = _unpack(self._buffer)[0] & 0xFFFFFF
                if PACKET_HEADER_BYTES + length > len(self._buffer):
                    self.resize(_ROOM)
        return self._view[self._end :]

    def filled(self, count: int) -> None:
        self._end += count

    def fill(self, receive: Callable[[memoryview, float | None], int], deadline: float | None) -> int:
        """Receive once, into the space; returns how many bytes came."""
        if self._start == self._end:
            self._start = self._end = 0
            self._end = count = receive(self._view, deadline)
        else:
            count = receive(self.space(), deadline)
            self._end += count
        return count

    def peek(self) -> int | None:
        """The first byte that was not yet taken."""
        return self._buffer[self._start] if self._end > self._start else None

    def take_all(self) -> bytes:
        """All received bytes as they are, for a wire that has no packets."""
        rest = bytes(self._view[self._start : self._end])
        self._start = self._end = 0
        return rest

    def next(self, limit: int = PACKET_BYTES) -> tuple[int, memoryview] | None:
        """The next packet as (kind, payload), None while it isn't whole; raises PacketError when it can't be one."""
        first, received = self._start, self._end
        start = first + PACKET_HEADER_BYTES
        if start > received:
            if received > first and self._buffer[first] not in _KINDS:
                raise _unknown(self._buffer[first])
            return None
        (head,) = _unpack(self._buffer, first)
        kind, length = head >> 24, head & 0xFFFFFF
        if kind not in _KINDS:
            raise _unknown(kind)
        if length > limit:
            raise PacketError(
                f"a {_KINDS[kind]} packet says it has {length:,} bytes, at most {limit:,} are allowed here"
            )
        if not length and kind == DATA:
            raise PacketError("a data packet without data")
        end = start + length
        if end > received:
            return None
        self._start = end
        return kind, self._view[start:end]

    @property
    def capacity(self) -> int:
        return len(self._buffer)

    def resize(self, capacity: int) -> None:
        """Make the buffer larger for a file, or small again after it; what is not yet taken stays."""
        if capacity == len(self._buffer) or capacity < len(self):
            return
        rest = self.take_all()
        self._buffer = bytearray(capacity)
        self._view = memoryview(self._buffer)
        self._view[: len(rest)] = rest
        self._end = len(rest)


def _unknown(kind: int) -> PacketError:
    if kind in _TLS_RECORDS:
        return PacketError(
            f"a packet starts with {kind:#04x}. It speaks TLS: start both nodes with --certificates, or neither"
        )
    names = ", ".join(f"{key:#04x} ({name})" for key, name in _KINDS.items())
    return PacketError(f"a packet starts with {kind:#04x}, known kinds are {names}")
