"""Time travel in a simulated cluster: the run made again from its seed up to any event, to look at, to go on, or go another way.

Nothing of the past is kept but the script of what was done from outside: a cluster `at` an event is a new one, with the same
arguments and seed, for which the script is carried out again. It stands still as soon as that event has been written and the
step that wrote it has ended. So:

1. Exactly the simulated world is made again. Functions that were given to the cluster (`run`, `placement`, `progress`) are
   called again, each from its beginning. What they change outside the simulation they change again.
2. In such a function the cluster, and its clients, stand for those of the run that calls it.
3. Every event that is written again is compared with the one that was written first: a function that remembers something of
   its own, or asks a real clock, is found out.
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

import msgspec

from ..errors import ReplayDiffers, UsageError
from ..trace import Event
from ..world.simulated_halt import Drive
from ..world.simulated_tasks import present
from .base import Cluster
from .script import Entry, Order, Script
from .simulated_node import SimNode

if TYPE_CHECKING:
    from ..world.simulated import Simulation

__all__ = ["Travel"]

_decode = msgspec.json.Decoder(Event).decode


class Travel(Cluster[SimNode]):
    """What a simulated cluster knows of its own past."""

    simulation: Simulation
    script: Script
    """What was done from outside so far."""
    order: Order
    _place: tuple[str, ...] = ()
    _lineage: object  # what all runs have in common that were made again from one
    _journey: _Journey | None
    _decoded: list[Event]

    def __new__(cls, *arguments: object, **named: object) -> Self:
        self = super().__new__(cls)
        self.script, self.order = Script(), Order()
        self._lineage, self._journey, self._decoded = object(), None, []
        return self

    def __getattribute__(self, name: str) -> Any:
        """In a task of a run that was made again, this cluster is that run's: the functions that are called there know only
        the one for which they were written."""
        here = present()
        if here is not None:
            there = here.owner
            if there is not None and there is not self and _lineage(there) is _lineage(self):
                return getattr(there, name)
        return object.__getattribute__(self, name)

    @property
    def _cluster(self) -> Self:
        return self

    @property
    def inside(self) -> bool:
        """Whether a task of the simulation asks."""
        here = present()
        return here is not None and here.owner is self

    # ---- the past

    @property
    def events(self) -> dict[int, Event]:
        """The events of all nodes in the order in which they were written, by their number in it: `cluster.events[1]` was the
        first. (An event's own `number` counts its node's.)"""
        lines, decoded = self.order.lines, self._decoded
        decoded += [_decode(line) for line in lines[len(decoded) :]]
        return dict(enumerate(decoded, 1))

    def at(self, event: int) -> Self:
        """This run once more, as it stood after an event (0: before the first). Look at the cluster that you get, let it
        `go_on`, or do something else there: then it goes another way from that event on, and this one stays as it is.

        What is made again, and what is not, the head of `cluster/travel.py` says; `with` closes it. Errors: UsageError for an
        event that there is not; ReplayDiffers, if it does not go the same way again.
        """
        if self.inside or not self.order.lines:
            raise UsageError("time travel is from outside a simulation that has written events (trace=True)")
        if not 0 <= event <= len(self.order.lines):
            raise UsageError(
                f"there is no event {event:,}: this run has {len(self.order.lines):,} so far, 0 is before them"
            )
        if self.script.broken is not None and event > self.script.broken:
            raise UsageError(
                f"a verb was interrupted by hand: after event {self.script.broken:,} the run cannot be made again"
            )
        again = type(self).__new__(type(self))
        again._lineage = self._lineage
        again._journey = _Journey(again, self.script, self.order.lines)
        again._journey.to(event)
        return again

    def back(self, events: int = 1) -> Self:
        """This run once more, so many events earlier than it is now."""
        return self.at(max(0, len(self.order.lines) - events))

    @abstractmethod
    def look(self, node: str) -> dict[str, Any]:
        """What a node has at this moment: its state and open calls, what the manager knows, what lies on a server's disk. Nothing
        is asked of it, and nothing changes."""

    def changes(self, event: int) -> dict[str, dict[str, tuple[Any, Any]]]:
        """What an event changed: for each node, and each part of what `look` tells of it, what that was before and is after."""
        if event < 1:
            raise UsageError(f"events are counted from 1: there is no event {event}")
        then = self.at(event - 1)
        before = {node: then.look(node) for node in then.nodes}
        then.go_on(to=event)
        after = {node: then.look(node) for node in then.nodes}
        then.close()
        return {node: changed for node in after if (changed := _changed(before.get(node, {}), after[node]))}

    # ---- a run that was made again

    def go_on(self, to: int | None = None) -> Self:
        """Go on as the first run did: to the end of the verb in whose middle this one stands, or to a later event. Errors:
        UsageError, if it does not stand still; ReplayDiffers."""
        if self._journey is None:
            raise UsageError(
                "only a cluster that you got from at() or back() goes on, and until you do something else there"
            )
        if to is not None and to <= len(self.order.lines):
            raise UsageError(f"event {to:,} has been already; this run stands after event {len(self.order.lines):,}")
        self._journey.to(to)
        return self

    @property
    def stands(self) -> bool:
        """Whether this is a run that was made again and waits in its past: to be looked at, to `go_on`, or for something else."""
        return self._journey is not None and self._journey.stands

    def close(self) -> None:
        """Let go of it: nothing happens in it any more, and nothing is written. `stop` ends the parts cleanly."""
        self.let_go()
        self.simulation.close()

    def let_go(self) -> None:
        """Take this run over where it stands: the verb in whose middle that is does nothing more, what it has begun goes on."""
        if self._journey is not None and self._journey.stands:
            self._journey.end()

    def _began(self) -> None:
        """The simulation is there, and nothing has happened in it yet."""
        self.simulation.scheduler.owner = self
        if self._journey is not None:
            self._journey.began(self.simulation)


class _Journey:
    """A script on its way through another cluster."""

    def __init__(self, cluster: Travel, script: Script, lines: list[bytes]) -> None:
        self._cluster = cluster
        self._entries, self._lines = list(script), list(lines)
        self._next = 0  # of the entries
        self._past = 0  # of the entries: those before are over
        self._drive = Drive(self._play)
        self._stop: int | None = 0
        self._differs = 0
        self._simulation: Simulation | None = None
        cluster.order.watch = self._written

    @property
    def stands(self) -> bool:
        return self._drive.stands

    def began(self, simulation: Simulation) -> None:
        self._simulation = simulation
        if self._stop == 0:
            simulation.scheduler.halt = self._drive.halt

    def to(self, event: int | None) -> None:
        """Go on to an event; without one to the end of a verb, or to where it was left for another decision."""
        while (found := self._left(event)) is not None:
            written, goal = len(self._cluster.order.lines), found
            if goal > written or self._simulation is None:
                self._go(goal)
                if event is None:
                    return
            self._leave()
            self._past, self._drive = self._next, Drive(self._play)
        self._go(event)
        if self._drive.over:
            self.end()

    def _left(self, event: int | None) -> int | None:
        """After which event, before that one, the next verb was left; without one, the present or next verb only."""
        under_way = self._next - self._cluster.script.busy
        for entry in self._entries[self._past : None if event is not None else under_way + 1]:
            if entry.left and entry.after is not None and (event is None or entry.after < event):
                return entry.after
        return None

    def _go(self, stop: int | None) -> None:
        self._stop = stop
        if self._simulation is None or stop != len(self._cluster.order.lines):
            self._drive.go_on()
        if self._simulation is not None:
            self._simulation.scheduler.halt = None
        written = len(self._cluster.order.lines)
        if self._differs or (stop is not None and written < stop):
            self._cluster.close()
            raise self._difference(self._differs or written + 1)

    def _play(self) -> None:
        if self._simulation is not None:
            self._simulation.take_over()
        while self._next < len(self._entries):
            self._next += 1
            with contextlib.suppress(Exception):  # it was raised in the first run too, or the events will differ
                self._entries[self._next - 1].carry_out(self._cluster)
            if self._stop is None:
                self._drive.halt()

    def _written(self, line: bytes) -> None:
        number = len(self._cluster.order.lines)
        if number <= len(self._lines) and line != self._lines[number - 1] and not self._differs:
            self._differs = number
        if (number == self._stop or self._differs) and self._simulation is not None:
            self._simulation.scheduler.halt = self._drive.halt

    def _difference(self, number: int) -> ReplayDiffers:
        before = _told(self._lines[number - 1]) if number <= len(self._lines) else "nothing"
        lines = self._cluster.order.lines
        now = _told(lines[number - 1]) if number <= len(lines) else "nothing more"
        return ReplayDiffers(
            f"event {number:,} was {before}; made again it is {now}. What the cluster's own verbs do is the same each time: look "
            f"at the functions that you gave it. One that remembers something from call to call (a list, a counter, a generator "
            f"of random numbers that is not made anew), or asks the real clock, does not do the same again"
        )

    def _leave(self) -> None:
        """The verb under way is left where it stands."""
        cluster = self._cluster
        if cluster.script.busy:
            entry: Entry = cluster.script[-1]
            entry.left, entry.after = True, len(cluster.order.lines)
        self._drive.drop()
        cluster.script.busy = False

    def end(self) -> None:
        """From here on the cluster goes its own way, and whoever calls this runs it."""
        self._leave()
        if self._simulation is not None:
            self._simulation.take_over()
        self._cluster.order.watch = None
        self._cluster._journey = None


def _lineage(cluster: object) -> object:
    return object.__getattribute__(cluster, "_lineage")


def _changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    keys = [*after, *(key for key in before if key not in after)]
    return {key: _differing(before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def _differing(before: Any, after: Any) -> tuple[Any, Any]:
    """Of two tables only the lines that are not the same."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return before, after
    return (
        {key: value for key, value in before.items() if after.get(key) != value},
        {key: value for key, value in after.items() if before.get(key) != value},
    )


def _told(line: bytes) -> str:
    event = _decode(line)
    about = " ".join(each for each in (event.kind, event.method, event.file) if each)
    return f"{about!r} at {event.node}, {event.time:.6f} s" + (f", with {event.peer}" if event.peer else "")
