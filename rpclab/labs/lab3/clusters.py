"""Lab 3's checks of a cluster, simulated or real, that works with the student's part."""

from __future__ import annotations

import threading

from ...errors import error_text
from ..lab import Broken, Mine
from ..scenes import back_up_and_restore, blamed, restart_everything, works_through_restarts
from ..trial import Trial
from .about import LAB

__all__ = ["real", "simulated"]


@LAB.check("in a simulated cluster clients work over it, through restarts", points=2, after=("any-order", "the-end"))
def simulated(mine: Mine, trial: Trial) -> None:
    with blamed("cluster", "in the simulated cluster"), trial.simulated(connection=mine.SharedConnection) as cluster:
        works_through_restarts(cluster, trial)


@LAB.check(
    "in a real cluster eight threads share it, and each gets its own answers", points=3, after=("any-order", "the-end")
)
def real(mine: Mine, trial: Trial) -> None:
    with blamed("cluster", "in the real cluster"), trial.local(connection=mine.SharedConnection, clients=1) as cluster:
        back_up_and_restore(cluster, trial, "cluster")
        restart_everything(cluster)
        client = cluster.connect("ada")
        wrong: list[str] = []

        def call(task: int) -> None:
            for number in range(20):
                word = f"{task}-{number}"
                try:
                    found = client.manager.string(word)
                except Exception as error:
                    wrong.append(f"string({word!r}) raised {type(error).__name__}: {error_text(error)}")
                    return
                if found != word:
                    wrong.append(f"string({word!r}) gave back {found!r}")

        threads = [threading.Thread(target=call, args=(task,), name=f"task{task}") for task in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if wrong:
            raise Broken("cluster", f"of 160 calls {len(wrong)} went wrong, first: {wrong[0]}")
