"""Stepping through a simulated cluster: back, anywhere, and another way from there; all that was tried is kept as a tree.

A place is kept as a run and how many verbs of its script lead there. To stand there again the run is made again from its seed,
in the thread that calls. The cluster that was given is left as it is as soon as one goes back, and taken up again where one comes
back to where it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import UsageError
from ..rpc.plan import Action
from ..study.history import History
from .local_steps import RecordedSteps
from .places import Key, Place
from .steps import Steps

__all__ = ["BranchingSteps", "steps"]


def steps(cluster: Any) -> Steps:
    """Step through a cluster, of either world."""
    return BranchingSteps(cluster) if hasattr(cluster, "simulation") else RecordedSteps(cluster)


class BranchingSteps(Steps):
    """Over a simulated cluster. `cluster` is the run that stands `here`."""

    forks = True

    def __init__(self, cluster: Any) -> None:
        cluster.let_go()  # from a point in its past it goes its own way from here on
        self.given = cluster
        """The cluster that was given."""
        super().__init__(cluster)
        self._given_at = self.here

    def fork(self) -> Any:
        """A cluster of its own that stands where one looks: to try in a cell what leaves no trace here."""
        with self._lock:
            return self.here.run.after(self.here.verbs)

    def pass_time(self, seconds: float) -> Place:
        """Let virtual time pass, as to see what a deadline does."""
        with self._lock:
            return self._go(f"{seconds:g} s passed", ("sleep", seconds), lambda cluster: cluster.sleep(seconds))

    def look_again(self) -> bool:
        with self._lock:
            came = self._follow(self.given, self._given_at)
            return self._follow(self.cluster, self.here) or came

    def history(self) -> History:
        history: History = self.cluster.history
        return history

    def _go(self, words: str, key: Key, do: Callable[[Any], None]) -> Place:
        self.look_again()
        tried = next((child for child in self.here.children if child.key == key), None)
        if tried is not None:
            return self.jump(tried)
        before, ours = self.here, self.cluster is self.given
        self._usable()
        do(self.cluster)
        self.here = self._arrive(before, words, key)
        if ours:
            self._given_at = self.here
        return self.here

    def _decide(self, cluster: Any, action: Action, message: int | None, how: dict[str, Any]) -> None:
        cluster.step(message, action, **how)

    def _start(self, cluster: Any, function: Callable[[], Any]) -> None:
        cluster.begin(function)

    def _enter(self, place: Place) -> None:
        self.look_again()
        if place is self.here:
            return
        left, self.cluster = self.cluster, self.given if place is self._given_at else place.run.after(place.verbs)
        place.run = self.cluster
        if left is not self.given:
            left.close()

    def _usable(self) -> None:
        if self.cluster.simulation.outside.ended:
            raise UsageError(
                "this simulated cluster was stopped: nothing happens in it any more; go back to go another way"
            )

    def _follow(self, cluster: Any, place: Place) -> bool:
        """Record what a verb outside of the stepper, in another cell, has done to a run since it stood at a place."""
        if len(cluster.script) == place.verbs or cluster.script.busy:
            return False
        here, self.cluster, staying = self.here, cluster, self.cluster
        said = "; ".join(str(entry) for entry in cluster.script[place.verbs :])
        new = self._arrive(place, said, ("cell", cluster, len(cluster.script)))
        self.cluster = staying
        if here is place and staying is cluster:
            self.here = new
        if cluster is self.given:
            self._given_at = new
        return True

    def _place(self, parent: Place | None, words: str, key: Key) -> Place:
        place = super()._place(parent, words, key)
        place.run, place.verbs = self.cluster, len(self.cluster.script)
        return place

    def _moment(self) -> tuple[float, int]:
        return self.cluster.now, len(self.cluster.order.lines)
