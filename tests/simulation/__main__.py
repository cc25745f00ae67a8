"""`python -m tests.simulation 17` runs one seed and tells what happened; `--seeds 1000` runs many, on all cores."""

from __future__ import annotations

import argparse
import sys
import time

from tqdm import tqdm

from rpclab.trials.trial import SimulatedTrial, replay

from .many import outcome, processes
from .mutants import MUTANTS, caught_after


def many(first: int, count: int) -> int:
    began, failed, done = time.perf_counter(), 0, 0
    with processes() as pool, tqdm(total=count, unit="seed", disable=None) as bar:
        try:
            for found in pool.map(outcome, range(first, first + count), chunksize=4):
                done += 1
                bar.update()
                if found.wrong:
                    failed += 1
                    bar.write(f"seed {found.seed}: {found.wrong}\n    run it again: {replay(found.seed)}")
                    sys.stdout.flush()
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
    print(f"{done:,} seeds in {time.perf_counter() - began:.0f} s, {failed:,} with something wrong")
    return 1 if failed else 0 if done == count else 130


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
    with processes() as pool:
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
