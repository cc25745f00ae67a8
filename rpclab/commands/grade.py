"""`rpclab grade`: a class's submissions of a lab, checked, with tables for the teacher and a page for each student."""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING

import click

from ..text import counted, padded
from .output import Exit, Output, json_option

if TYPE_CHECKING:
    from ..labs.grade import Grades
    from ..labs.verdict import Verdicts

__all__ = ["grade_command"]

SECRET_VARIABLE = "RPCLAB_GRADE_SECRET"


@click.command("grade")
@click.argument("folder")
@click.option("--lab", required=True, metavar="LAB", help="lab1 to lab8")
@click.option("--to", metavar="DIR", help="where the grades go [out/grades/LAB]")
@click.option(
    "--jobs", type=click.IntRange(1), default=os.cpu_count() or 2, show_default=True, help="submissions at once"
)
@click.option("--secret", envvar=SECRET_VARIABLE, help=f"chooses hidden trials [${SECRET_VARIABLE}, else public ones]")
@click.option(
    "--starter", type=click.Path(exists=True, dir_okay=False), help="what all began with: no likeness is seen in it"
)
@json_option
def grade_command(
    out: Output, folder: str, lab: str, to: str | None, jobs: int, secret: str | None, starter: str | None
) -> int:
    """Grade a class: FOLDER has a file or a folder for each student.

    FOLDER/ada/lab2.py, FOLDER/ada/lab2-anything.ipynb or FOLDER/ada.py. Stopped and called again, it goes on where it was. Exit
    status: 0 all were graded, whatever they got; 5 some checks were ended by a limit, and are tried again by the next call.
    """
    from tqdm import tqdm

    from ..labs.grade import grade  # here: the labs bring the clusters with them
    from ..labs.handed_in import handed_in
    from ..labs.verdict import UNKNOWN

    target = pathlib.Path(to or f"out/grades/{lab}")
    given = pathlib.Path(starter).read_text(encoding="utf-8") if starter else ""
    count = len(handed_in(folder, lab))
    with tqdm(total=count, unit="student", disable=out.as_json, leave=False) as bar:

        def told(student: str, verdicts: Verdicts) -> None:
            bar.set_postfix_str(f"{student}: {verdicts.points}/{verdicts.of}"[-30:], refresh=False)
            bar.update()

        grades = grade(folder, lab, target, jobs=jobs, secret=secret, starter=given, told=told)
    ended = sum(
        each.verdict == UNKNOWN and bool(each.fault) for one in grades.verdicts.values() for each in one.verdicts
    )
    status = Exit.UNKNOWN if ended else Exit.ALL_HELD
    points = {student: verdicts.points for student, verdicts in sorted(grades.verdicts.items())}
    out.document(status, lab=lab, of=grades.lab.points, points=points, checks=grades.checks(), folder=str(target))
    _tell(out, grades, target, ended, hidden=secret is not None)
    return status


def _tell(out: Output, grades: Grades, target: pathlib.Path, ended: int, *, hidden: bool) -> None:
    from ..labs.verdict import FAIL, PASS, UNKNOWN

    points = sorted(verdicts.points for verdicts in grades.verdicts.values())
    kind = "hidden" if hidden else "public"
    out.line(f"{counted(len(points), 'student')}, {kind} checks of {grades.lab.name}, {grades.lab.points} points:")
    out.line(f"lowest {points[0]}, median {points[len(points) // 2]}, highest {points[-1]}")
    out.line()
    rows = grades.checks()
    width = max(len(row["check"]) for row in rows)
    out.line(f"{padded('check', width)}  pass  fail  unknown  most frequent fault")
    for row in rows:
        fault, times = next(iter(row["faults"].items()), ("", 0))
        most = f"{fault} ({times})" if fault else ""
        out.line(f"{padded(row['check'], width)}  {row[PASS]:4}  {row[FAIL]:4}  {row[UNKNOWN]:7}  {most}".rstrip())
    out.line()
    if grades.similar:
        share, one, other = grades.similar[0]
        count = counted(len(grades.similar), "pair")
        out.line(f"{count} of submissions to look at side by side, first {one} and {other} ({share:.0%} alike)")
    if ended:
        out.line(
            f"{counted(ended, 'check')} went over a limit; call this again to try them again, with fewer --jobs if need be"
        )
    out.line(f"in {target}: class.csv, checks.csv, similar.csv, students/")
