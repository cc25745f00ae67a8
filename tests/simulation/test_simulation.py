"""Random workloads with random faults, many seeds: nothing that was acknowledged is lost, deleted files stay deleted, and every
invariant of the judge is valid. A failure names its seed and the command that runs it again.

RPCLAB_SIMULATION_SEEDS=1000 runs more; `make simulate SEEDS=10000` on all cores.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time

import pytest

from rpclab.trials.trial import SimulatedTrial, replay

ROOT = pathlib.Path(__file__).parents[2]
SEEDS = int(os.environ.get("RPCLAB_SIMULATION_SEEDS", "30"))


@pytest.fixture(scope="module")
def totals() -> dict[str, float]:
    return {"seeds": 0, "operations": 0, "virtual": 0.0, "began": time.perf_counter()}


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_no_promise_is_broken_whatever_fails(seed: int, totals: dict[str, float]) -> None:
    trial = SimulatedTrial(seed)
    try:
        problems = trial.run()
    except Exception as error:
        error.add_note(f"run it again: {replay(seed)}")
        raise
    if problems:
        pytest.fail(trial.story(problems), pytrace=False)
    assert trial.operations > 50 and sum(trial.nemesis.counts.values()) >= 3, trial.summary
    totals["seeds"] += 1
    totals["operations"] += trial.operations
    totals["virtual"] += trial.cluster.now


def test_how_much_that_was(totals: dict[str, float], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(
            f"\nsimulation: {totals['seeds']} seeds, {totals['operations']:,} operations, {totals['virtual']:,.0f} s of virtual "
            f"time in {time.perf_counter() - totals['began']:.0f} s"
        )


def test_a_seed_is_replayed_to_the_byte_whatever_the_hashes() -> None:
    program = (
        "from rpclab.trials.trial import SimulatedTrial; from blake3 import blake3\n"
        "for seed in (110, 185):\n"
        "    trial = SimulatedTrial(seed); trial.run(); cluster = trial.cluster\n"
        "    print(blake3(b''.join(map(cluster.event_log, ['cluster', *cluster.nodes]))).hexdigest())"
    )
    found = []
    for hash_seed in ("0", "1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
        found.append(done.stdout)
    assert found[0] == found[1] == found[2]
