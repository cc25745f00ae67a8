"""Lab 4's checks of a cluster, simulated or real, that works with the student's part."""

from __future__ import annotations

from typing import Any

from ..lab import Broken, Mine
from ..scenes import back_up, blamed, restore_all
from ..trial import Trial
from .about import LAB

__all__ = ["real", "simulated"]


@LAB.check(
    "in a simulated cluster the gap stays within the largest file, with many clients at once",
    points=3,
    after=("fewest",),
)
def simulated(mine: Mine, trial: Trial) -> None:
    with (
        blamed("cluster", "in the simulated cluster"),
        trial.simulated(placement=mine.choose, clients=4, servers=4) as cluster,
    ):
        files = {name: trial.files(8) for name in cluster.clients}
        for name, contents in files.items():
            for file, data in contents.items():
                cluster.clients[name].put(file, data)
        cluster.run(*(lambda name=name: [cluster.clients[name].backup(file) for file in files[name]] for name in files))
        largest = max(len(data) for contents in files.values() for data in contents.values())
        _bounded(cluster, largest, copies=2)


def _bounded(cluster: Any, largest: int, copies: int) -> None:
    stored = cluster.stored_bytes()
    gap = max(stored.values()) - min(stored.values())
    if gap > largest:
        history = cluster.history
        last = history.of("placed")
        seen = f"the fullest server is {gap:,} bytes ahead of the emptiest; the largest file has {largest:,}"
        raise Broken("gap", seen, event=last[-1] if last else None, history=history)


@LAB.check(
    "in a real cluster too, whose manager is restarted and one of whose servers is killed",
    points=3,
    after=("repeatable",),
)
def real(mine: Mine, trial: Trial) -> None:
    options = {"placement": mine.choose, "clients": 1, "servers": 4, "repair": False}
    with blamed("cluster", "in the real cluster"), trial.local(**options) as cluster:
        first = back_up(cluster, trial, 8)
        cluster.restart("manager")
        files = first | back_up(cluster, trial, 8)
        _bounded(cluster, max(map(len, (*first.values(), *files.values()))), copies=2)
        for server in cluster.servers[1:]:
            cluster.restart(server)
        cluster.kill("server1")
        files |= back_up(cluster, trial, 4)
        restore_all(cluster, trial, files, "cluster")
