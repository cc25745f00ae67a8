"""A script on its way through another cluster: how a run is made again, up to an event or to the end of a verb."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from ..errors import ReplayDiffers
from ..trace import Event
from ..world.simulated_halt import Drive
from ..world.simulated_interrupt import KeptInterrupt
from .script import ScriptEntry

if TYPE_CHECKING:
    from ..world.simulated import Simulation
    from .travel import Travel

__all__ = ["Journey"]

_decode = msgspec.json.Decoder(Event).decode


class Journey:
    """What `at` and `after` send through a new cluster. `to` goes on to an event, or to the end of a verb."""

    def __init__(self, cluster: Travel, script: list[ScriptEntry], lines: list[bytes]) -> None:
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

    @property
    def end_of_first(self) -> int:
        """How many events the first run had."""
        return len(self._lines)

    def began(self, simulation: Simulation) -> None:
        self._simulation = simulation
        if self._stop == 0:
            simulation.scheduler.halt_with(self._drive.halt)

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
            self._drive_on()
        if self._simulation is not None:
            self._simulation.scheduler.halt_with(None)
        written = len(self._cluster.order.lines)
        if self._differs or (stop is not None and written < stop):
            self._cluster.close()
            raise self._difference(self._differs or written + 1)

    def _drive_on(self) -> None:
        """Ctrl-C has it stand still where it is, and may be followed by going on; again, it ends this run."""
        interrupted: list[BaseException] = []

        def keep(error: BaseException, in_our_code: bool) -> bool:
            if self._simulation is not None:
                interrupted.append(error)
                self._simulation.scheduler.halt_with(self._drive.halt)
            return self._simulation is not None

        try:
            with KeptInterrupt(keep):
                self._drive.go_on()
        except BaseException:
            if self._simulation is not None:
                self._cluster.close()
            raise
        if interrupted:
            assert self._simulation is not None
            self._simulation.scheduler.halt_with(None)
            raise interrupted[0]

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
            self._simulation.scheduler.halt_with(self._drive.halt)

    def _difference(self, number: int) -> ReplayDiffers:
        first, again = (
            _decode(lines[number - 1]) if number <= len(lines) else None
            for lines in (self._lines, self._cluster.order.lines)
        )
        before, now = _told(first) if first else "nothing", _told(again) if again else "nothing more"
        if first and again and before == now:
            before, now = (f"{told} ({more})" for told, more in zip((before, now), _apart(first, again), strict=True))
        return ReplayDiffers(
            f"event {number:,} was {before}; made again it is {now}. What the cluster's own verbs do is the same each time: look "
            f"at the functions that you gave it. One that remembers something from call to call (a list, a counter, a generator "
            f"of random numbers that is not made anew), or asks the real clock, does not do the same again"
        )

    def _leave(self) -> None:
        """The verb under way is left where it stands."""
        cluster = self._cluster
        if cluster.script.busy:
            entry: ScriptEntry = cluster.script[-1]
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


def _told(event: Event) -> str:
    about = " ".join(each for each in (event.kind, event.method, event.file) if each)
    return f"{about!r} at {event.node}, {event.time:.6f} s" + (f", with {event.peer}" if event.peer else "")


def _apart(one: Event, other: Event) -> tuple[str, str]:
    """What of two events that look alike is not the same."""
    known = [msgspec.to_builtins(event) for event in (one, other)]
    for each in known:
        each |= each.pop("detail", {})
    keys = [key for key in {**known[0], **known[1]} if known[0].get(key) != known[1].get(key)]
    first, second = (", ".join(f"{key}: {each.get(key)!s:.60}" for key in keys) for each in known)
    return first, second
