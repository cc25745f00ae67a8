"""`rpclab check labN FILE`: what the checks of a lab say of a student's module or notebook."""

from __future__ import annotations

import pathlib
import sys

import click

from ..errors import UsageError
from ..labs.checking import check_submission
from ..labs.lab import lab_named
from ..labs.submission import Submission
from ..labs.verdict import FAIL, PASS, Verdict
from .output import Exit, Output

__all__ = ["check_lab"]


def check_lab(
    out: Output,
    lab: str,
    file: str,
    *,
    only: str | None,
    seed: int | None,
    hint: int,
    secret: str | None,
    to: str | None,
) -> int:
    """Run a lab's checks on a file and tell what came of it. Exit status: 0 all passed, 1 one failed, 5 one is unknown."""
    chosen, submission = lab_named(lab), Submission.from_file(file)
    count = len(chosen.checks) if only is None else 1
    done: list[Verdict] = []

    def told(verdict: Verdict) -> None:
        done.append(verdict)
        if not out.as_json and sys.stderr.isatty():
            click.echo(f"\rchecked {len(done)} of {count}", nl=len(done) == count, err=True)

    verdicts = check_submission(chosen, submission, secret=secret, only=only, seed=seed, told=told)
    found = {verdict.verdict for verdict in verdicts.verdicts}
    status = Exit.ALL_HELD if found == {PASS} else Exit.FAILED if FAIL in found else Exit.UNKNOWN
    out.document(status, **verdicts.as_json())
    out.line(verdicts.text(hint))
    if to is not None:
        _save_picture(out, verdicts.first, to)
    return status


def _save_picture(out: Output, verdict: Verdict | None, to: str) -> None:
    if verdict is None or not verdict.picture:
        out.line("There is no picture: no cluster ran in a check that failed.")
        return
    path = pathlib.Path(to)
    if path.suffix != ".svg":
        raise UsageError(f"{to}: the picture is an SVG, give it a name that ends with .svg")
    path.write_text(verdict.picture, encoding="utf-8")
    out.line(f"The run, where it broke: {to}")
