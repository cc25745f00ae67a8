"""Links that are cut and slow, over real sockets: what is sent waits, as TCP's bytes do, and arrives when the link is whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rpclab.config import Address
from rpclab.errors import ConnectFailed, DeadlineExceeded
from rpclab.world.base import Listening, Stream
from rpclab.world.links import Line, LinkedNetwork, Links
from rpclab.world.real import RealWorld

CUT = Line(cut=True)


class Pair:
    """A listening node without links, and another that connects to it over a link."""

    def __init__(self, world: RealWorld) -> None:
        self.now = world.clock.now
        self.links = Links(world.clock, world.tasks)
        self.network = LinkedNetwork(world.network, self.links)
        self.listening: Listening = world.network.listen(("127.0.0.1", 0))
        self.address: Address = self.listening.address
        self.open: list[Stream] = []

    def connect(self, seconds: float = 5.0) -> tuple[Stream, Stream]:
        here = self.network.connect(self.address, self.now() + seconds)
        there = self.listening.accept()
        assert there is not None
        self.open += [here, there]
        return here, there

    def cut(self, *, there: bool = True, back: bool = True) -> None:
        self.links.set({self.address: CUT} if there else {}, {self.address: CUT} if back else {})

    def slow(self, latency_s: float, bytes_s: float | None = None) -> None:
        line = Line(latency_s=latency_s, bytes_s=bytes_s)
        self.links.set({self.address: line}, {self.address: line})

    def heal(self) -> None:
        self.links.set({}, {})

    def send(self, stream: Stream, data: bytes, seconds: float = 5.0) -> None:
        stream.send([data], self.now() + seconds)

    def receive(self, stream: Stream, seconds: float = 5.0) -> bytes:
        buffer = bytearray(65_536)
        return bytes(buffer[: stream.receive_into(memoryview(buffer), self.now() + seconds)])


@pytest.fixture
def pair(world: RealWorld) -> Iterator[Pair]:
    made = Pair(world)
    yield made
    made.heal()
    for stream in made.open:
        stream.close()
    made.listening.close()
    made.listening.accept()


def test_a_link_that_is_whole_is_as_if_it_were_none(pair: Pair) -> None:
    here, there = pair.connect()
    pair.send(here, b"ping")
    assert pair.receive(there) == b"ping"
    pair.send(there, b"pong")
    assert pair.receive(here) == b"pong"
    here.close()
    assert pair.receive(there) == b""


def test_what_is_sent_over_a_cut_link_arrives_in_order_when_it_is_whole(pair: Pair) -> None:
    here, there = pair.connect()
    pair.cut()
    for number in range(5):
        pair.send(here, b"%d" % number)
    with pytest.raises(DeadlineExceeded):
        pair.receive(there, 0.1)
    pair.heal()
    pair.send(here, b"5")
    arrived = b""
    while len(arrived) < 6:
        arrived += pair.receive(there)
    assert arrived == b"012345"


def test_it_arrives_also_if_its_sender_has_closed_by_then(pair: Pair) -> None:
    here, there = pair.connect()
    pair.cut()
    pair.send(here, b"do it anyway")
    here.close()
    with pytest.raises(DeadlineExceeded):
        pair.receive(there, 0.1)
    pair.heal()
    assert pair.receive(there) == b"do it anyway" and pair.receive(there) == b""


def test_an_end_is_not_heard_of_over_a_cut_link(pair: Pair) -> None:
    here, there = pair.connect()
    pair.cut()
    here.close()
    with pytest.raises(DeadlineExceeded):
        pair.receive(there, 0.1)
    pair.heal()
    assert pair.receive(there) == b""


def test_what_the_other_side_says_waits_too_and_so_does_its_end(pair: Pair) -> None:
    here, there = pair.connect()
    pair.cut()
    pair.send(there, b"late")
    there.close()
    with pytest.raises(DeadlineExceeded):
        pair.receive(here, 0.1)
    pair.heal()
    assert pair.receive(here) == b"late" and pair.receive(here) == b""


def test_a_way_that_is_cut_leaves_the_other_as_it_is(pair: Pair) -> None:
    here, there = pair.connect()
    pair.cut(there=False)
    pair.send(here, b"heard")
    assert pair.receive(there) == b"heard"
    pair.send(there, b"not heard")
    with pytest.raises(DeadlineExceeded):
        pair.receive(here, 0.1)


def test_a_window_that_is_full_makes_the_sender_wait(pair: Pair) -> None:
    here, _ = pair.connect()
    pair.cut()
    pair.send(here, bytes(131_072))
    with pytest.raises(DeadlineExceeded):
        pair.send(here, b"more", 0.1)


def test_nobody_connects_over_a_cut_link(pair: Pair, in_thread: Callable[..., Any]) -> None:
    pair.cut(there=False)
    with pytest.raises(ConnectFailed, match="did not answer in time"):
        pair.network.connect(pair.address, pair.now() + 0.1)
    waiting = in_thread(lambda: pair.connect(10))
    pair.heal()
    waiting.join(10)
    assert not waiting.is_alive() and len(pair.open) == 2


def test_a_slow_link_takes_longer_each_way(pair: Pair) -> None:
    here, there = pair.connect()
    pair.slow(0.1)
    began = pair.now()
    pair.send(here, b"ping")
    assert pair.receive(there) == b"ping"
    assert pair.now() - began >= 0.1
    pair.send(there, b"pong")
    assert pair.receive(here) == b"pong"
    assert pair.now() - began >= 0.2
    pair.slow(0.0, bytes_s=100_000)
    began = pair.now()
    pair.send(here, bytes(20_000))
    assert pair.now() - began >= 0.2
    pair.slow(5.0)
    with pytest.raises(DeadlineExceeded):
        pair.send(here, b"x", 0.1)


def test_whoever_waits_at_a_cut_link_wakes_up_when_it_is_shut_down(pair: Pair, in_thread: Callable[..., Any]) -> None:
    here, there = pair.connect()
    pair.cut()
    pair.send(there, b"late")
    waiting = in_thread(lambda: pair.receive(here, 30))
    here.shutdown()
    waiting.join(10)
    assert not waiting.is_alive()


@pytest.fixture
def in_thread() -> Callable[[Callable[[], object]], threading.Thread]:
    def start(function: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=function, daemon=True)
        thread.start()
        return thread

    return start
