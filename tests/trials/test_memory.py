"""Thousands of trials run in one process: one that is over leaves nothing behind."""

from __future__ import annotations

import gc
import weakref

from rpclab import SimCluster
from rpclab.trials.trial import SimulatedTrial
from rpclab.world.simulated import Simulation


def test_a_trial_that_is_over_leaves_nothing_behind() -> None:
    def use(seed: int) -> tuple[weakref.ref[SimCluster], weakref.ref[Simulation]]:
        trial = SimulatedTrial(seed, 3.0)
        trial.run()
        return weakref.ref(trial.cluster), weakref.ref(trial.cluster.simulation)

    for seed in range(4):
        cluster, simulation = use(seed)
        gc.collect()
        assert cluster() is None and simulation() is None
