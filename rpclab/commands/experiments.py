"""`rpclab experiments`: the published results, simulated anew beside their formulas, as numbers and as pictures."""

from __future__ import annotations

import dataclasses
import os
import pathlib

import click

from ..errors import UsageError
from .output import Exit, Output, json_option

__all__ = ["experiments"]


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--seed", default=1, show_default=True, help="the same seed gives the same numbers")
@click.option("--to", metavar="DIR", help="write a picture of each here")
@json_option
def experiments(out: Output, names: tuple[str, ...], seed: int, to: str | None) -> int:
    """Simulate published results anew, beside their formulas.

    Without a NAME all of them run, in less than a minute. Needs rpclab[study]; pictures need rpclab[plots]. Exit status: 0 if
    every number is as near as it has to be, else 1.
    """
    try:
        from ..study.experiments import EXPERIMENTS

        if to is not None:
            from ..plots import save_experiment
    except ImportError as error:
        raise UsageError(str(error)) from None
    unknown = [name for name in names if name not in EXPERIMENTS]
    if unknown:
        raise UsageError(f"there is no experiment {unknown[0]!r}; there are: {', '.join(EXPERIMENTS)}")
    folder = None if to is None else _folder(to)
    outcomes = []
    for name in names or EXPERIMENTS:
        outcome = EXPERIMENTS[name](seed=seed)
        outcomes.append(outcome)
        out.line(f"{outcome}\n")
        if folder is not None:
            out.line(f"  {save_experiment(outcome, folder / f'{outcome.name}.png')}\n")
    status = Exit.ALL_HELD if all(outcome.holds for outcome in outcomes) else Exit.FAILED
    out.document(
        status,
        experiments=[
            {
                "name": outcome.name,
                "holds": outcome.holds,
                "rows": [{**dataclasses.asdict(row), "holds": row.holds} for row in outcome.rows],
            }
            for outcome in outcomes
        ],
    )
    return status


def _folder(to: str) -> pathlib.Path:
    """Where the pictures go, made before anything is computed. Errors: UsageError."""
    folder = pathlib.Path(to)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"no pictures can be written to {to}: {error.strerror}; name another folder with --to"
        ) from None
    if not os.access(folder, os.W_OK):
        raise UsageError(f"no pictures can be written to {to}: it is not yours to write to; name another with --to")
    return folder
