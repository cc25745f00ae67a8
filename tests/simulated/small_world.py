"""A small simulated world: greenlets in one thread, virtual time, byte streams and disks in memory, all chance from one seed.

It exists to prove that the roles touch nothing but their `World`. A `Simulation` holds what the nodes share, time and the
network; each node has a `SmallWorld` with a disk, choices and nonces of its own. Only one task runs at a time, and only
a task that waits lets another run: in the order in which they were woken, else at the earliest time that anybody waits for.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from greenlet import getcurrent, greenlet

from rpclab.config import Address

from .small_disk import Disk
from .small_network import Listening, Network, Stream

SYNC_S = 0.001  # at most

Timer = list[Any]
"""Time, number, action; the action is None once nobody waits for it any more."""


class Simulation:
    """Time, the network, and whose turn it is. `run` a function in it: it returns when the function does."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(f"{seed} network")
        self.now = 0.0
        self.hub = getcurrent()
        self.ready: deque[tuple[greenlet, bool]] = deque()
        self.timers: list[Timer] = []
        self.tasks: list[Task] = []
        self.listening: dict[Address, Listening] = {}
        self.streams: list[Stream] = []
        self._number = self._cancelled = 0

    def run(self, function: Callable[[], object]) -> None:
        """Run until the function has returned. What a task raises and does not catch comes out here."""
        main = Task(self, function, "main")
        while not main.done:
            if self.ready:
                waiting, woken = self.ready.popleft()
                waiting.switch(woken)
            elif self.timers:
                time, _, action = heapq.heappop(self.timers)
                if action is not None:
                    self.now = time
                    action()
            else:
                raise AssertionError(f"each waits for another: {', '.join(self.unfinished())}")

    def unfinished(self) -> list[str]:
        return [task.name for task in self.tasks if not task.done]

    def number(self) -> int:
        self._number += 1
        return self._number

    def at(self, time: float, action: Callable[[], object]) -> Timer:
        timer: Timer = [max(time, self.now), self.number(), action]
        heapq.heappush(self.timers, timer)
        return timer

    def cancel(self, timer: Timer) -> None:
        timer[2] = None
        self._cancelled += 1
        if 2 * self._cancelled > len(self.timers) + 1000:
            self.timers = [each for each in self.timers if each[2] is not None]
            heapq.heapify(self.timers)
            self._cancelled = 0

    def wait(self, parked: list[greenlet], until: float | None = None) -> bool:
        """Let others run until somebody wakes those parked there; False if it got too late first."""
        me = getcurrent()
        assert me is not self.hub, "only a task may wait"
        parked.append(me)
        timer = None if until is None else self.at(until, partial(self._too_late, parked, me))
        woken: bool = self.hub.switch()
        if timer is not None and woken:
            self.cancel(timer)
        return woken

    def _too_late(self, parked: list[greenlet], who: greenlet) -> None:
        if who in parked:
            parked.remove(who)
            self.ready.append((who, False))

    def wake(self, parked: list[greenlet], count: int | None = None) -> None:
        self.ready.extend((each, True) for each in parked[:count])
        del parked[:count]

    def sleep(self, seconds: float) -> None:
        self.wait([], self.now + seconds)

    def sync(self) -> None:
        """What it takes a disk to make something durable."""
        self.sleep(SYNC_S * self.random.random())

    def cut(self, one: str, other: str) -> None:
        """Break every connection between two nodes; they may connect anew."""
        for stream in self.streams:
            if {stream.node, stream.other.node} == {one, other}:
                stream.lose()
                stream.other.lose()


# ---- tasks


class Task:
    def __init__(self, simulation: Simulation, function: Callable[[], object], name: str) -> None:
        self.name, self.done = name, False
        self._simulation, self._function = simulation, function
        self._joining: list[greenlet] = []
        self._greenlet = greenlet(self._run, simulation.hub)
        simulation.tasks.append(self)
        simulation.ready.append((self._greenlet, True))

    def _run(self, woken: bool) -> None:
        try:
            self._function()
        finally:
            self.done = True
            self._simulation.wake(self._joining)

    def join(self, timeout: float | None = None) -> bool:
        if not self.done and timeout != 0 and getcurrent() is not self._greenlet:
            self._simulation.wait(self._joining, None if timeout is None else self._simulation.now + timeout)
        return self.done


class Lock:
    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._held = False
        self._parked: list[greenlet] = []

    def acquire(self, blocking: bool = True) -> bool:
        while self._held:
            if not blocking:
                return False
            self._simulation.wait(self._parked)
        self._held = True
        return True

    def release(self) -> None:
        assert self._held, "a lock that nobody holds was released"
        self._held = False
        self._simulation.wake(self._parked, 1)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()


class Condition(Lock):
    def __init__(self, simulation: Simulation) -> None:
        super().__init__(simulation)
        self._waiting: list[greenlet] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.release()
        woken = self._simulation.wait(self._waiting, None if timeout is None else self._simulation.now + timeout)
        self.acquire()
        return woken

    def notify_all(self) -> None:
        assert self._held, "who notifies holds the condition"
        self._simulation.wake(self._waiting)


# ---- one node's world


class Clock:
    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.sleep = simulation.sleep

    def now(self) -> float:
        return self._simulation.now

    wall = now


class Tasks:
    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def spawn(self, function: Callable[[], object], name: str) -> Task:
        return Task(self._simulation, function, name)

    def lock(self) -> Lock:
        return Lock(self._simulation)

    def condition(self) -> Condition:
        return Condition(self._simulation)


class SmallWorld:
    """All that one node may touch, simulated."""

    def __init__(self, simulation: Simulation, node: str) -> None:
        self.clock = Clock(simulation)
        self.network = Network(simulation, node)
        self.disk = Disk(simulation.sync)
        self.tasks = Tasks(simulation)
        self.random = random.Random(f"{simulation.seed} choices of {node}")
        self._nonces = random.Random(f"{simulation.seed} nonces of {node}")

    def nonce(self, length: int) -> bytes:
        return self._nonces.randbytes(length)
