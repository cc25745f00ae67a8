"""`rpclab diagram`: the space-time diagram of a run, as a file or in words."""

from __future__ import annotations

import click

from ..errors import UsageError
from ..study.spacetime import LIMIT, spacetime
from ..text import counted
from .output import Exit, Output, json_option, printable
from .reach import Reach, cluster_options
from .runs import history_of

__all__ = ["diagram"]


@click.command()
@click.argument("run", required=False, metavar="[RUN]")
@click.option("--to", metavar="FILE", help="write it to this .svg, .png or .pdf file; without it, it is told in words")
@click.option("--node", "nodes", multiple=True, metavar="NAME", help="only this node; several: only among these")
@click.option("--method", "methods", multiple=True, metavar="NAME", help="only calls of this method; may be repeated")
@click.option("--file", metavar="NAME", help="only what is about this file, as client/name")
@click.option("--from", "from_s", type=float, metavar="SECONDS", help="only from this second of the run")
@click.option("--until", "to_s", type=float, metavar="SECONDS", help="only up to this second of the run")
@click.option("--last", type=click.IntRange(1), metavar="N", help="only the last N events")
@click.option(
    "--axis", type=click.Choice(["time", "step"]), default="time", show_default=True, help="step: Lamport time"
)
@click.option("--expand", is_flag=True, help="a file's packets as arrows, not as one band")
@click.option("--heartbeats", is_flag=True, help="show the servers' heartbeats too")
@click.option("--limit", type=click.IntRange(1), default=LIMIT, show_default=True, help="the most that is drawn")
@click.option("--white", is_flag=True, help="on a white page, not a transparent one")
@cluster_options
@json_option
def diagram(
    out: Output,
    reach: Reach,
    run: str | None,
    to: str | None,
    nodes: tuple[str, ...],
    methods: tuple[str, ...],
    file: str | None,
    from_s: float | None,
    to_s: float | None,
    last: int | None,
    axis: str,
    expand: bool,
    heartbeats: bool,
    limit: int,
    white: bool,
) -> int:
    """Draw who said what to whom in a run.

    A line a node, an arrow a message, faults as intervals. RUN is a cluster's run folder or any folder with event logs; without
    it, the run of the cluster named by --data and --name. Needs rpclab[plots].
    """
    try:
        from ..plots.diagram import Diagram  # heavy
    except ImportError as error:
        raise UsageError(str(error)) from None
    history = history_of(reach, run)
    scene = spacetime(
        history,
        nodes=nodes or None,
        methods=methods or None,
        file=file,
        from_s=from_s,
        to_s=to_s,
        last=last,
        expand=expand,
        heartbeats=heartbeats,
        limit=limit,
    )
    drawn = Diagram(scene, axis, "")
    path = None if to is None else drawn.save(to, background="white" if white else "none")
    out.document(
        Exit.ALL_HELD,
        file=None if path is None else str(path),
        messages=len(scene.messages),
        transfers=len(scene.transfers),
        left_out=scene.left_out,
        lines=drawn.picture.lines if path is None else None,
    )
    if path is None:
        out.line(_printable_lines(str(drawn)))
        return Exit.ALL_HELD
    out.line(f"{path}: {counted(len(scene.messages), 'message')} among {counted(len(scene.nodes), 'node')}")
    for text in scene.left_out:
        out.paragraph(text)
    return Exit.ALL_HELD


def _printable_lines(text: str) -> str:
    """Lines as they can be shown: names in them may hold anything."""
    return "\n".join(printable(line) for line in text.split("\n"))
