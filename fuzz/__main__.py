"""`python -m fuzz`: look for bytes that show a fault, with atheris; exit status 1 if there are any. About a minute by default.

What was found on the way is kept in `out/fuzz/`, so that a later run goes on from there.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import pathlib
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field

import psutil

from . import TARGETS

__all__ = ["main"]

HERE = pathlib.Path(__file__).parent
GROWTH_MIB = 64  # more than this after a run's beginning is a leak; its own corpus and Python's caches are less
BEGINNING = 10  # measurements of memory while a run still imports and reads its seeds
HANG_S = 5


@dataclass
class Run:
    """One target's run, as its process was seen from outside."""

    target: str
    inputs: int = 0
    coverage: int = 0
    seconds: float = 0.0
    status: int = 0
    memory: list[float] = field(default_factory=list)  # MiB, twice a second
    own_peak_mib: float = 0.0  # as the process tells at its end: a short one is over between two looks at it

    @property
    def peak_mib(self) -> float:
        return max([*self.memory, self.own_peak_mib])

    @property
    def growth_mib(self) -> float:
        """How much memory grew after the beginning, and an eighth, of the run."""
        rest = self.memory[max(BEGINNING, len(self.memory) // 8) :]
        return max(rest) - rest[0] if rest else 0.0

    @property
    def good(self) -> bool:
        return self.status == 0 and self.growth_mib <= GROWTH_MIB

    def __str__(self) -> str:
        return (
            f"{self.target:9} {self.inputs:>10,} inputs {self.seconds:>6,.0f} s {self.coverage:>4,} branches "
            f"{self.peak_mib:>4,.0f} MiB, +{self.growth_mib:,.1f} MiB  {'good' if self.good else 'BAD'}"
        )


def fuzz(target: str, runs: int) -> Run:
    """Give one target so many inputs; stops at the first fault, whose bytes then lie in `out/fuzz/`."""
    found = pathlib.Path("out", "fuzz", target)
    found.mkdir(parents=True, exist_ok=True)
    options = [
        f"-runs={runs}",
        f"-max_len={TARGETS[target]}",
        f"-timeout={HANG_S}",
        "-rss_limit_mb=512",
        f"-dict={HERE / 'words.txt'}",
        f"-artifact_prefix={found.parent / target}-",
        "-print_final_stats=1",
    ]
    log = found.parent / f"{target}.log"
    run, began = Run(target), time.monotonic()
    with log.open("wb") as output:
        command = [sys.executable, "-m", "fuzz.guided", target, *options, str(found), str(HERE / "seeds" / target)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                with contextlib.suppress(psutil.Error):  # it has just ended
                    run.memory.append(psutil.Process(process.pid).memory_info().rss / 2**20 or run.peak_mib)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.5)
        finally:
            process.kill()
            process.wait()
    run.seconds, run.status = time.monotonic() - began, process.returncode
    text = log.read_text(errors="replace")
    counted = re.findall(r"number_of_executed_units: (\d+)", text) or re.findall(r"^#(\d+)", text, re.M) or ["0"]
    run.inputs = int(counted[-1])
    peaks = re.findall(r"peak_rss_mb: +(\d+)", text)
    run.own_peak_mib = float(peaks[-1]) if peaks else 0.0
    run.coverage = int((re.findall(r" cov: (\d+)", text) or ["0"])[-1])
    if run.status:
        print(text[-3000:], f"\nall of it: {log}", sep="", file=sys.stderr)
    return run


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    options.add_argument("--runs", type=int, default=100_000, metavar="N", help="inputs a target (default: 100,000)")
    options.add_argument(
        "--target", choices=TARGETS, action="append", help="only this one (may be given more than once)"
    )
    given = options.parse_args()
    if importlib.util.find_spec("atheris") is None:
        options.error("atheris is missing: pip install -e .[fuzz] (there is one for Linux, Python 3.11 to 3.13)")
    runs = []
    for target in given.target or TARGETS:
        runs.append(fuzz(target, given.runs))
        print(runs[-1], flush=True)
    return 0 if all(run.good for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
