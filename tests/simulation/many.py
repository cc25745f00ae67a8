"""Many seeds, on as many processes as there are cores."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import NamedTuple

from rpclab.trials.trial import SimulatedTrial, replay

__all__ = ["Outcome", "outcome", "outcomes", "processes"]


class Outcome(NamedTuple):
    """What became of one seed. `wrong` is a line, `story` all that a person needs who looks for its cause; "" if all was well."""

    seed: int
    summary: str = ""
    operations: int = 0
    faults: int = 0
    virtual_s: float = 0.0
    wrong: str = ""
    story: str = ""


def outcome(seed: int) -> Outcome:
    trial = SimulatedTrial(seed)
    try:
        problems = trial.run()
    except Exception as error:  # a fault of a task, or of the simulation: it has its seed
        wrong = f"{type(error).__name__}: {error}"
        return Outcome(seed, wrong=wrong, story=f"{wrong}\nrun it again: {replay(seed)}")
    return Outcome(
        seed,
        trial.summary,
        trial.operations,
        sum(trial.nemesis.counts.values()),
        trial.cluster.now,
        "; ".join(problems[:3]),
        trial.story(problems) if problems else "",
    )


def processes() -> ProcessPoolExecutor:
    """Fresh ones, not forks: who forks takes the threads' locks along, whoever holds them."""
    return ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn"))


def outcomes(pool: ProcessPoolExecutor, seeds: Iterable[int]) -> dict[int, Future[Outcome]]:
    """Begin all of them; each has its outcome when it has ended."""
    return {seed: pool.submit(outcome, seed) for seed in seeds}
