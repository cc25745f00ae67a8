"""A simulated network: connections whose bytes arrive in order, late, and cut into segments anywhere; links that break.

It behaves as TCP does. What is sent over a cut link is sent again once the link is whole; who connects over one tries on until
its deadline; a node whose process ends says so to its peers, one whose machine loses its power says nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf, isfinite
from numbers import Real
from typing import Any

from ..config import Address, address_text
from ..errors import ConnectFailed, PortInUse, UsageError
from .simulated_life import Life, Parked
from .simulated_stream import SimulatedStream
from .simulated_tasks import Scheduler

__all__ = ["Conditions", "SimulatedNetwork", "Wires"]

_CONNECT_S = 127.0  # how long Linux tries to connect
_AGAIN_S = 1.0  # after which a system that gets no answer asks again, at first
_PORTS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What every link is like. `latency_s` is the mean of a segment's; of the segments a part `cut` is cut somewhere, and a part
    `joined` is read together with what comes next; with a probability of `stall` a segment, and what comes after it, waits up
    to `stall_s` longer. Errors: UsageError."""

    latency_s: float = 0.0005
    bytes_s: float = 100e6
    cut: float = 0.2
    joined: float = 0.1
    stall: float = 0.0002
    stall_s: float = 1.0

    def __post_init__(self) -> None:
        for name, most in (("latency_s", inf), ("stall_s", inf), ("cut", 1), ("joined", 1), ("stall", 1)):
            if not _is_between(getattr(self, name), 0, most):
                raise UsageError(f"{name}={getattr(self, name)!r}: it is a number from 0{f' to {most}' * (most == 1)}")
        if not _is_between(self.bytes_s, 0, inf) or not self.bytes_s:
            raise UsageError(f"bytes_s={self.bytes_s!r}: it is a number of bytes a second, above 0")


def _is_between(value: Any, least: float, most: float) -> bool:
    return isinstance(value, Real) and isfinite(value) and least <= float(value) <= most


class Wires:
    """What all nodes share: who listens where, every connection, and which links are cut."""

    def __init__(self, scheduler: Scheduler, chance: random.Random, conditions: Conditions) -> None:
        self.scheduler, self.conditions = scheduler, conditions
        self.chance = chance.random
        self.listening: dict[Address, _Listening] = {}
        self.streams: dict[str, dict[SimulatedStream, None]] = {}  # by node, in order
        self.cut: set[tuple[str, str]] = set()
        """Pairs of nodes: nothing gets from the first to the second."""
        self.slowed: dict[tuple[str, str], tuple[float, float]] = {}
        """By pair of nodes: how much longer it takes from the first to the second, and how many bytes a second get there."""
        self.off: set[str] = set()
        """Nodes whose machine has no power."""
        self.messages = 0
        """Segments that have arrived."""

    def _of(self, node: str) -> list[SimulatedStream]:
        return list(self.streams.get(node, ()))

    def partition(self, links: Iterable[tuple[str, str]]) -> None:
        self.cut.update(links)

    def slow(self, links: Iterable[tuple[str, str]], latency_s: float, bytes_s: float | None) -> None:
        self.slowed.update(dict.fromkeys(links, (latency_s, bytes_s or self.conditions.bytes_s)))

    def heal(self) -> None:
        """Mend every link; what waited for that is sent again."""
        self.cut.clear()
        self.slowed.clear()
        for node in list(self.streams):
            for stream in self._of(node):
                if stream.late:
                    self.scheduler.at(self.scheduler.now + self.latency(), stream.arrive_late)

    def latency(self) -> float:
        return self.conditions.latency_s * (0.5 + self.chance())

    def reset(self, node: str, chance: random.Random, share: float = 0.5) -> int:
        """Break some of a node's connections; they may be made anew."""
        chosen = [stream for stream in self._of(node) if chance.random() < share]
        for stream in chosen:
            stream.lose()
            stream.other.lose()
        return len(chosen)

    def ended(self, node: str) -> None:
        """A node's process has ended: its system closes what it had open."""
        self._forget(node, lambda stream: stream.close_for_good())

    def power_off(self, node: str) -> None:
        self.off.add(node)
        self._forget(node, lambda stream: stream.vanish())

    def _forget(self, node: str, each: Callable[[SimulatedStream], object]) -> None:
        for address in [address for address, found in self.listening.items() if found.node == node]:
            del self.listening[address]
        for stream in self._of(node):
            each(stream)
        self.streams.pop(node, None)


class _Listening:
    def __init__(self, wires: Wires, life: Life, address: Address) -> None:
        self.node, self.address, self.life = life.node, address, life
        self._wires = wires
        self._arrived: list[SimulatedStream] = []
        self._parked: Parked = []
        wires.listening[address] = self

    def offer(self, stream: SimulatedStream) -> None:
        self._arrived.append(stream)
        self._wires.scheduler.wake(self._parked)

    def accept(self) -> SimulatedStream | None:
        while self._open() and not self._arrived:
            self._wires.scheduler.wait(self._parked)
        return self._arrived.pop(0) if self._open() else None

    def _open(self) -> bool:
        return self._wires.listening.get(self.address) is self

    def close(self) -> None:
        if self._open() and not self.life.ended:
            del self._wires.listening[self.address]
            self._wires.scheduler.wake(self._parked)
            for stream in self._arrived:
                stream.close()


class SimulatedNetwork:
    """The network as one node has it; its addresses are (node, port)."""

    def __init__(self, wires: Wires, life: Life) -> None:
        self._wires, self._life, self._node = wires, life, life.node

    def _own(self) -> Address:
        return self._node, _PORTS + self._wires.scheduler.number()

    def listen(self, address: Address) -> _Listening:
        if address in self._wires.listening:
            raise PortInUse(f"{address_text(address)} is in use")
        return _Listening(self._wires, self._life, address if address[1] else self._own())

    def connect(self, address: Address, deadline: float | None, *, nagle: bool = False) -> SimulatedStream:
        wires, scheduler = self._wires, self._wires.scheduler
        until, again = scheduler.now + _CONNECT_S if deadline is None else self._life.moment(deadline), _AGAIN_S
        there_and_back = sum(
            wires.slowed.get(link, (0.0,))[0] for link in ((self._node, address[0]), (address[0], self._node))
        )
        while True:
            self._pass(wires.latency() + there_and_back, until, address)
            links = {(self._node, address[0]), (address[0], self._node)}
            if not (wires.cut and links & wires.cut) and address[0] not in wires.off:
                break
            self._pass(again, until, address)
            again *= 2
        listening = wires.listening.get(address)
        if listening is None:
            self._pass(wires.latency(), until, address)
            raise ConnectFailed(f"nobody answers at {address_text(address)}")
        here, there = SimulatedStream(wires, self._life, address), SimulatedStream(wires, listening.life, self._own())
        here.other, there.other = there, here
        listening.offer(there)
        try:
            self._pass(wires.latency(), until, address)
        except BaseException:
            here.close()
            raise
        return here

    def _pass(self, seconds: float, until: float, address: Address) -> None:
        scheduler = self._wires.scheduler
        then = scheduler.now + seconds
        scheduler.wait([], min(then, until))
        if scheduler.now < then:
            raise ConnectFailed(f"{address_text(address)} did not answer in time")
