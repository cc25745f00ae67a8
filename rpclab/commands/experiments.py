"""`rpclab experiments`: the published results, simulated anew beside their formulas, as numbers and as pictures."""

from __future__ import annotations

import dataclasses
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
    outcomes = []
    for name in names or EXPERIMENTS:
        outcome = EXPERIMENTS[name](seed=seed)
        outcomes.append(outcome)
        out.line(f"{outcome}\n")
        if to is not None:
            pathlib.Path(to).mkdir(parents=True, exist_ok=True)
            out.line(f"  {save_experiment(outcome, pathlib.Path(to, f'{outcome.name}.png'))}\n")
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
