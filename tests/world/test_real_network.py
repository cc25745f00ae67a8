"""The real network, plain and with TLS: deadlines, partial sends, wake-ups, and errors that name the address."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rpclab.errors import ConnectFailed, ConnectionLost, DeadlineExceeded, UsageError
from rpclab.world.base import Stream
from rpclab.world.real import RealWorld
from rpclab.world.real_certificates import Certificates
from rpclab.world.real_network import RealNetwork

RESET = struct.pack("ii", 1, 0)  # with SO_LINGER: close sends a reset and leaves nothing behind


@pytest.fixture(params=["plain", "tls"])
def pair(request: pytest.FixtureRequest, world: RealWorld, keys: pathlib.Path) -> Iterator[tuple[Stream, Stream]]:
    """Two ends of a connection over loopback."""
    there, here = world.network, world.network
    if request.param == "tls":
        there, here = (
            RealNetwork(world.clock.now, Certificates.in_folder(keys, node)) for node in ("server1", "client1")
        )
    listening = there.listen(("127.0.0.1", 0))
    near = here.connect(listening.address, world.clock.now() + 5)
    far = listening.accept()
    assert far is not None
    met = threading.Thread(target=near.send, args=([b"x"], world.clock.now() + 5))
    met.start()
    assert far.receive_into(memoryview(bytearray(10)), world.clock.now() + 5) == 1
    met.join(10)
    yield near, far
    for each in (near, far, listening):
        each.close()
    assert listening.accept() is None


def received(stream: Stream, count: int, deadline: float) -> bytes:
    data, buffer = bytearray(), memoryview(bytearray(1 << 20))
    while len(data) < count:
        data += buffer[: stream.receive_into(buffer, deadline)]
    return bytes(data)


def test_bytes_arrive_in_order_whatever_the_buffers(pair: Any, world: RealWorld) -> None:
    near, far = pair
    deadline = world.clock.now() + 10
    pieces = [b"", b"a", bytearray(b"b" * 70_000), memoryview(b"c" * 3), b""] + [
        bytes([number % 256]) for number in range(3000)
    ]
    sender = threading.Thread(target=near.send, args=(pieces, deadline))
    sender.start()
    whole = b"".join(pieces)
    assert received(far, len(whole), deadline) == whole
    sender.join(10)
    near.send([b"one"], deadline)
    near.send([], deadline)
    assert received(far, 3, deadline) == b"one"


def test_much_is_sent_whole_to_a_slow_reader(pair: Any, world: RealWorld) -> None:
    near, far = pair
    blocks = [bytes([number]) * (1 << 20) for number in range(24)]
    sender = threading.Thread(target=near.send, args=(blocks, world.clock.now() + 20))
    sender.start()
    assert received(far, 24 << 20, world.clock.now() + 20) == b"".join(blocks)
    sender.join(10)


@pytest.mark.parametrize("side", ["receive", "send one", "send many"])
def test_a_wait_ends_about_at_its_deadline(side: str, pair: Any, world: RealWorld) -> None:
    near, _ = pair
    began = world.clock.now()
    with pytest.raises(DeadlineExceeded, match=f"127.0.0.1:{near.peer[1]} before the deadline"):
        while True:
            if side == "receive":
                near.receive_into(memoryview(bytearray(10)), began + 0.2)
            else:
                near.send([bytes(1 << 20)] * (1 if side == "send one" else 3), began + 0.2)
    assert 0.2 <= world.clock.now() - began < 2.0


def test_each_wait_has_its_own_deadline_after_a_longer_and_a_shorter_one(pair: Any, world: RealWorld) -> None:
    near, far = pair
    buffer = memoryview(bytearray(10))
    for seconds in (0.2, 0.02, 0.1, 0.02):
        began = world.clock.now()
        with pytest.raises(DeadlineExceeded):
            near.receive_into(buffer, began + seconds)
        assert seconds <= world.clock.now() - began < seconds + 1.0
    threading.Timer(0.1, far.send, ([b"late"], None)).start()
    assert near.receive_into(buffer, None) == 4  # without a deadline the last short one is forgotten


def test_a_deadline_that_has_passed_still_takes_what_is_there(pair: Any, world: RealWorld) -> None:
    near, far = pair
    far.send([b"here"], None)
    time_out = world.clock.now() + 10
    assert near.receive_into(memoryview(bytearray(2)), time_out) == 2
    assert near.receive_into(memoryview(bytearray(10)), world.clock.now() - 1) == 2
    with pytest.raises(DeadlineExceeded):
        near.receive_into(memoryview(bytearray(10)), world.clock.now() - 1)


@pytest.mark.parametrize("end", ["shutdown", "close"])
def test_who_waits_on_a_stream_is_woken_when_it_ends(end: str, pair: Any) -> None:
    near = pair[0]
    woken: list[object] = []

    def wait(stream: Stream) -> None:
        try:
            woken.append(stream.receive_into(memoryview(bytearray(10)), None))
        except ConnectionLost:
            woken.append(0)

    waiting = [threading.Thread(target=wait, args=(stream,)) for stream in pair]
    for thread in waiting:
        thread.start()
    getattr(near, end)()
    for thread in waiting:
        thread.join(10)
    assert woken == [0, 0]
    near.close()
    near.close()


def test_a_connection_that_was_cut_is_a_lost_connection_with_its_address(pair: Any, world: RealWorld) -> None:
    near, far = pair
    far.close()
    with pytest.raises(ConnectionLost, match=rf"the connection to 127.0.0.1:{near.peer[1]} is gone: it closed"):
        for _ in range(100):
            near.send([bytes(1 << 16)], world.clock.now() + 5)
    near.close()
    with pytest.raises(ConnectionLost):
        near.receive_into(memoryview(bytearray(1)), world.clock.now() + 5)


def test_a_listening_socket_that_is_closed_wakes_who_accepts(world: RealWorld) -> None:
    listening = world.network.listen(("127.0.0.1", 0))
    accepted: list[object] = []
    accepting = threading.Thread(target=lambda: accepted.append(listening.accept()))
    accepting.start()
    listening.close()
    accepting.join(10)
    assert accepted == [None]
    listening.close()
    assert listening.accept() is None


def test_a_connection_that_vanished_before_it_was_accepted_is_passed_over(world: RealWorld) -> None:
    listening = world.network.listen(("127.0.0.1", 0))
    hasty = socket.create_connection(listening.address)
    hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    hasty.close()
    patient = world.network.connect(listening.address, world.clock.now() + 5)
    patient.send([b"hi"], None)
    buffer, heard = memoryview(bytearray(10)), b""
    while not heard:
        stream = listening.accept()
        assert stream is not None
        try:
            heard = bytes(buffer[: stream.receive_into(buffer, world.clock.now() + 5)])
        except ConnectionLost:
            continue
        finally:
            stream.close()
    assert heard == b"hi"
    patient.close()
    listening.close()
    listening.accept()


@pytest.mark.parametrize(
    "address", [("127.0.0.1", 99999), ("no.such.host.invalid", 80), ("x" * 300, 80), ("127.0.0.1", -1)]
)
def test_an_address_that_leads_nowhere_is_a_clear_error(address: Any, world: RealWorld) -> None:
    with pytest.raises(ConnectFailed, match="nobody answers at"):
        world.network.connect(address, world.clock.now() + 5)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse at once when a backlog is full")
def test_a_node_that_takes_no_more_connections_is_given_up_in_time(world: RealWorld) -> None:
    """As long as nobody accepts, a full backlog lets the system drop who connects without a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as held:
        for _ in range(3):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        with pytest.raises(ConnectFailed, match=f"127.0.0.1:{full.getsockname()[1]} did not answer in time"):
            world.network.connect(full.getsockname(), world.clock.now() + 0.2)


def test_nagles_algorithm_is_off_unless_asked_for(world: RealWorld) -> None:
    listening = world.network.listen(("127.0.0.1", 0))
    streams = [world.network.connect(listening.address, None, nagle=nagle) for nagle in (False, True)]
    options = [stream._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for stream in streams]
    assert [bool(option) for option in options] == [True, False]
    for stream in (*streams, listening.accept(), listening.accept(), listening):
        assert stream is not None
        stream.close()
    listening.accept()


def test_a_port_is_not_connected_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may give who connects the very port it connects to, and TCP joins it with itself. Tens of thousands of attempts
    would show it; here the port is asked for by name."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    real: Callable[..., socket.socket] = socket.create_connection
    joined = real(address, 5, source_address=address)
    assert joined.getsockname() == joined.getpeername()
    joined.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    joined.close()
    monkeypatch.setattr(socket, "create_connection", lambda where, timeout: real(where, timeout, source_address=where))
    with pytest.raises(ConnectFailed, match="nobody answers"):
        RealNetwork(time.perf_counter).connect(address, None)
    monkeypatch.undo()
    world = RealWorld()
    listening = world.network.listen(address)  # its owner can have the port at once
    listening.close()
    listening.accept()


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "::", "example.invalid", "127.0.0.1.example.invalid"])
def test_a_world_for_this_machine_alone_neither_listens_nor_connects_elsewhere(host: str) -> None:
    network = RealWorld(loopback_only=True).network
    for use in (lambda: network.listen((host, 0)), lambda: network.connect((host, 1), None)):
        with pytest.raises(UsageError, match=r"not encrypted: give --certificates .* or say --insecure"):
            use()
    listening = network.listen(("127.0.0.1", 0))
    network.connect(("localhost", listening.address[1]), None).close()
    listening.close()
    listening.accept()
