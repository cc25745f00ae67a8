"""Trial by fire: whatever is killed, paused, cut off, filled up or damaged, nothing that was acknowledged is lost.

A minute of it by default; half an hour with RPCLAB_SOAK=1 (`make soak`). RPCLAB_TRIAL_SEED=N repeats a plan, RPCLAB_TRIAL_S sets
the seconds.
"""

from __future__ import annotations

import os
import pathlib
import random
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from .trial import Trial

SOAK_S, SHORT_S = 1800.0, 60.0
DISK_BYTES = 16 << 20


@pytest.fixture
def tiny_disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path | None]:
    """A disk of 16 MiB, None where root cannot mount one: then no disk is filled, all else is done."""
    folder = tmp_path / "tiny-disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    root = shutil.which("mount") is not None and hasattr(os, "geteuid") and os.geteuid() == 0
    if not root or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        yield None
        return
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_nothing_that_was_acknowledged_is_lost_whatever_is_killed(
    tmp_path: pathlib.Path, tiny_disk: pathlib.Path | None, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("RPCLAB_TRIAL_SEED") or random.SystemRandom().randrange(1 << 32))
    seconds = float(os.environ.get("RPCLAB_TRIAL_S") or (SOAK_S if os.environ.get("RPCLAB_SOAK") else SHORT_S))
    trial = Trial(tmp_path, seed, seconds, tiny_disk)
    with capsys.disabled():
        print(f"\ntrial by fire, {seconds:g} s; to repeat its plan: RPCLAB_TRIAL_SEED={seed}", flush=True)
    problems = trial.run()
    with capsys.disabled():
        print(trial.summary, flush=True)
    assert not problems, trial.report(problems)
