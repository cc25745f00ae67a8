"""`rpclab replay`: a random trial in the simulated world once more, by its seed or its schedule, and made smaller."""

from __future__ import annotations

import pathlib
import sys
import time
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from .output import Exit, Output, json_option

if TYPE_CHECKING:
    from ..trials.schedule import Schedule
    from ..trials.shrink import Outcome

__all__ = ["replay"]

_SHOWN = 5  # of what is wrong; the story's file has all
_COLUMNS = 79
_LAST = 60  # events in a diagram that is about no single file


@click.command()
@click.argument("which", metavar="SEED|FILE")
@click.option("--shrink", is_flag=True, help="look for a smaller schedule that fails too; Ctrl-C ends that")
@click.option("--within", default=120.0, show_default=True, metavar="SECONDS", help="how long to look for it")
@click.option("--to", default="out", show_default=True, metavar="DIR", help="where schedules and stories are written")
@json_option
def replay(out: Output, which: str, shrink: bool, within: float, to: str) -> int:
    """Run a simulated trial again: clients at random work, random faults, and every promise checked.

    SEED is a number: what happens follows from it alone. FILE is a schedule, as --shrink writes it. If a promise was broken, the
    last events before that are shown. Needs rpclab[sim]. Exit status: 0 all held, 1 something is wrong.
    """
    try:
        from ..trials.schedule import Schedule
        from ..trials.shrink import carry_out
    except ImportError as error:
        raise UsageError(f"the simulated world needs more packages, pip install 'rpclab[sim]': {error}") from None
    if not within >= 0:
        raise UsageError(f"--within {within}: it is a number of seconds, 0 or more")
    number = which.removeprefix("-").isdecimal()
    outcome = carry_out(int(which) if number else Schedule.read(which))
    if not outcome.problems:
        out.paragraph(outcome.trial.summary)
        out.line("Every promise was kept.")
        out.document(Exit.ALL_HELD, **_told(outcome))
        return Exit.ALL_HELD
    name = f"seed-{which}" if number else pathlib.Path(which).stem
    smaller = _shrunk(out, outcome, within) if shrink else None
    _show(out, smaller or outcome)
    files = [*_write(outcome, pathlib.Path(to), name if number else f"{name}-again")]
    if smaller is not None:
        small = _write(smaller, pathlib.Path(to), f"{name}-small")
        files += small
        out.line(f"again:   rpclab replay {small[0]}")
    else:
        out.line(f"again:   rpclab replay {which}\nsmaller: rpclab replay {which} --shrink")
    out.paragraph(f"written: {', '.join(map(str, files))}")
    out.document(Exit.FAILED, **_told(smaller or outcome), files=[str(file) for file in files])
    return Exit.FAILED


def _shrunk(out: Output, outcome: Outcome, within_s: float) -> Outcome:
    from ..trials.shrink import shrink

    began, shown = time.monotonic(), sys.stderr.isatty() and not out.as_json

    def tell(tries: int, smallest: Schedule) -> None:
        if shown:
            line = f"{time.monotonic() - began:.0f} of {within_s:.0f} s, try {tries}: {smallest}"
            click.echo(f"\r{line[:_COLUMNS]:<{_COLUMNS}}", err=True, nl=False)

    before = outcome.schedule
    found = shrink(outcome, within_s, tell)
    if shown:
        click.echo(f"\r{'':<{_COLUMNS}}\r", err=True, nl=False)
    after = found.smallest.schedule
    more = "" if found.finished else "; there may be a smaller one: --within gives it more time"
    out.paragraph(f"{before} -> {after} ({found.tries} tries, {time.monotonic() - began:.0f} s{more})")
    return found.smallest


def _show(out: Output, outcome: Outcome) -> None:
    out.paragraph(outcome.trial.summary or f"Seed {outcome.trial.seed} came to no end.")
    out.line("")
    for problem in outcome.problems[:_SHOWN]:
        out.paragraph(f"WRONG: {problem}")
    if len(outcome.problems) > _SHOWN:
        out.line(f"and {len(outcome.problems) - _SHOWN} more like this")
    out.line(f"\n{outcome.trial.picture(outcome.problems)}\n")


def _write(outcome: Outcome, folder: pathlib.Path, name: str) -> list[pathlib.Path]:
    """Its schedule, its story, and a diagram of its last messages, where matplotlib is there."""
    schedule = outcome.schedule.save(folder / f"{name}.json")
    story = folder / f"{name}.txt"
    lines = [outcome.trial.summary, *outcome.problems, outcome.trial.story(outcome.problems), *outcome.trial.notes]
    story.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [schedule, story, *_diagram(outcome, folder / f"{name}.svg")]


def _diagram(outcome: Outcome, path: pathlib.Path) -> list[pathlib.Path]:
    try:
        from ..plots import diagram
    except ImportError:
        return []
    history = outcome.trial.cluster.history
    marked, files = outcome.trial.telling(outcome.problems)
    shown = diagram(history, file=files[0], mark=marked) if files else diagram(history, last=_LAST, mark=marked)
    return [shown.save(path, background="white")]


def _told(outcome: Outcome) -> dict[str, object]:
    faults, operations = outcome.schedule.size
    return {
        "seed": outcome.trial.seed,
        "summary": outcome.trial.summary,
        "faults": faults,
        "operations": operations,
        "problems": outcome.problems,
    }
