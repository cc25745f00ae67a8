"""A node's life in a simulation, from its start to its end; its tasks, and the places where they wait."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from greenlet import GreenletExit, greenlet

if TYPE_CHECKING:
    from .simulated_tasks import Scheduler

__all__ = ["NEVER", "Life", "Parked", "SimulatedTask", "results"]

NEVER = float("inf")

Parked = list["SimulatedTask"]


class Life:
    """One run of a node, from its start to its end. Its clock may be a wrong one: `rate` of its seconds go by in one of the
    world's, and it began at `offset`."""

    def __init__(self, node: str, rate: float = 1.0, offset: float = 0.0) -> None:
        self.node, self.rate, self.offset = node, rate, offset
        self.right = rate == 1.0 and not offset
        """Whether its clock shows the world's time."""
        self.ended = False
        self.held: Parked | None = None
        """Those whose turn it would be while the node is paused; None while it is not."""
        self.tasks: dict[SimulatedTask, None] = {}  # in order: it decides what an end does first

    def clock(self, now: float) -> float:
        """What its clock shows at a moment of the world's time."""
        return now if self.right else self.offset + self.rate * now

    def moment(self, shown: float) -> float:
        """The first moment of the world's time at which its clock shows this."""
        if self.right:
            return shown
        moment = (shown - self.offset) / self.rate
        while (
            self.offset + self.rate * moment < shown
        ):  # rounded down: who waits for it would wake too early, again and again
            moment = math.nextafter(moment, math.inf)
        return moment


def _nothing() -> None: ...


def results(*tasks: SimulatedTask) -> list[object]:
    """What tasks that are over have come to. They keep it no longer: a timer that has not rung may still know them, and an
    error knows whoever called. Raises the first error."""
    found = [(task.result, task.error) for task in tasks]
    for task in tasks:
        task.result = task.error = None
    for _, error in found:
        if error is not None:
            raise error
    return [result for result, _ in found]


class SimulatedTask:
    """A greenlet and what it waits for. `result` and `error` are what its function came to; an error that nobody `asked` for
    is a fault. What interrupts one that was asked for, as Ctrl-C does, interrupts all that is run with it."""

    def __init__(
        self, scheduler: Scheduler, life: Life, function: Callable[[], object], name: str, *, asked: bool = False
    ) -> None:
        self.name, self.life, self.done = name, life, False
        self.result: object = None
        self.error: BaseException | None = None
        self.killed = False
        self.woken = True
        self.parked: Parked | None = None
        self.until = self.timer = NEVER
        self._scheduler, self._function, self._asked = scheduler, function, asked
        self._joining: Parked = []
        self.asked_for: tuple[SimulatedTask, ...] = ()
        """Tasks whose results this one waits for."""
        self.greenlet = greenlet(self._run, scheduler.hub)
        self.greenlet.scheduler = scheduler
        life.tasks[self] = None
        scheduler.make_ready(self, True)

    def _run(self, woken: bool) -> None:
        try:
            function, self._function = self._function, _nothing  # one that is over keeps nothing in existence
            self.result = function()
        except Exception as error:
            self.error = error
            if not self._asked:
                self._scheduler.faults.append((self, error))
        except GreenletExit:
            raise
        except BaseException as error:
            if not self._asked:
                raise
            self.error = error
            self._scheduler.interrupt_with(error)
        finally:
            self.finish()

    def finish(self) -> None:
        if not self.done:
            self.done = True
            self.life.tasks.pop(self, None)
            self._scheduler.wake(self._joining)

    def join(self, timeout: float | None = None) -> bool:
        scheduler = self._scheduler
        if not self.done and timeout != 0 and scheduler.current is not self:
            scheduler.wait(self._joining, None if timeout is None else scheduler.now + timeout / self.life.rate)
        return self.done

    def innermost(self) -> list[SimulatedTask]:
        """This one, or, while it waits for the results of others, those of them that have to end first."""
        waits = [task for task in self.asked_for if not task.done]
        return [inner for task in waits for inner in task.innermost()] or [self]
