"""`rpclab course`: a fresh course folder, and whether this machine has what its labs need."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

from ..text import counted
from .output import Exit, Output, json_option

if TYPE_CHECKING:
    from ..course.machine import Finding

__all__ = ["course"]

_NAME = 17  # the longest is "simulated cluster"


@click.group(short_help="Hand a course out; try whether this machine can run it.")
def course() -> None:
    """A course's folder, for its teacher and its students."""


@course.command(short_help="Write a fresh course into DIR.")
@click.argument("folder", metavar="DIR")
@click.option(
    "--package", metavar="WHEEL", help="a wheel of rpclab to hand out too [students install it from an index]"
)
@json_option
def new(out: Output, folder: str, package: str | None) -> int:
    """Write a fresh course into DIR: notebooks, labs, files to back up, environment.yml and a README.md for students.

    DIR must be empty, or not be there yet: nothing is ever overwritten.
    """
    from ..course.new import new_course  # here: the labs bring the clusters with them

    written = new_course(folder, package=package)
    labs = sorted(path.stem for path in written if path.suffix == ".py" and path.parent.name == "labs")
    out.document(Exit.ALL_HELD, folder=folder, files=[str(path) for path in written], labs=labs)
    out.line(f"{folder}: {counted(len(written), 'file')}, {counted(len(labs), 'lab')} ({', '.join(labs)})")
    out.line(f"README.md says how to begin: cd {folder} && rpclab course check")
    return Exit.ALL_HELD


@course.command()
@json_option
def check(out: Output) -> int:
    """Try whether this machine has what the labs need. Call it in the course's folder; it takes about a minute.

    Exit status: 0 all works, 1 something is missing, and it says what to do.
    """
    from ..course.machine import try_machine

    found: list[Finding] = []
    for finding in try_machine():
        found.append(finding)
        _tell(out, finding)
    broken = [finding for finding in found if not finding.works]
    status = Exit.FAILED if broken else Exit.ALL_HELD
    out.document(
        status, tried=[{"name": each.name, "works": each.works, "seen": each.seen, "do": each.do} for each in found]
    )
    out.line()
    out.line(f"{counted(len(broken), 'thing')} to mend." if broken else "This machine has all that the labs need.")
    return status


def _tell(out: Output, finding: Finding) -> None:
    head = f"{'✓' if finding.works else '✗'} {finding.name:{_NAME}}  "
    for text, first in ((finding.seen, head), (finding.do, f"{'do:':>{len(head) - 2}}  ")):
        for part in text.splitlines():
            out.line(textwrap.fill(part, 80, initial_indent=first, subsequent_indent=" " * len(head)))
            first = " " * len(head)
