"""Lab 6's checks of a cluster, simulated or real, that works with the student's part."""

from __future__ import annotations

from typing import Any

from ...cluster.settled import wait_settled
from ..lab import Broken, Mine
from ..scenes import back_up, blamed, restart_everything, restore_all
from ..trial import Trial
from .about import LAB

__all__ = ["real", "simulated"]


@LAB.check(
    "a simulated cluster repairs what a dead server held, and not what a slow one holds",
    points=3,
    after=("silence", "states"),
)
def simulated(mine: Mine, trial: Trial) -> None:
    options: dict[str, Any] = {"servers": 4, "replicas": 2, "clients": 1, "heartbeat_s": 1.0, "dead_s": 6.0}
    options |= {"detector": mine.Detector, "plan_repair": mine.plan_repair}
    with blamed("cluster", "in the simulated cluster"), trial.simulated(**options) as cluster:
        files = back_up(cluster, trial, 6)
        cluster.sleep(10)
        slow, dead = trial.random.sample(sorted(cluster.servers), 2)
        cluster.pause(slow)
        cluster.sleep(3.5)
        cluster.resume(slow)
        cluster.sleep(4)
        if cluster.history.of("repaired", "gone"):
            raise Broken("cluster", f"{slow} was silent for 3.5 s (dead after 6): it was taken for dead, or repaired")
        cluster.pause(dead)
        cluster.sleep(30)
        if not any(event.peer == dead for event in cluster.history.of("gone")):
            raise Broken("cluster", f"{dead} was silent for 30 s, and was never gone; {_said(cluster)}")
        _all_there(cluster, 2)
        cluster.resume(dead)
        cluster.sleep(5)
        restart_everything(cluster)
        cluster.sleep(12)
        restore_all(cluster, trial, files, "cluster")


def _all_there(cluster: Any, wanted: int) -> None:
    for place in cluster.files():
        if len(place.servers) < wanted:
            told = f"{place.file.name} has {len(place.servers)} copies, {wanted} are wanted; {_said(cluster)}"
            raise Broken("cluster", told)


def _said(cluster: Any) -> str:
    problem = cluster.upkeep()["problem"]
    return f"the manager says: {problem or 'nothing'}"


@LAB.check("so does a real one, with every node restarted", points=2, after=("silence", "states"))
def real(mine: Mine, trial: Trial) -> None:
    options: dict[str, Any] = {"servers": 3, "replicas": 2, "clients": 1, "heartbeat_s": 0.3, "dead_s": 1.5}
    options |= {"detector": mine.Detector, "plan_repair": mine.plan_repair}
    with blamed("cluster", "in the real cluster"), trial.local(**options) as cluster:
        files = back_up(cluster, trial, 4)
        restart_everything(cluster)
        cluster.kill("server1")
        wait_settled(cluster, 12)
        _all_there(cluster, 2)
        restore_all(cluster, trial, files, "cluster")
