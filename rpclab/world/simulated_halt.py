"""A simulation that stands still: what runs it does so in a greenlet of its own, which can be left in the middle.

It halts between two steps: where a task has just ended its turn, or is about to take a lock, as the system might interrupt it
there. What it was doing is not disturbed: `go_on` continues as though nothing had been.
"""

from __future__ import annotations

from collections.abc import Callable

from greenlet import getcurrent, greenlet

__all__ = ["Drive"]


class Drive:
    """Carries out a function that runs a simulation; with `scheduler.halt_with(drive.halt)` that simulation stands still."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._greenlet = greenlet(function)
        self._here: greenlet = self._greenlet
        self._outside = getcurrent()
        self.stands = True
        """It waits for `go_on`, or is over."""

    @property
    def over(self) -> bool:
        return bool(self._greenlet.dead)

    def go_on(self) -> None:
        """Go on until it halts or is over; what the function raises is raised here."""
        self._greenlet.parent = self._outside = getcurrent()
        self.stands = False
        try:
            self._here.switch()
        finally:
            self.stands = True

    def halt(self) -> None:
        """Stand still here, whichever task this is, until somebody outside lets it go on."""
        self._here = getcurrent()
        self._outside.switch()

    def drop(self) -> None:
        """What drove it ends where it stands; the simulation's tasks stay as they are."""
        if not self.over:
            self._greenlet.parent = getcurrent()
            self._greenlet.throw()
