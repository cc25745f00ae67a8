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

import operator
import threading
import weakref
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

import msgspec

from ..errors import ClusterError, UsageError
from ..trace import Event
from ..world.simulated_tasks import present
from .base import Cluster
from .journey import Journey
from .script import Order, Script, ScriptEntry
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
    _journey: Journey | None
    _decoded: list[Event]
    _thread: int

    def __new__(cls, *arguments: object, **named: object) -> Self:
        self = super().__new__(cls)
        self.script, self.order = Script(), Order()
        self._lineage, self._journey, self._decoded = object(), None, []
        self._thread = threading.get_ident()
        return self

    def __getattribute__(self, name: str) -> Any:
        """In a task of a run that was made again, this cluster is that run's: the functions that are called there know only
        the one for which they were written."""
        here = present()
        if here is not None and here.owner is not self:
            there = here.owner
            if there is not None and _lineage(there) is _lineage(self):
                return getattr(there, name)
        return object.__getattribute__(self, name)

    def __reduce__(self) -> str:
        raise TypeError(
            "a simulated cluster cannot be copied or sent to another process: make it there, from its seed; cluster.at(k) gives "
            "one that stands where this one stood"
        )

    @property
    def _cluster(self) -> Self:
        return self

    @property
    def inside(self) -> bool:
        """Whether a task of the simulation asks."""
        here = present()
        return here is not None and here.owner is self

    def check_here(self) -> None:
        """A verb is about to be carried out: a run that stands in its past is taken over. Errors: ClusterError, where another
        thread calls, or a function that another simulation runs."""
        if threading.get_ident() != self._thread:
            raise ClusterError(
                "a simulated cluster is for the thread that made it, and this is another: make a cluster of its own here, or let "
                "functions run side by side with cluster.run(one, other)"
            )
        self.let_go()
        simulation = self.__dict__.get("simulation")
        if simulation is not None and not self.inside and not simulation.scheduler.is_outside:
            raise ClusterError("a simulated cluster is not for functions that another one runs: use it outside of them")

    def keep_interrupt(self, error: BaseException, in_our_code: bool) -> bool:
        """What Ctrl-C raised is raised in the verb that is carried out, once that does no harm; False: it does none here."""
        simulation: Simulation | None = self.__dict__.get("simulation")
        if simulation is None or (not in_our_code and simulation.runs_from_outside):
            return False
        simulation.scheduler.interrupt_with(error)
        return True

    @property
    def made_again(self) -> bool:
        """Whether this run is on its way through what another has done."""
        return self._journey is not None

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
        event = self._event(event)
        again, journey = self._again(self.script, event)
        journey.to(event)
        return again

    def _event(self, event: int) -> int:
        event, count = _whole(event, "an event is named by its number in cluster.events"), len(self.order.lines)
        if not 0 <= event <= count:
            raise UsageError(f"there is no event {event:,}: this run has {count:,} so far, 0 is before them")
        return event

    def _again(self, script: list[ScriptEntry], event: int) -> tuple[Self, Journey]:
        """A cluster in which nothing has happened yet, and the way to go in it, as far as this event."""
        if self.inside or not self.order.lines:
            raise UsageError("time travel is from outside a simulation that has written events (trace=True)")
        if self.script.broken is not None and event > self.script.broken:
            raise UsageError(
                f"a verb was interrupted by hand: after event {self.script.broken:,} the run cannot be made again"
            )
        again = type(self).__new__(type(self))
        again._lineage = self._lineage
        again._journey = journey = Journey(again, script, self.order.lines)
        return again, journey

    def back(self, events: int = 1) -> Self:
        """This run once more, so many events earlier than it is now. Errors: those of `at`."""
        if (events := _whole(events, "back takes a number of events")) < 0:
            raise UsageError(f"back({events}): the future is not known yet; let this run go on")
        return self.at(max(0, len(self.order.lines) - events))

    def after(self, verbs: int) -> Self:
        """This run once more, as it stood when its first so many verbs (`script`) were over: exactly so, also where the last of
        them wrote no event. Errors: those of `at`."""
        verbs = _whole(verbs, "after takes a number of verbs")
        if not 1 <= verbs <= len(self.script):
            raise UsageError(f"this run has {len(self.script):,} verbs so far: choose from 1 to that, not {verbs:,}")
        again, journey = self._again(self.script[:verbs], self.script[verbs - 1].after or 0)
        while again._journey is not None:
            journey.to(None)
        return again

    @abstractmethod
    def look(self, node: str) -> dict[str, Any]:
        """What a node has at this moment: its state and open calls, what the manager knows, what lies on a server's disk. Nothing
        is asked of it, and nothing changes."""

    def changes(self, event: int) -> dict[str, dict[str, tuple[Any, Any]]]:
        """What an event changed: for each node, and each part of what `look` tells of it, what that was before and is after.
        Errors: those of `at`."""
        event = self._event(event)
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
        if to is not None:
            to, here = _whole(to, "an event is named by its number in cluster.events"), len(self.order.lines)
            if to <= here:
                raise UsageError(f"event {to:,} has been already; this run stands after event {here:,}")
            if to > self._journey.end_of_first:
                raise UsageError(
                    f"there is no event {to:,} to go on to: the first run had {self._journey.end_of_first:,}"
                )
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
        self.simulation.scheduler.owned_by(self)
        self._dropped = weakref.finalize(self, _let_end, self.simulation, self._thread)
        self._dropped.atexit = False
        if self._journey is not None:
            self._journey.began(self.simulation)


def _let_end(simulation: Simulation, thread: int) -> None:
    """Nobody has the cluster any more: what still waits in it would be kept for ever. Only its own thread can end that."""
    if threading.get_ident() == thread:
        simulation.close()


def _lineage(cluster: object) -> object:
    return object.__getattribute__(cluster, "_lineage")


def _whole(value: Any, what: str) -> int:
    try:
        return operator.index(value)  # numpy's whole numbers are some too
    except TypeError:
        raise UsageError(f"{what}, not by {value!r}" if " named " in what else f"{what}, not {value!r}") from None


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
