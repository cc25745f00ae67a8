"""Lab 7's checks of a cluster, simulated or real, that works with the student's part."""

from __future__ import annotations

from typing import Any

from ..lab import Mine
from ..scenes import back_up, blamed, restart_everything, restore_all
from ..trial import Trial
from .about import LAB

__all__ = ["real", "simulated"]


@LAB.check("a simulated cluster keeps its files in it, with power cuts at every server", points=3, after=("replaced",))
def simulated(mine: Mine, trial: Trial) -> None:
    options: dict[str, Any] = {"servers": 3, "replicas": 2, "store": mine.Store, "clients": 1}
    with blamed("cluster", "in the simulated cluster"), trial.simulated(**options) as cluster:
        files: dict[str, bytes] = {}
        for _ in range(2):
            files |= back_up(cluster, trial, 4)
            for server in sorted(cluster.servers):
                cluster.cut_power(server)
            for server in sorted(cluster.servers):
                cluster.restart(server)
            restore_all(cluster, trial, files, "cluster")
        restart_everything(cluster)
        restore_all(cluster, trial, files, "cluster")


@LAB.check("so does a real one, with every node killed or restarted", points=2, after=("answered",))
def real(mine: Mine, trial: Trial) -> None:
    options: dict[str, Any] = {"servers": 2, "replicas": 2, "store": mine.Store, "clients": 1}
    with blamed("cluster", "in the real cluster"), trial.local(**options) as cluster:
        files = back_up(cluster, trial, 4)
        for server in sorted(cluster.servers):
            cluster.kill(server)
            cluster.restart(server)
        files |= back_up(cluster, trial, 3)
        restart_everything(cluster)
        restore_all(cluster, trial, files, "cluster")
