"""`rpclab export`: a run's event log for other programs, and the labs for nbgrader."""

from __future__ import annotations

import click

from ..study.export import FORMATS
from ..study.export import export as write
from ..text import counted
from .output import Exit, Output, json_option
from .reach import Reach, cluster_options
from .runs import history_of

__all__ = ["export"]


@click.command()
@click.argument("run", required=False, metavar="[RUN | nbgrader DIR]")
@click.argument("folder", required=False, metavar="")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="of a run: what reads it")
@click.option("--to", metavar="FILE", help="of a run: write it here")
@click.option("--heartbeats/--no-heartbeats", default=None, help="write the servers' heartbeats too [only csv]")
@cluster_options
@json_option
def export(
    out: Output,
    reach: Reach,
    run: str | None,
    folder: str | None,
    form: str | None,
    to: str | None,
    heartbeats: bool | None,
) -> int:
    """Write a run's events for another program: --format and --to say which, and where. Or the labs for nbgrader.

    shiviz: for ShiViz, a log with vector clocks. chrome: for ui.perfetto.dev or chrome://tracing. csv: for anything else.
    RUN is a cluster's run folder or any folder with event logs; without it, the run of the cluster named by --data and --name.

    `rpclab export nbgrader DIR` writes a course folder for nbgrader: a notebook a lab, a graded cell a check.
    """
    if folder is not None:
        return _for_nbgrader(out, run, folder)
    if form is None or to is None:
        raise click.UsageError("a run is written with --format and --to; the labs with: rpclab export nbgrader DIR")
    history = history_of(reach, run)
    path = write(history, to, form, heartbeats=heartbeats)
    out.document(Exit.ALL_HELD, file=str(path), format=form, events=len(history), bytes=path.stat().st_size)
    out.line(f"{path}: {counted(len(history), 'event')} of {counted(len(history.nodes), 'node')}, for {form}")
    return Exit.ALL_HELD


def _for_nbgrader(out: Output, what: str | None, folder: str) -> int:
    if what != "nbgrader":
        raise click.UsageError(f"{what} {folder}: only nbgrader has a folder; a run is written with --format and --to")
    from ..course.nbgrader import SECRET_VARIABLE, export_nbgrader  # here: the labs bring the clusters with them

    written = export_nbgrader(folder)
    labs = [path.stem for path in written if path.suffix == ".ipynb"]
    out.document(Exit.ALL_HELD, folder=folder, files=[str(path) for path in written], labs=labs)
    out.line(f"{folder}: {counted(len(labs), 'lab')} for nbgrader ({', '.join(labs)})")
    out.line(f"Next: cd {folder} && nbgrader generate_assignment {labs[0]}")
    out.line(f"To autograde, set {SECRET_VARIABLE}: the hidden tests take their seeds from it.")
    return Exit.ALL_HELD
