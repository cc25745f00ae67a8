"""`rpclab export`: a run's event log for other programs."""

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
@click.argument("run", required=False, metavar="[RUN]")
@click.option("--format", "form", required=True, type=click.Choice(list(FORMATS)), help="what reads it")
@click.option("--to", required=True, metavar="FILE", help="write it here")
@click.option("--heartbeats/--no-heartbeats", default=None, help="write the servers' heartbeats too [only csv]")
@cluster_options
@json_option
def export(out: Output, reach: Reach, run: str | None, form: str, to: str, heartbeats: bool | None) -> int:
    """Write a run's events for another program.

    shiviz: for ShiViz, a log with vector clocks. chrome: for ui.perfetto.dev or chrome://tracing. csv: for anything else.
    RUN is a cluster's run folder or any folder with event logs; without it, the run of the cluster named by --data and --name.
    """
    history = history_of(reach, run)
    path = write(history, to, form, heartbeats=heartbeats)
    out.document(Exit.ALL_HELD, file=str(path), format=form, events=len(history), bytes=path.stat().st_size)
    out.line(f"{path}: {counted(len(history), 'event')} of {counted(len(history.nodes), 'node')}, for {form}")
    return Exit.ALL_HELD
