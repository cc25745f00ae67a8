"""One part of a simulated cluster: its disk and its event log, which outlive it, and its present life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..config import Address, Limits
from ..errors import NotRunning, StartFailed
from ..rpc.handshake import Role
from ..rpc.listener import WhenBound
from ..rpc.stage import Stage
from ..trace import Tracer
from ..world.simulated import SimulatedWorld, Simulation
from ..world.simulated_life import Life, results
from .script import Order

__all__ = ["Facts", "Make", "MemoryLog", "Part", "SimNode"]


class Part(Protocol):
    """What runs: a manager, a server or a client."""

    def start(self, address: Address, when_bound: WhenBound = ...) -> Address: ...

    def stop(self, within_s: float = 0.0) -> None: ...


Make = Callable[[SimulatedWorld, Tracer, Callable[[str], None]], Part]
"""Builds a part for one life, from its world, its tracer and where it tells people what it does."""

Facts = Callable[[Any], dict[str, object]]
"""What a part that has started says of itself in its event log."""


class MemoryLog:
    """An event log that lies with whoever watches the simulation: no power cut can reach it. `order` keeps that of all logs."""

    def __init__(self, order: Order) -> None:
        self.lines: list[bytes] = []
        self.last_line = b""
        self._order = order

    def append(self, line: bytes) -> None:
        self.lines.append(line)
        self.last_line = line
        self._order.add(line)

    def close(self) -> None: ...

    def contents(self) -> bytes:
        return b"".join(self.lines)


class _LifeLog:
    """The event log as one life has it: what is left of a life that has ended writes nothing."""

    def __init__(self, log: MemoryLog, life: Life) -> None:
        self._log, self._life = log, life
        self.last_line = log.last_line

    def append(self, line: bytes) -> None:
        if not self._life.ended:
            self._log.append(line)

    def close(self) -> None: ...


class SimNode:
    """`make` builds the part anew for each life; without `order` it writes no events. `state` is running, paused or stopped."""

    def __init__(
        self,
        simulation: Simulation,
        name: str,
        role: Role,
        make: Make,
        *,
        port: int,
        disk_bytes: int,
        order: Order | None,
        facts: Facts = lambda part: {},
        stage: Callable[[SimulatedWorld, Tracer], Stage] | None = None,
    ) -> None:
        self.name, self.role = name, role
        self.address: Address = (name, port)
        self.disk = simulation.disk(name, disk_bytes)
        self.log = None if order is None else MemoryLog(order)
        self.said: list[str] = []
        self.state = "stopped"
        self._power = simulation.chance(f"power of {name}")
        self._simulation, self._make, self._facts, self._stage = simulation, make, facts, stage
        self._world: SimulatedWorld | None = None
        self._part: Part | None = None
        self._tracer: Tracer | None = None

    @property
    def world(self) -> SimulatedWorld:
        if self._world is None or self.state == "stopped":
            raise NotRunning(f"{self.name} is not running: cluster.restart({self.name!r})")
        return self._world

    @property
    def part(self) -> Part:
        if self._part is None or self.state == "stopped":
            raise NotRunning(f"{self.name} is not running: cluster.restart({self.name!r})")
        return self._part

    def awake(self, inside: bool) -> Part:
        """The part, if anything that it is asked for from outside could ever end: who is paused is resumed from outside too, and
        while one waits for an answer nobody does. Errors: NotRunning."""
        if self.state == "paused" and not inside:
            raise NotRunning(f"{self.name} is paused, and does nothing: cluster.resume({self.name!r})")
        return self.part

    @property
    def current_part(self) -> Part | None:
        """The part, if it runs."""
        return None if self.state == "stopped" else self._part

    def start(self) -> None:
        """Begin a new life; returns when it serves. Errors: StartFailed, if it was ended before, and those of the part."""
        world = self._world = self._simulation.world(self.name, self.disk)
        self._part = None
        self.state = "running"
        task = self._simulation.begin(lambda: self._begin(world), world.life, f"{self.name}-starts")
        self._simulation.wait_for(task)
        try:
            results(task)
        except BaseException:
            self.kill()
            raise
        if task.killed:
            raise StartFailed(f"{self.name} was ended while it started")

    def _begin(self, world: SimulatedWorld) -> None:
        log = None if self.log is None else _LifeLog(self.log, world.life)
        scheduler = (
            self._simulation.scheduler
        )  # events have the world's time, which no node knows: who reads them sees it all
        self._tracer = tracer = Tracer(world, self.name, log, now=lambda: scheduler.now)
        if self._stage is not None:
            tracer.stage = self._stage(world, tracer)
        self._part = part = self._make(world, tracer, self._say)

        def begin(bound: Address) -> None:  # before anybody is served: the log of a life begins with it
            detail = {"role": self.role, "address": list(bound), "wall": world.clock.wall(), **self._facts(part)}
            tracer.event("started", detail=detail)

        self.address = part.start(self.address, begin)

    def log_tail(self, lines: int = 12) -> str:
        """The last lines that it would have printed."""
        return "\n".join(self.said[-lines:])

    def _say(self, line: str) -> None:
        self.said.append(f"{self._simulation.now:.6f} {line}")

    def stop(self) -> None:
        """End this life cleanly."""
        if self.state == "paused":
            self.resume()
        world, part, tracer = self._world, self._part, self._tracer
        if self.state == "stopped" or world is None:
            return

        def end() -> None:
            if part is not None:
                part.stop(Limits().stop_s)
            if tracer is not None:
                tracer.event("stopped")
                tracer.close()

        task = self._simulation.begin(end, world.life, f"{self.name}-stops")
        self._simulation.wait_for(task)
        results(task)
        if self._world is world and not world.life.ended:
            self.state = "stopped"
            self._simulation.kill(world)

    def kill(self) -> None:
        """End its process as `kill -9` does. May be called twice."""
        if self._world is not None and self.state != "stopped":
            self.state = "stopped"
            self._simulation.kill(self._world)

    def cut_power(self) -> None:
        """Take its machine's power away."""
        if self._world is not None and self.state != "stopped":
            self.state = "stopped"
            self._simulation.cut_power(self._world, self._power)

    def pause(self) -> None:
        self._simulation.scheduler.pause(self.world.life)
        self.state = "paused"

    def resume(self) -> None:
        self._simulation.scheduler.resume(self.world.life)
        self.state = "running"
