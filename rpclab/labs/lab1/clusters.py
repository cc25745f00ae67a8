"""Lab 1's checks of a cluster, simulated or real, that works with the student's part."""

from __future__ import annotations

from ...errors import MethodNotFound
from ..lab import Broken, Mine
from ..scenes import blamed, works_through_restarts
from ..trial import Trial
from .about import LAB

__all__ = ["real", "simulated"]


@LAB.check(
    "in a simulated cluster manager and servers find their methods in it", points=2, after=("nothing-else", "stub")
)
def simulated(mine: Mine, trial: Trial) -> None:
    with (
        blamed("cluster", "in the simulated cluster"),
        trial.simulated(registry=mine.Registry, stub=mine.Stub) as cluster,
    ):
        works_through_restarts(cluster, trial)


@LAB.check("so do real ones, and your stub calls them", points=3, after=("nothing-else", "underscores"))
def real(mine: Mine, trial: Trial) -> None:
    options = {"registry": mine.Registry, "stub": mine.Stub, "clients": 1}
    with blamed("cluster", "in the real cluster"), trial.local(**options) as cluster:
        works_through_restarts(cluster, trial)
        manager = cluster.connect("ada").manager
        word = f"hello {trial.random.randrange(100)}"
        if manager.string(word) != word or manager.string(text=word) != word or manager.getQuantity() != 3:
            raise Broken("cluster", "string('hello') or getQuantity() of the manager gave back something else")
        try:
            manager.getQuantety()
        except MethodNotFound:
            return
        raise Broken("unknown-name", "the manager has no getQuantety, and the caller heard no MethodNotFound")
