"""Lab 5's checks of a cluster, simulated or real, that works with the student's part."""

from __future__ import annotations

import contextlib
import pathlib
from typing import Any

from ...errors import TooFewCopies
from ..lab import Broken, Mine
from ..reach import modules_of
from ..scenes import back_up, blamed, restart_everything, restore_all
from ..trial import Trial
from .about import LAB

__all__ = ["real", "simulated"]


@LAB.check(
    "in a simulated cluster of full and dying servers no receipt says what is not so", points=3, after=("failures",)
)
def simulated(mine: Mine, trial: Trial) -> None:
    if used := sorted(
        modules_of(mine.replicate) & {"threading", "_thread", "concurrent", "multiprocessing", "asyncio"}
    ):
        raise Broken("own-threads", f"it uses {', '.join(used)}")
    options: dict[str, Any] = {"servers": 5, "replicas": 3, "replicate": mine.replicate, "repair": False, "clients": 1}
    with blamed("cluster", "in the simulated cluster"), trial.simulated(**options) as cluster:
        files = back_up(cluster, trial, 4)
        cluster.fill("server2", 100)
        files |= _whatever(cluster, trial)
        cluster.empty("server2")
        cluster.kill("server3")
        files |= _whatever(cluster, trial)
        restart_everything(cluster)
        files |= back_up(cluster, trial, 4)
        restore_all(cluster, trial, files, "cluster")
    _judged(cluster)


def _whatever(cluster: Any, trial: Trial) -> dict[str, bytes]:
    """Back files up where a server may fail: fewer copies than wanted are right if the receipt says so."""
    files = {f"{trial.random.randrange(1 << 30)}-{name}": data for name, data in trial.files(5).items()}
    client = cluster.clients["client1"]
    for name, contents in files.items():
        if hasattr(client, "put"):
            client.put(name, contents)
        else:
            (pathlib.Path(client.folder) / name).write_bytes(contents)
        with contextlib.suppress(TooFewCopies):
            client.backup(name)
    return files


def _judged(cluster: Any) -> None:
    """What the judge says of the run, by its event logs and its disks."""
    for judgement in cluster.check():
        for finding in judgement.findings:
            if finding.verdict.value == "invalid":
                event = finding.events[-1] if finding.events else None
                raise Broken("cluster", f"{judgement.name}: {finding.sentence}", event=event, history=cluster.history)


@LAB.check("so in a real one, with each node restarted and a server killed", points=3, after=("others",))
def real(mine: Mine, trial: Trial) -> None:
    options: dict[str, Any] = {"servers": 4, "replicas": 3, "replicate": mine.replicate, "repair": False, "clients": 1}
    with blamed("cluster", "in the real cluster"), trial.local(**options) as cluster:
        files = back_up(cluster, trial, 4)
        restart_everything(cluster)
        cluster.kill("server1")
        files |= _whatever(cluster, trial)
        restore_all(cluster, trial, files, "cluster")
    _judged(cluster)
