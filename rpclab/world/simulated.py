"""The simulated world: the parts of base.py in memory and in one thread, with a clock that jumps, and all chance from one seed.

A `Simulation` holds what the nodes share: time, turns, the network. Each life of a node has a `SimulatedWorld`, and all lives of
a node one disk. Every kind of chance has a generator of its own (`Simulation.chance`), so that one more fault does not change
what the network does. Nothing here touches a clock, a socket, a file, a thread, or the order of a set.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from greenlet import GreenletExit

from ..errors import ConnectionLost, NotRunning
from .simulated_disk import SimulatedDisk
from .simulated_life import Life, SimulatedTask, results
from .simulated_locks import SimulatedTasks
from .simulated_network import Conditions, SimulatedNetwork, Wires
from .simulated_tasks import Scheduler

__all__ = ["Conditions", "SimulatedWorld", "Simulation"]

_SYNC_S = 0.001  # at most
_SLOW = 0.1  # of what is done to a disk takes time, the rest is done by its cache
_STEP_S = 0.0005  # at most
_BOOTED_S = 10_000.0  # before the beginning at most, where clocks are not the same
_CLOSED = (
    "this simulated cluster was stopped: nothing happens in it any more; make a new one, or go back with at() or back()"
)
_BEGAN = 1_700_000_000.0  # the wall clock's time at the beginning


class Simulation:
    """Time, the network, and whose turn it is. `run` a function in it: it returns what the function does. With `drift` no
    node's clock is right: each goes faster or slower by up to that share, for good, and began at a time of its own."""

    def __init__(self, seed: int, conditions: Conditions | None = None, drift: float = 0.0) -> None:
        self.seed, self.drift = seed, drift
        self.scheduler = Scheduler(self.chance("scheduling"))
        self.wires = Wires(self.scheduler, self.chance("network"), conditions or Conditions())
        self.outside = Life("outside")
        self._lives: dict[str, int] = {}
        self._living: list[Life] = []

    def chance(self, of: str) -> random.Random:
        """A generator of its own for one kind of chance."""
        return random.Random(f"{self.seed} {of}")

    @property
    def now(self) -> float:
        return self.scheduler.now

    def run(self, function: Callable[[], object], life: Life | None = None, name: str = "main") -> object:
        """Run a function as a task until it returns; what it raises is raised here, and so is any other task's fault."""
        task = self.begin(function, life or self.outside, name)
        self.wait_for(task)
        (result,) = results(task)
        if task.killed:
            raise ConnectionLost(f"{task.life.node} was killed meanwhile")
        return result

    def begin(self, function: Callable[[], object], life: Life, name: str) -> SimulatedTask:
        """Have a life carry a function out; `wait_for` it. Errors: NotRunning, once it was closed."""
        if life.ended:
            raise NotRunning(_CLOSED if life is self.outside else f"{life.node} has ended")
        return SimulatedTask(self.scheduler, life, function, name, asked=True)

    def wait_for(self, *tasks: SimulatedTask) -> None:
        """Wait until tasks have ended; they have their results. A fault of any other task, which none should have, is raised
        here."""
        current = self.scheduler.current
        if current is not None:
            current.asked_for = tasks
            try:
                for task in tasks:
                    task.join()
            finally:
                current.asked_for = ()
        else:
            self.scheduler.run(*tasks)
        if self.scheduler.faults:
            faulty, fault = self.scheduler.faults[0]
            note = f"in the simulated task {faulty.name!r}, seed {self.seed}"
            if note not in getattr(fault, "__notes__", ()):  # whoever waits for who waits raises it again
                fault.add_note(note)
            raise fault

    @property
    def runs_from_outside(self) -> bool:
        """Whether it is the turn of a function that was given from outside."""
        current = self.scheduler.current
        return current is not None and current.life is self.outside

    def disk(self, node: str, capacity_bytes: int = 1 << 30) -> SimulatedDisk:
        """A disk that takes time."""
        scheduler, chance = self.scheduler, self.chance(f"disk of {node}")

        def step() -> None:
            if scheduler.dying:
                raise GreenletExit
            if scheduler.current is not None and chance.random() < _SLOW:
                scheduler.sleep(_STEP_S * chance.random())

        def sync() -> None:
            if scheduler.current is not None:
                scheduler.sleep(_SYNC_S * chance.random())

        return SimulatedDisk(sync, step=step, chance=chance, capacity_bytes=capacity_bytes)

    def world(self, node: str, disk: SimulatedDisk, *, exact: bool = False) -> SimulatedWorld:
        """The world of a node's next life. `exact`: its clock is right whatever the drift."""
        number = self._lives[node] = self._lives.get(node, 0) + 1
        life = Life(node) if exact else Life(node, *self._clock(node))
        self._living = [each for each in self._living if not each.ended] + [life]
        return SimulatedWorld(self, life, disk, number)

    def _clock(self, node: str) -> tuple[float, float]:
        if not self.drift:
            return 1.0, 0.0
        chance = self.chance(f"clock of {node}")
        return 1.0 + self.drift * chance.uniform(-1, 1), _BOOTED_S * chance.random()

    def close(self) -> None:
        """End whatever still runs: nothing happens any more."""
        for life in [*self._living, self.outside]:
            self.scheduler.end(life, lambda: None)

    def take_over(self) -> None:
        """From now on whoever calls this runs the simulation, in place of one who stands still in the middle of that."""
        self.scheduler.take_over([*self._living, self.outside])

    def kill(self, world: SimulatedWorld) -> None:
        """End a node's process at once."""

        def after() -> None:
            world.disk.let_go()
            self.wires.ended(world.life.node)

        self.scheduler.end(world.life, after)

    def cut_power(self, world: SimulatedWorld, chance: random.Random) -> None:
        """Take a node's power away: of what was not synced an arbitrary part is lost, and nobody is told."""

        def after() -> None:
            world.disk.lose(chance)
            self.wires.power_off(world.life.node)

        self.scheduler.end(world.life, after)


class SimulatedClock:
    """A node's clock, as its life has it."""

    def __init__(self, scheduler: Scheduler, life: Life) -> None:
        self._scheduler, self._life = scheduler, life

    def now(self) -> float:
        life = self._life
        return self._scheduler.now if life.right else life.clock(self._scheduler.now)

    def sleep(self, seconds: float) -> None:
        self._scheduler.sleep(seconds / self._life.rate)

    def wall(self) -> float:
        return _BEGAN + self.now()


class SimulatedWorld:
    """All that one life of a node may touch."""

    def __init__(self, simulation: Simulation, life: Life, disk: SimulatedDisk, number: int) -> None:
        self.life = life
        self.clock = SimulatedClock(simulation.scheduler, life)
        self.network = SimulatedNetwork(simulation.wires, life)
        self.disk = disk
        self.tasks = SimulatedTasks(simulation.scheduler, life)
        self.random = simulation.chance(f"choices of {life.node}, life {number}")
        self._nonces = simulation.chance(f"nonces of {life.node}, life {number}")
        simulation.wires.off.discard(life.node)

    def nonce(self, length: int) -> bytes:
        return self._nonces.randbytes(length)
