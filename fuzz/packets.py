"""The packet reader: whatever bytes come, in whatever pieces, it finds just the packets that a parser of ten lines finds.

one byte: size of the pieces, time that each takes, limit, size of the buffer | the stream
"""

from __future__ import annotations

from rpclab.config import PACKET_BYTES, PACKET_HEADER_BYTES, Limits
from rpclab.errors import ConnectionLost, DeadlineExceeded, PacketError
from rpclab.rpc import packets
from rpclab.rpc.channel import Channel

from .memory import MemoryStream, MemoryWorld

__all__ = ["check", "parse"]

PIECES = (1, 2, 3, 7, 16, 61, 1000, 200_000)
_LIMITS = Limits()
_SLACK_S = 1.0


def check(data: bytes) -> None:
    if not data:
        return
    flags, stream_bytes = data[0], data[1:]
    stream = MemoryStream(stream_bytes, PIECES[flags & 7], _SLACK_S if flags & 8 else 0.0)
    channel = Channel(MemoryWorld(stream), stream, _LIMITS)  # type: ignore[arg-type]
    channel.limit = 16 if flags & 16 else PACKET_BYTES
    if flags & 32:  # hardly more room than one packet takes: what is left over is moved to the front, often
        channel._buffer = packets.PacketBuffer(PACKET_HEADER_BYTES + PACKET_BYTES + 8)
    expected, where, ending = parse(stream_bytes, channel.limit)
    found, said = read(channel, stream, bool(flags & 64))
    assert found == expected[: len(found)], (found, expected)
    whole = b"".join(packets.packet(kind, payload) for kind, payload in found)
    assert stream_bytes.startswith(whole)
    if said == "late":
        assert flags & 8
        return
    assert (len(found), said) == (len(expected), ending), (found, said, expected, ending)
    if said == "wrong":
        assert stream.taken < where + PACKET_HEADER_BYTES + stream.piece, "read on behind what can be no packet"


def read(channel: Channel, stream: MemoryStream, file: bool) -> tuple[list[tuple[int, bytes]], str]:
    """All packets, and how the stream ended: end, cut, wrong or late."""
    found: list[tuple[int, bytes]] = []
    try:
        while True:
            if file and len(found) % 3 == 1:
                channel.expect_file(-1 if len(found) % 2 == 0 else None)
            began = stream.time
            packet = channel.receive(None)
            assert stream.time - began <= _LIMITS.packet_s + stream.step_s, "one packet took longer than it may"
            while packet is not None:
                found.append((packet[0], bytes(packet[1])))
                packet = channel.available()
                if packet is None:
                    break
            else:
                return found, "end"
    except PacketError:
        return found, "wrong"
    except ConnectionLost:
        return found, "cut"
    except DeadlineExceeded:
        return found, "late"


def parse(stream: bytes, limit: int) -> tuple[list[tuple[int, bytes]], int, str]:
    """The packets in a stream, as docs/protocol.md has them; where they end, and how."""
    found: list[tuple[int, bytes]] = []
    place = 0
    while place < len(stream):
        kind, length = stream[place], int.from_bytes(stream[place + 1 : place + 4], "big")
        header = place + 4 <= len(stream)
        if kind not in b"MDEA" or (header and (length > limit or (kind == ord("D") and not length))):
            return found, place, "wrong"
        if not header or place + 4 + length > len(stream):
            return found, place, "cut"
        found.append((kind, stream[place + 4 : place + 4 + length]))
        place += 4 + length
    return found, place, "end"
