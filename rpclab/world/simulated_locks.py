"""Locks, conditions and tasks as a simulated node has them; all waiting is done by the scheduler (simulated_tasks.py)."""

from __future__ import annotations

from collections.abc import Callable

from greenlet import GreenletExit

from .simulated_life import Life, Parked, SimulatedTask
from .simulated_tasks import INTERRUPTED, Scheduler

__all__ = ["SimulatedCondition", "SimulatedLock", "SimulatedTasks"]


class SimulatedLock:
    """In a life that has ended it locks nothing: what is left of that life meets no others any more."""

    def __init__(self, scheduler: Scheduler, life: Life) -> None:
        self._scheduler, self._life = scheduler, life
        self._held = False
        self._parked: Parked = []

    def acquire(self, blocking: bool = True) -> bool:
        scheduler = self._scheduler
        if self._life.ended:
            return True
        if blocking:
            if scheduler.chance_at_lock() < INTERRUPTED:
                scheduler.interrupt()
        elif scheduler.halt is not None:
            scheduler.halt()
        while self._held:
            if not blocking:
                return False
            scheduler.wait(self._parked)
        self._held = True
        return True

    def release(self) -> None:
        if self._life.ended:
            return
        if not self._held:
            raise RuntimeError("a lock that nobody holds was released")
        self._held = False
        if self._parked:
            self._scheduler.wake(self._parked, 1)

    __enter__ = acquire

    def __exit__(self, *exc: object) -> None:
        if self._held and not self._parked and not self._life.ended:
            self._held = False
        else:
            self.release()


class SimulatedCondition(SimulatedLock):
    def __init__(self, scheduler: Scheduler, life: Life) -> None:
        super().__init__(scheduler, life)
        self._waiting: Parked = []

    def wait(self, timeout: float | None = None) -> bool:
        if self._life.ended:
            raise GreenletExit
        self.release()
        until = None if timeout is None else self._scheduler.now + timeout / self._life.rate
        try:
            return self._scheduler.wait(self._waiting, until)
        finally:
            self.acquire()

    def notify_all(self) -> None:
        if self._life.ended:
            return
        if not self._held:
            raise RuntimeError("who notifies holds the condition")
        self._scheduler.wake(self._waiting)


class SimulatedTasks:
    """What one life of a node may do with tasks."""

    def __init__(self, scheduler: Scheduler, life: Life) -> None:
        self._scheduler, self._life = scheduler, life

    def spawn(self, function: Callable[[], object], name: str) -> SimulatedTask:
        if self._life.ended:
            raise GreenletExit
        return SimulatedTask(self._scheduler, self._life, function, name)

    def is_end(self, error: BaseException) -> bool:
        return isinstance(error, GreenletExit)

    def lock(self) -> SimulatedLock:
        return SimulatedLock(self._scheduler, self._life)

    def condition(self) -> SimulatedCondition:
        return SimulatedCondition(self._scheduler, self._life)
