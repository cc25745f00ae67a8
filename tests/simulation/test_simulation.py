"""Random workloads with random faults, many seeds: nothing that was acknowledged is lost, deleted files stay deleted, and every
invariant of the judge is valid. A failure names its seed and the command that runs it again.

The seeds run on all cores. RPCLAB_SIMULATION_SEEDS=1000 runs more, and so does `make simulate SEEDS=10000`.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from .many import Outcome, outcomes, processes

ROOT = pathlib.Path(__file__).parents[2]
SEEDS = int(os.environ.get("RPCLAB_SIMULATION_SEEDS", "200"))


@pytest.fixture(scope="module")
def began() -> float:
    return time.perf_counter()


@pytest.fixture(scope="module")
def running(began: float) -> Iterator[dict[int, Future[Outcome]]]:
    with processes() as pool:
        yield outcomes(pool, range(1, SEEDS + 1))
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_no_promise_is_broken_whatever_fails(seed: int, running: dict[int, Future[Outcome]]) -> None:
    found = running[seed].result()
    if found.wrong:
        pytest.fail(found.story, pytrace=False)
    assert found.operations > 50 and found.faults >= 3, found.summary


def test_how_much_that_was(
    running: dict[int, Future[Outcome]], began: float, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [each.result() for each in running.values()]
    seconds = time.perf_counter() - began
    with capsys.disabled():
        print(
            f"\nsimulation: {len(found)} seeds, {sum(each.operations for each in found):,} operations, "
            f"{sum(each.faults for each in found):,} faults, {sum(each.virtual_s for each in found):,.0f} s of virtual time in "
            f"{seconds:.0f} s"
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
