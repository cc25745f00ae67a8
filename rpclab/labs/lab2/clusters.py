"""Lab 2's checks of a cluster, simulated or real, that works with the student's part."""

from __future__ import annotations

from ...world.simulated import Conditions
from ..lab import Mine
from ..scenes import blamed, works_through_restarts
from ..trial import Trial
from .about import LAB

__all__ = ["real", "simulated"]


@LAB.check("a simulated cluster speaks it, however its network cuts the bytes", points=3, after=("apart",))
def simulated(mine: Mine, trial: Trial) -> None:
    with (
        blamed("cluster", "in the simulated cluster"),
        trial.simulated(framing=mine.Framing, conditions=Conditions(cut=0.5, joined=0.5)) as cluster,
    ):
        works_through_restarts(cluster, trial)


@LAB.check("a cluster of real processes speaks it, before and after each was restarted", points=3, after=("apart",))
def real(mine: Mine, trial: Trial) -> None:
    with blamed("cluster", "in the real cluster"), trial.local(framing=mine.Framing, clients=1) as cluster:
        works_through_restarts(cluster, trial)
