"""`python -m tests.simulation 17` runs one seed and tells what happened; `--seeds 1000` runs many, on all cores."""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import sys
import time

from rpclab.trials.trial import SimulatedTrial, replay

from .mutants import MUTANTS, caught_after


def outcome(seed: int) -> tuple[int, str, str]:
    """A seed, its summary, and what is wrong with it."""
    trial = SimulatedTrial(seed)
    try:
        problems = trial.run()
    except Exception as error:  # a fault of a task, or of the simulation: it has its seed
        return seed, trial.summary, f"{type(error).__name__}: {error}"
    return seed, trial.summary, "; ".join(problems[:3])


def many(first: int, count: int) -> int:
    began, failed = time.perf_counter(), 0
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        for seed, _, wrong in pool.map(outcome, range(first, first + count), chunksize=4):
            if wrong:
                failed += 1
                print(f"seed {seed}: {wrong}\n    run it again: {replay(seed)}", flush=True)
    print(f"{count:,} seeds in {time.perf_counter() - began:.0f} s, {failed:,} with something wrong")
    return 1 if failed else 0


def one(seed: int) -> int:
    trial = SimulatedTrial(seed)
    try:
        problems = trial.run()
    finally:
        print("\n".join(trial.notes))
    print(trial.summary)
    if problems:
        print(trial.story(problems))
    return 1 if problems else 0


def mutants(limit: int) -> int:
    missed = 0
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        for name, (seeds, said) in zip(MUTANTS, pool.map(caught_after, MUTANTS, [limit] * len(MUTANTS)), strict=True):
            missed += not seeds
            print(f"| {name} | {seeds or f'not in {limit}'} | {said[:150]} |", flush=True)
    return 1 if missed else 0


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.simulation")
    options.add_argument("seed", type=int, nargs="?", default=1, help="the seed, or the first of many")
    options.add_argument("--seeds", type=int, help="how many seeds to run")
    options.add_argument(
        "--mutants", action="store_true", help="plant bugs, and tell after how many seeds each is found"
    )
    chosen = options.parse_args()
    if chosen.mutants:
        return mutants(chosen.seeds or 500)
    return one(chosen.seed) if chosen.seeds is None else many(chosen.seed, chosen.seeds)


if __name__ == "__main__":
    sys.exit(main())
