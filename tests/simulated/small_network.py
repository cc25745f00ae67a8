"""The small world's network: connections in memory whose bytes arrive in order, late, and cut into segments anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from rpclab.config import Address, address_text
from rpclab.errors import ConnectFailed, ConnectionLost, DeadlineExceeded, PortInUse
from rpclab.world.base import Buffer

if TYPE_CHECKING:
    from greenlet import greenlet

    from .small_world import Simulation

LATENCY_S = 0.0005  # the mean; each segment has its own
BYTES_PER_S = 100e6
SEGMENT_BYTES = 32_768
WINDOW_BYTES = 131_072  # sent and not yet received, at most; then a sender waits
CUT = 0.2  # of the segments are cut somewhere, as likely after a few bytes as after many


class Stream:
    """One end of a connection: bytes travel to the other end in segments cut anywhere, in order, each with its latency."""

    other: Stream
    certified = None

    def __init__(self, simulation: Simulation, node: str, peer: Address) -> None:
        self.node, self.peer = node, peer
        self._simulation = simulation
        self._inbox = bytearray()
        self._unread = 0  # bytes on their way here or in the inbox
        self._free_at = 0.0  # when the way from here is free again
        self._ended = self._shut = self._lost = self._closed = False
        self._parked: list[greenlet] = []

    def send(self, buffers: Sequence[Buffer], deadline: float | None) -> None:
        data = b"".join(buffers)
        done = 0
        while done < len(data):
            if self._lost or self._shut:
                raise ConnectionLost(f"the connection to {address_text(self.peer)} is gone")
            if self.other._unread >= WINDOW_BYTES:
                self._wait("send to", deadline)
                continue
            piece = data[done : done + self._cut(min(len(data) - done, SEGMENT_BYTES))]
            done += len(piece)
            self.other._unread += len(piece)
            self._travel(partial(self.other._arrive, piece), len(piece))

    def _cut(self, length: int) -> int:
        chance = self._simulation.random.random
        return length if chance() > CUT else int(length ** chance())

    def _travel(self, what: Callable[[], object], length: int = 0) -> None:
        simulation = self._simulation
        arrival = max(self._free_at, simulation.now + LATENCY_S * (0.5 + simulation.random.random()))
        self._free_at = arrival + length / BYTES_PER_S
        simulation.at(arrival, what)

    def _arrive(self, data: bytes) -> None:
        if self._shut:
            self.other.lose()
        else:
            self._inbox += data
            self._simulation.wake(self._parked)

    def _end(self) -> None:
        self._ended = True
        self._simulation.wake(self._parked)

    def lose(self) -> None:
        self._lost = True
        self._inbox.clear()
        self._simulation.wake(self._parked)

    def receive_into(self, view: memoryview, deadline: float | None) -> int:
        while not self._inbox:
            if self._lost or self._closed:
                raise ConnectionLost(f"the connection to {address_text(self.peer)} is gone")
            if self._ended:
                return 0
            self._wait("hear from", deadline)
        count = min(len(view), len(self._inbox))
        view[:count] = self._inbox[:count]
        del self._inbox[:count]
        self._unread -= count
        self._simulation.wake(self.other._parked)
        return count

    def _wait(self, what: str, deadline: float | None) -> None:
        if not self._simulation.wait(self._parked, deadline):
            raise DeadlineExceeded(f"could not {what} {address_text(self.peer)} before the deadline")

    def shutdown(self) -> None:
        if not self._shut:
            self._shut = True
            self._end()
            self._travel(self.other.lose if self._unread else self.other._end)

    def close(self) -> None:
        self.shutdown()
        self._closed = True


class Listening:
    def __init__(self, simulation: Simulation, node: str, address: Address) -> None:
        self.node, self.address = node, address
        self._simulation = simulation
        self._arrived: list[Stream] = []
        self._parked: list[greenlet] = []
        simulation.listening[address] = self

    def offer(self, stream: Stream) -> None:
        self._arrived.append(stream)
        self._simulation.wake(self._parked)

    def accept(self) -> Stream | None:
        while self._open() and not self._arrived:
            self._simulation.wait(self._parked)
        return self._arrived.pop(0) if self._open() else None

    def _open(self) -> bool:
        return self._simulation.listening.get(self.address) is self

    def close(self) -> None:
        if self._open():
            del self._simulation.listening[self.address]
            self._simulation.wake(self._parked)
            for stream in self._arrived:
                stream.close()


class Network:
    def __init__(self, simulation: Simulation, node: str) -> None:
        self._simulation, self._node = simulation, node

    def listen(self, address: Address) -> Listening:
        if address in self._simulation.listening:
            raise PortInUse(f"{address_text(address)} is in use")
        return Listening(self._simulation, self._node, address if address[1] else self._address(address[0]))

    def _address(self, host: str) -> Address:
        return host, 1_000_000 + self._simulation.number()

    def connect(self, address: Address, deadline: float | None, *, nagle: bool = False) -> Stream:
        simulation = self._simulation
        arrival = simulation.now + 2 * LATENCY_S * (0.5 + simulation.random.random())
        simulation.wait([], arrival if deadline is None else min(arrival, deadline))
        if simulation.now < arrival:
            raise ConnectFailed(f"{address_text(address)} did not answer in time")
        listening = simulation.listening.get(address)
        if listening is None:
            raise ConnectFailed(f"nobody answers at {address_text(address)}")
        here = Stream(simulation, self._node, address)
        there = Stream(simulation, listening.node, self._address(self._node))
        here.other, there.other = there, here
        simulation.streams.append(here)
        listening.offer(there)
        return here
