"""The benchmarks' command: runs all parts or one, prints a table, writes JSON, exits 1 if something wanted fails."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, figure, missing, print_table, write_json
from benchmarks.harness import Settings

__all__ = ["main"]

PARTS = ("echo", "transfer", "small_files", "startup", "placement", "simulated", "simulated_scale")
CHOICE_US = 50.0  # microseconds that a choice may take, however many servers there are
RESULTS = Path(__file__).resolve().parent / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 0 if all that is wanted holds."""
    options = _parser().parse_args(arguments)
    settings = Settings(quick=options.quick, memory_disk=options.memory_disk, disk=options.disk)
    for folder in (RESULTS, settings.memory_disk, settings.disk):
        folder.mkdir(parents=True, exist_ok=True)
    start = time.time()
    figures = [one for part in _parts(options.only) for one in _measure(part, settings)]
    settings.notes.append(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{platform.system()}, {time.time() - start:.0f} s in all{_load()}"
    )
    print_table(figures, settings.notes)
    path = options.json or RESULTS / time.strftime("%Y-%m-%d-%H%M%S.json", time.gmtime(start))
    write_json(path, figures, settings.notes, {"quick": options.quick, "started": start})
    return 1 if any(one.held is False for one in figures) else 0


def _parser() -> argparse.ArgumentParser:
    shared_memory = Path("/dev/shm")  # Linux's memory disk; elsewhere the temp folder stands in
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=[part.replace("_", "-") for part in PARTS], help="run this part alone")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller files: under two minutes")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures here (default: benchmarks/results/)"
    )
    parser.add_argument(
        "--memory-disk",
        type=Path,
        metavar="FOLDER",
        help="a folder in memory, for the large file",
        default=shared_memory if shared_memory.is_dir() else Path(tempfile.gettempdir()),
    )
    parser.add_argument(
        "--disk",
        type=Path,
        metavar="FOLDER",
        default=RESULTS,
        help="a folder on a real disk, for the small files (default: benchmarks/results/)",
    )
    return parser


def _parts(only: str | None) -> list[str]:
    if only:
        return [only.replace("-", "_")]
    return [part for part in PARTS if importlib.util.find_spec(f"benchmarks.{part}")]


def _measure(part: str, settings: Settings) -> list[Figure]:
    print(f"measuring {part.replace('_', ' ')} ...", file=sys.stderr, flush=True)
    try:
        module: Any = importlib.import_module(f"benchmarks.{part}")
        return _placement(module.measure()) if part == "placement" else list(module.measure(settings))
    except Exception as error:  # a part that fails must not lose what the others have measured
        traceback.print_exc()
        return [missing(part, f"{type(error).__name__}: {error}", at_least=0.0)]


def _placement(microseconds: dict[str, dict[int, float]]) -> list[Figure]:
    """A row a policy: what a choice among the most servers takes, beside what it may take."""
    most = max(size for sizes in microseconds.values() for size in sizes)
    return [
        figure(f"pick, {policy}", "µs", [sizes[most]], [CHOICE_US], at_most=1.0)
        for policy, sizes in microseconds.items()
    ]


def _load() -> str:
    """How busy the machine was: ratios of two runs compare better when this was low."""
    return f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


if __name__ == "__main__":
    sys.exit(main())
