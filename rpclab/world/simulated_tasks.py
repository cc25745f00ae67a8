"""Simulated tasks and time: greenlets in one thread, one at a time, and a clock that jumps to the next thing that happens.

A task runs until it waits; then one of those that are ready runs, chosen by chance, and when none is, time goes on. Who waits
finds out itself whose turn is next, and gives it on at once; only what must not happen in the middle of a task goes by the hub,
the greenlet that runs the simulation. Now and then a task that takes a lock waits a moment first, as one that the system has
interrupted. A `Life` is one run of a node: when
it is ended its tasks end together, at the very instruction at which they stand, and whatever they try to do on their way out
(`finally`, `except BaseException`) has no effect on anything.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Any
from weakref import ref

from greenlet import GreenletExit, getcurrent

from ..errors import ClusterError
from .simulated_life import NEVER, Life, Parked, SimulatedTask

__all__ = ["INTERRUPTED", "Scheduler", "present"]

INTERRUPTED = 0.02  # of the times that a lock is taken
_INTERRUPTION_S = 0.002  # at most
_AT_ONE_MOMENT = 1_000_000  # turns without any time passing: somebody turns round and round


class Scheduler:
    """Whose turn it is, and what time it is. All waiting comes down to `wait`."""

    def __init__(self, chance: random.Random) -> None:
        self.now = 0.0
        self.dying = False
        """A life is being ended: what its tasks do now has no effect."""
        self.current: SimulatedTask | None = None
        self.chance = chance.random
        self.turns = 0
        """How often a task has been given its turn."""
        self.faults: list[tuple[SimulatedTask, Exception]] = []
        """Tasks that ended with an exception, which no task of ours should."""
        self.hub = getcurrent()
        self._owner: Callable[[], object] = lambda: None
        self.chance_at_lock = chance.random
        """Drawn by who takes a lock; it halts first while it is to: so whoever need not halt asks nothing."""
        self.halt: Callable[[], None] | None = None
        self._straight = False
        """Whether turns are given on without the hub."""
        self._interruption: BaseException | None = None
        """Raised in what is run, as soon as the simulation stands between two steps."""
        self._raised: BaseException | None = None
        """The same, once it has been."""
        self._ending = 0  # lives that end themselves at this moment: by the hub, for nobody can end his own greenlet
        self._turns_end = 0
        self._ready: list[SimulatedTask] = []
        self._events: list[tuple[float, int, Callable[[Any], object], Any]] = []
        self._number = 0

    @property
    def owner(self) -> object:
        """Whose simulation it is."""
        return self._owner()

    def owned_by(self, owner: object) -> None:
        """Say whose it is, without keeping that in existence: what still waits here must not."""
        self._owner = ref(owner)

    def halt_with(self, halt: Callable[[], None] | None) -> None:
        """Have `halt` called at the next moment at which a task may be interrupted: see simulated_halt.py."""
        self.halt, self._straight = halt, False
        self.chance_at_lock = self.chance if halt is None else self._halt_and_draw

    def _halt_and_draw(self) -> float:
        if self.halt is not None:
            self.halt()
        return self.chance()

    def run(self, *tasks: SimulatedTask) -> None:
        """Run until these tasks have ended. Errors: ClusterError, when all wait for one another."""
        if getcurrent() is not self.hub:
            raise ClusterError("a simulation runs in the thread that made it, and only once at a time")
        self._turns_end = self.turns + _AT_ONE_MOMENT
        try:
            for task in tasks:
                while not task.done:
                    self._step(task)
                    if self._interruption is not None:
                        self._interrupt(tasks)
        except GreenletExit:
            raise  # whoever drove this has left it where it stands
        except BaseException:
            self.current, self._interruption = None, None
            self._drop(tasks)
            raise
        if any(task.error is self._interruption for task in tasks):
            self._interruption = None
        self._raised = None

    def _step(self, task: SimulatedTask) -> None:
        if self.halt is not None:
            self.halt()
        if not self._ready and not self._events:
            raise ClusterError(f"nothing will ever happen again, and {task.name} still waits")
        if self._ready and self.turns >= self._turns_end:
            raise ClusterError(f"{self._ready[0].name} turns round and round, and no time passes")
        self._straight = self.halt is None and not self._ending
        if self._interruption is None:
            self._give_turn(self._next())

    def _give_turn(self, chosen: SimulatedTask | None) -> None:
        while chosen is not None:  # who gives the turn back may name one that is to be begun from here
            chosen = chosen.greenlet.switch(chosen.woken)
        self.current = None

    # ---- interrupted by hand

    def interrupt_with(self, error: BaseException) -> None:
        """Raise this in what is run, where it waits, at the next moment at which nobody is in the middle of a step."""
        if error is not self._raised:
            self._interruption, self._straight = error, False

    def be_interrupted(self) -> None:
        """Raise what came so late that nothing was run any more."""
        error, self._interruption = self._interruption, None
        if error is not None:
            raise error

    def _interrupt(self, tasks: Iterable[SimulatedTask]) -> None:
        error = self._raised = self._interruption
        assert error is not None
        self._interruption = None
        for task in [inner for each in tasks if not each.done for inner in each.innermost()]:
            self._unpark(task)
            if task.greenlet:
                self.current = task
                self._give_turn(task.greenlet.throw(error))
            else:
                task.error = error
                task.finish()

    def _drop(self, tasks: Iterable[SimulatedTask]) -> None:
        """End tasks whose results nobody will ever ask for."""
        self.dying = True
        try:
            for task in [task for task in tasks if not task.done]:
                self._unpark(task)
                self._throw_out(task)
        finally:
            self.dying = False

    def _unpark(self, task: SimulatedTask) -> None:
        for waiting in (task.parked, self._ready, task.life.held):
            if waiting is not None and task in waiting:
                waiting.remove(task)
        task.parked, task.until = None, NEVER

    def _throw_out(self, task: SimulatedTask) -> None:
        task.greenlet.parent = getcurrent()
        task.greenlet.throw()
        if not task.greenlet.dead:
            raise ClusterError(f"{task.name} does not end: it waits where it was told to go")
        task.killed = True
        task.finish()  # one that had not begun has not done it

    def _next(self) -> SimulatedTask | None:
        """Whose turn it is; time goes on until it is somebody's. None if the hub has to see to something first."""
        ready, events = self._ready, self._events
        while True:
            if ready:
                if self.turns >= self._turns_end:
                    return None
                if len(ready) > 1:
                    place = int(self.chance() * len(ready))
                    ready[place], ready[-1] = ready[-1], ready[place]
                chosen = ready.pop()
                if chosen.life.held is not None:
                    chosen.life.held.append(chosen)
                    continue
                self.turns += 1
                self.current = chosen
                return chosen
            if not events:
                return None
            self.now, _, action, argument = heappop(events)
            self._turns_end = self.turns + _AT_ONE_MOMENT
            action(argument)
            if not self._straight:
                return None

    @property
    def is_outside(self) -> bool:
        """Whether he who asks is the one who runs this."""
        return getcurrent() is self.hub

    def take_over(self, lives: Iterable[Life]) -> None:
        """From now on whoever calls this runs it: what was in the middle of its turn waits for the next one, as interrupted."""
        self.hub = getcurrent()
        self.halt_with(None)
        if self.current is not None and not self.current.life.ended:
            self.make_ready(self.current, True)
        self.current = None
        for task in [task for life in lives for task in life.tasks]:
            task.greenlet.parent = self.hub

    def number(self) -> int:
        self._number += 1
        return self._number

    def at(self, time: float, action: Callable[[Any], object], argument: Any = None) -> None:
        """Do something later; what is due at the same moment is done in this order."""
        self._number += 1
        heappush(self._events, (time, self._number, action, argument))

    def wait(self, parked: Parked, until: float | None = None) -> bool:
        """Let others run until somebody wakes those parked there; False if it got too late first."""
        if self.dying:
            raise GreenletExit
        task = self.current
        if task is None:
            raise ClusterError("only a task of the simulation may wait: use cluster.run(...)")
        parked.append(task)
        task.parked = parked
        if until is None:
            task.until = NEVER
        else:
            task.until = until
            if until < task.timer:
                self._set_timer(task)
        chosen = None
        if self._straight:
            self.current = None
            chosen = self._next()
            if chosen is task:
                return task.woken
            if chosen is not None and chosen.greenlet:  # begun from here, its calls would count as nested in ours
                return bool(chosen.greenlet.switch(chosen.woken))
        return bool(self.hub.switch(chosen))

    def _set_timer(self, task: SimulatedTask) -> None:
        task.timer = max(task.until, self.now)
        self.at(task.timer, self._ring, task)

    def _ring(self, task: SimulatedTask) -> None:
        """A task has one timer, at or before the moment that it waits for: setting one for each wait would cost the most."""
        if self.now < task.timer:
            return  # an earlier one was set after this
        task.timer = NEVER
        if task.parked is None:
            return
        if task.until <= self.now:
            task.parked.remove(task)
            self.make_ready(task, False)
        elif task.until != NEVER:
            self._set_timer(task)

    def make_ready(self, task: SimulatedTask, woken: bool) -> None:
        task.parked, task.woken = None, woken
        self._ready.append(task)

    def wake(self, parked: Parked, count: int | None = None) -> None:
        """Let those go on who are parked there, all or the first so many."""
        if len(parked) == 1 and count != 0:
            task = parked.pop()
            task.parked, task.woken = None, True
            self._ready.append(task)
        elif parked:
            for task in parked[:count]:
                self.make_ready(task, True)
            del parked[:count]

    def sleep(self, seconds: float) -> None:
        self.wait([], self.now + seconds)

    def interrupt(self) -> None:
        """What a system may do to any task at any moment."""
        if self.current is not None and not self.dying and self.chance() < INTERRUPTED:
            self.sleep(_INTERRUPTION_S * self.chance())

    # ---- lives

    def end(self, life: Life, after: Callable[[], object]) -> None:
        """End a life as `kill -9` does; `after` is done at the same moment, by nobody's task."""
        if self.current is not None and self.current.life is life:
            self._ending += 1
            self._straight = False
            self.at(self.now, lambda _: self._end_itself(life, after))
            self.wait([])
        self._end(life, after)

    def _end_itself(self, life: Life, after: Callable[[], object]) -> None:
        self._ending -= 1
        self._end(life, after)

    def _end(self, life: Life, after: Callable[[], object]) -> None:
        self.dying, life.ended = True, True
        self._straight = False  # whom the hub waits for may be among them
        try:
            for task in list(life.tasks):
                if task.parked is not None:
                    task.parked.remove(task)
                    task.parked = None
                task.until = NEVER
                self._throw_out(task)
        finally:
            self.dying = False
        self._ready[:] = [task for task in self._ready if task.life is not life]
        life.held = None
        after()

    def pause(self, life: Life) -> None:
        """Its tasks get no more turns; what they wait for goes on meanwhile."""
        if life.held is None:
            life.held = []

    def resume(self, life: Life) -> None:
        held, life.held = life.held, None
        self._ready += held or []


def present() -> Scheduler | None:
    """The scheduler of the task that asks; None for whoever is outside every simulation."""
    found: Scheduler | None = getattr(getcurrent(), "scheduler", None)
    return found
