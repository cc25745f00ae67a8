"""Packets: whatever the pieces, the same packets; whatever is no packet, a clear error before any room is made for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpclab.config import PACKET_BYTES, PACKET_HEADER_BYTES, Limits
from rpclab.errors import ConnectionLost, MessageTooLarge, PacketError
from rpclab.rpc import packets
from rpclab.rpc.channel import Channel, expect
from rpclab.rpc.packets import ABORT, DATA, END, MESSAGE, PacketBuffer

KINDS = [MESSAGE, DATA, END, ABORT]
SMALL = 2 * (PACKET_HEADER_BYTES + PACKET_BYTES)


@st.composite
def whole_packets(draw: st.DrawFn) -> tuple[int, bytes]:
    kind = draw(st.sampled_from(KINDS))
    length = draw(st.one_of(st.integers(0, 40), st.sampled_from([PACKET_BYTES, PACKET_BYTES - 1, 30_000])))
    return kind, bytes([draw(st.integers(0, 255))]) * max(length, kind == DATA)


def feed(buffer: PacketBuffer, piece: bytes) -> list[tuple[int, bytes]]:
    """Receive a piece as the channel does, as much at a time as there is room, and take what is whole."""
    found = []
    while piece:
        space = buffer.space()
        assert len(space), "no room for the rest of a packet"
        count = min(len(space), len(piece))
        space[:count] = piece[:count]
        buffer.filled(count)
        piece = piece[count:]
        while (packet := buffer.next()) is not None:
            found.append((packet[0], bytes(packet[1])))
    return found


@given(
    st.lists(whole_packets(), max_size=8),
    st.lists(st.integers(1, 200_000), max_size=30),
    st.sampled_from([64, 4096, SMALL]),
    st.data(),
)
def test_packets_come_out_as_they_went_in_however_they_are_cut(
    sent: list[tuple[int, bytes]], cuts: list[int], capacity: int, data: st.DataObject
) -> None:
    stream = b"".join(packets.packet(kind, payload) for kind, payload in sent)
    buffer, found, start = PacketBuffer(capacity), [], 0
    for cut in [*cuts, len(stream)]:
        found += feed(buffer, stream[start : start + cut])
        start += cut
        if data.draw(st.booleans()):
            buffer.resize(data.draw(st.sampled_from([SMALL, 4 * SMALL, 33 * SMALL])))
    assert found == sent
    assert len(buffer) == 0


@given(st.binary(min_size=1, max_size=400))
def test_random_bytes_give_packets_or_a_packet_error_and_nothing_else(data: bytes) -> None:
    buffer = PacketBuffer()
    try:
        for index in range(len(data)):
            feed(buffer, data[index : index + 1])
    except PacketError:
        return
    assert data[0] in KINDS


@pytest.mark.parametrize("length", [PACKET_BYTES + 1, 0x100000, 0xFFFFFF])
@pytest.mark.parametrize("kind", KINDS)
def test_a_length_beyond_the_limit_is_refused_as_soon_as_the_header_is_there(kind: int, length: int) -> None:
    buffer = PacketBuffer()
    with pytest.raises(PacketError, match=f"says it has {length:,} bytes, at most 65,536"):
        feed(buffer, bytes([kind]) + length.to_bytes(3, "big"))


def test_a_packet_of_the_greatest_length_is_taken() -> None:
    assert feed(PacketBuffer(), packets.packet(DATA, bytes(PACKET_BYTES))) == [(DATA, bytes(PACKET_BYTES))]


def test_an_unknown_kind_is_refused_at_its_first_byte() -> None:
    for first in set(range(256)) - set(KINDS):
        said = r"\. It speaks TLS" if first in (0x15, 0x16) else r", known kinds are .*\(message\)"
        with pytest.raises(PacketError, match=f"starts with {first:#04x}{said}"):
            feed(PacketBuffer(), bytes([first]))


@pytest.mark.parametrize("first", [0, ord("["), 255])
def test_an_unknown_kind_with_a_whole_header_is_refused_too(first: int) -> None:
    with pytest.raises(PacketError, match="known kinds"):
        feed(PacketBuffer(), bytes([first, 0, 0, 0]))


def test_a_data_packet_without_data_is_refused() -> None:
    with pytest.raises(PacketError, match="without data"):
        feed(PacketBuffer(), bytes([DATA, 0, 0, 0]))


@pytest.mark.parametrize("kind", [MESSAGE, END, ABORT])
def test_other_packets_may_be_empty(kind: int) -> None:
    assert feed(PacketBuffer(), bytes([kind, 0, 0, 0])) == [(kind, b"")]


def test_a_lower_limit_holds_for_every_kind_during_the_handshake() -> None:
    buffer = PacketBuffer()
    data = packets.packet(MESSAGE, b"x" * 1025)
    buffer.space()[: len(data)] = data
    buffer.filled(len(data))
    with pytest.raises(PacketError, match="at most 1,024 are allowed here"):
        buffer.next(1024)


def test_nothing_longer_than_a_packet_can_be_made() -> None:
    with pytest.raises(MessageTooLarge, match="65,537: ask for it in pages"):
        packets.packet(MESSAGE, bytes(PACKET_BYTES + 1))


@given(st.integers(0, 5 * PACKET_BYTES + 7))
def test_a_block_is_split_into_full_packets_and_a_rest_without_copying(size: int) -> None:
    block = memoryview(bytearray(size))
    buffers = packets.split(block)
    assert [len(head) for head in buffers[::2]] == [PACKET_HEADER_BYTES] * (len(buffers) // 2)
    assert all(isinstance(piece, memoryview) and piece.obj is block.obj for piece in buffers[1::2])
    found = feed(PacketBuffer(), b"".join(buffers))
    assert {kind for kind, _ in found} <= {DATA}
    assert sum(len(payload) for _, payload in found) == size
    assert all(len(payload) == PACKET_BYTES for _, payload in found[:-1])


@given(st.binary(max_size=3000), st.integers(0, 3000), st.sampled_from([SMALL, 2 * SMALL, 33 * SMALL]))
def test_resizing_keeps_what_is_there(data: bytes, taken: int, capacity: int) -> None:
    buffer = PacketBuffer()
    begun = packets.packet(DATA, b"d" * taken) if taken else b""
    start = begun + b"M\x00\x10\x00" + data
    buffer.space()[: len(start)] = start
    buffer.filled(len(start))
    if taken:
        assert buffer.next() is not None
    buffer.resize(capacity)
    assert len(buffer) == 4 + len(data)
    assert buffer.peek() == MESSAGE
    assert feed(buffer, bytes(4096 - len(data))) == [(MESSAGE, data + bytes(4096 - len(data)))]


def test_resizing_below_what_is_there_keeps_it_too() -> None:
    buffer = PacketBuffer(33 * SMALL)
    stream = packets.packet(DATA, bytes(PACKET_BYTES)) * 4
    buffer.space()[: len(stream)] = stream
    buffer.filled(len(stream))
    buffer.resize(SMALL)
    assert len(buffer) == len(stream)


def test_a_view_that_was_given_out_survives_a_resize() -> None:
    buffer = PacketBuffer()
    stream = packets.packet(DATA, b"first") + packets.packet(DATA, b"second")
    buffer.space()[: len(stream)] = stream
    buffer.filled(len(stream))
    first = buffer.next()
    buffer.resize(4 * SMALL)
    assert first is not None
    assert bytes(first[1]) == b"first"


def test_an_abort_packet_becomes_the_lost_connection_that_it_means() -> None:
    with pytest.raises(ConnectionLost, match="ended the connection: no room"):
        expect((ABORT, memoryview(b"no room")), MESSAGE)
    assert expect((ABORT, memoryview(b"no room")), DATA, ABORT)[0] == ABORT
    with pytest.raises(PacketError, match="unexpected 'D' packet"):
        expect((DATA, memoryview(b"x")), MESSAGE)
    with pytest.raises(ConnectionLost, match="closed"):
        expect(None, MESSAGE)


class Trickle:
    """A stream that gives one byte a second of a clock that it turns itself."""

    peer = ("trickle", 0)

    def __init__(self, data: bytes) -> None:
        self.data, self.time = data, 0.0
        self.clock = self
        self.deadlines: list[float | None] = []

    def now(self) -> float:
        return self.time

    def receive_into(self, view: memoryview, deadline: float | None) -> int:
        from rpclab.errors import DeadlineExceeded

        self.deadlines.append(deadline)
        self.time += 1.0
        if deadline is not None and self.time >= deadline:
            raise DeadlineExceeded("too late")
        view[:1], self.data = self.data[:1], self.data[1:]
        return 1


def test_a_packet_has_its_time_from_its_first_byte_on_however_its_bytes_trickle_in() -> None:
    from rpclab.errors import DeadlineExceeded

    stream = Trickle(packets.packet(MESSAGE, bytes(100)))
    channel = Channel(stream, stream, Limits(packet_s=10.0))  # type: ignore[arg-type]
    with pytest.raises(DeadlineExceeded):
        channel.receive(None)
    assert stream.deadlines == [None] + [11.0] * 10  # one deadline for the whole packet, not one for each byte


def test_a_stream_that_ends_in_a_packet_is_a_lost_connection() -> None:
    class Ending(Trickle):
        def receive_into(self, view: memoryview, deadline: float | None) -> int:
            return super().receive_into(view, deadline) if self.data else 0

    half = Ending(packets.packet(MESSAGE, b"hello")[:6])
    with pytest.raises(ConnectionLost, match="in the middle of a packet"):
        Channel(half, half, Limits()).receive(None)  # type: ignore[arg-type]
    ended = Ending(b"")
    assert Channel(ended, ended, Limits()).receive(None) is None  # type: ignore[arg-type]
