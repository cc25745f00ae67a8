"""The simulated network keeps what TCP promises: bytes in order, whatever becomes of the links; and no more than that."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from rpclab.errors import ConnectFailed, ConnectionLost, DeadlineExceeded, PortInUse
from rpclab.world.base import Stream
from rpclab.world.simulated import Conditions, SimulatedWorld, Simulation

ADDRESS = ("b", 1)
MEBIBYTE = 1 << 20


class Pair:
    def __init__(self, seed: int = 1, conditions: Conditions | None = None) -> None:
        self.simulation = Simulation(seed, conditions)
        self.a, self.b = self.world("a"), self.world("b")

    def world(self, node: str) -> SimulatedWorld:
        return self.simulation.world(node, self.simulation.disk(node))

    def run(self, client: Callable[[Stream], object], server: Callable[[Stream], object]) -> object:
        listening = self.b.network.listen(ADDRESS)

        def serve() -> None:
            stream = listening.accept()
            assert stream is not None
            server(stream)

        self.b.tasks.spawn(serve, "serves")
        return self.simulation.run(lambda: client(self.a.network.connect(ADDRESS, self.a.clock.now() + 5)), self.a.life)

    def sleep(self, seconds: float) -> None:
        self.simulation.run(lambda: self.simulation.scheduler.sleep(seconds))


def read_all(stream: Stream, sizes: list[int] | None = None, deadline: float | None = None) -> bytes:
    buffer, data = memoryview(bytearray(10_000)), bytearray()
    while count := stream.receive_into(buffer, deadline):
        data += buffer[:count]
        if sizes is not None:
            sizes.append(count)
    return bytes(data)


def send_and_end(stream: Stream, data: bytes) -> None:
    stream.send([data[:1000], data[1000:]], None)
    stream.close()


def test_bytes_arrive_whole_in_order_and_in_pieces_of_any_size() -> None:
    data, sizes, found = random.Random(1).randbytes(MEBIBYTE), list[int](), list[bytes]()
    pair = Pair()
    pair.run(lambda stream: send_and_end(stream, data), lambda stream: found.append(read_all(stream, sizes)))
    pair.sleep(5)
    assert found == [data]
    assert len(set(sizes)) > 5 and min(sizes) < 100


def test_small_messages_are_now_and_then_read_together() -> None:
    sizes, data = list[int](), b"0123456789" * 300
    pair = Pair()

    def send(stream: Stream) -> None:
        for place in range(0, len(data), 10):
            stream.send([data[place : place + 10]], None)
        stream.close()

    pair.run(send, lambda stream: read_all(stream, sizes))
    pair.sleep(5)
    assert sum(sizes) == len(data) and max(sizes) > 10 and min(sizes) < 10


def test_a_sender_waits_for_a_receiver_and_no_longer_than_its_deadline() -> None:
    pair = Pair()

    def send(stream: Stream) -> float:
        with pytest.raises(DeadlineExceeded):
            stream.send([bytes(MEBIBYTE)], pair.a.clock.now() + 3)
        return pair.a.clock.now()

    assert 3 <= pair.run(send, lambda stream: pair.b.clock.sleep(100)) < 3.1  # type: ignore[operator]


def test_bandwidth_and_latency_take_their_time() -> None:
    found = list[float]()
    pair = Pair(conditions=Conditions(latency_s=0.1, bytes_s=1_000_000, stall=0))
    pair.run(
        lambda stream: send_and_end(stream, bytes(MEBIBYTE)),
        lambda stream: (read_all(stream), found.append(pair.b.clock.now())),
    )
    pair.sleep(20)
    assert 1.2 < found[0] < 4


def test_a_cut_link_holds_bytes_up_and_loses_none() -> None:
    found = list[bytes]()
    pair = Pair()

    def client(stream: Stream) -> None:
        stream.send([b"before"], None)
        pair.a.clock.sleep(1)
        pair.simulation.wires.partition([("a", "b")])  # one way: the answer would still come
        stream.send([b", after"], None)
        stream.close()
        pair.a.clock.sleep(10)
        assert found == []
        pair.simulation.wires.heal()
        pair.a.clock.sleep(1)

    pair.run(client, lambda stream: found.append(read_all(stream)))
    assert found == [b"before, after"]


@pytest.mark.parametrize("link", [("a", "b"), ("b", "a")])
def test_who_connects_over_a_cut_link_tries_on_until_the_deadline(link: tuple[str, str]) -> None:
    pair = Pair()
    pair.b.network.listen(ADDRESS)
    pair.simulation.wires.partition([link])

    def connect() -> None:
        with pytest.raises(ConnectFailed, match="in time"):
            pair.a.network.connect(ADDRESS, 2.0)
        assert pair.a.clock.now() == 2.0
        pair.a.tasks.spawn(heal, "heals")
        pair.a.network.connect(ADDRESS, 10.0)
        assert 3.0 < pair.a.clock.now() < 7.0

    def heal() -> None:
        pair.a.clock.sleep(1)
        pair.simulation.wires.heal()

    pair.simulation.run(connect)


def test_nobody_answers_where_nobody_listens_and_a_port_is_one_nodes() -> None:
    pair = Pair()

    def connect() -> None:
        with pytest.raises(ConnectFailed, match="nobody"):
            pair.a.network.connect(ADDRESS, 5)
        listening = pair.b.network.listen(ADDRESS)
        with pytest.raises(PortInUse):
            pair.b.network.listen(ADDRESS)
        listening.close()
        pair.b.network.listen(ADDRESS)

    pair.simulation.run(connect)


def outcome(pair: Pair, stream: Stream, deadline: float) -> str:
    try:
        return "end" if stream.receive_into(memoryview(bytearray(10)), deadline) == 0 else "bytes"
    except (ConnectionLost, DeadlineExceeded) as error:
        return type(error).__name__


def test_a_killed_process_says_so_a_machine_without_power_says_nothing() -> None:
    for power, expected in ((False, "end"), (True, "DeadlineExceeded")):
        pair = Pair()

        def client(stream: Stream, pair: Pair = pair, power: bool = power) -> str:
            pair.a.clock.sleep(1)
            if power:
                pair.simulation.cut_power(pair.b, random.Random(1))
            else:
                pair.simulation.kill(pair.b)
            return outcome(pair, stream, 10.0)

        assert pair.run(client, lambda stream: stream.receive_into(memoryview(bytearray(9)), None)) == expected


def test_a_machine_that_is_up_again_knows_nothing_of_earlier_connections() -> None:
    pair = Pair()

    def client(stream: Stream) -> list[str]:
        pair.simulation.cut_power(pair.b, random.Random(1))
        stream.send([b"hello"], None)
        first = outcome(pair, stream, pair.a.clock.now() + 5)
        pair.world("b")
        stream.send([b"hello"], None)
        return [first, outcome(pair, stream, pair.a.clock.now() + 5)]

    assert pair.run(client, read_all) == ["DeadlineExceeded", "ConnectionLost"]


def test_a_silent_machine_is_found_out_in_the_end() -> None:
    pair = Pair()

    def client(stream: Stream) -> float:
        pair.simulation.cut_power(pair.b, random.Random(1))
        with pytest.raises(ConnectionLost):
            stream.receive_into(memoryview(bytearray(9)), None)
        return pair.a.clock.now()

    assert 60 < pair.run(client, read_all) < 120  # type: ignore[operator]


def test_a_reset_breaks_both_ends() -> None:
    pair, there = Pair(), list[str]()

    def client(stream: Stream) -> str:
        pair.a.clock.sleep(1)
        assert pair.simulation.wires.reset("b", random.Random(1), 1.0) == 1
        return outcome(pair, stream, 5.0)

    assert pair.run(client, lambda stream: there.append(outcome(pair, stream, 5.0))) == "ConnectionLost"
    pair.sleep(0.1)
    assert there == ["ConnectionLost"]
