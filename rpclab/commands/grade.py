"""`rpclab grade`: a class's submissions of a lab, checked, with tables for the teacher and a page for each student."""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING

import click

from ..text import counted, padded
from .output import Exit, Output, json_option

if TYPE_CHECKING:
    from ..labs.grades import Grades
    from ..labs.verdict import Verdicts

__all__ = ["grade_command"]

SECRET_VARIABLE = "RPCLAB_GRADE_SECRET"


@click.command("grade")
@click.argument("folder")
@click.option(
    "--lab", "labs", required=True, multiple=True, metavar="LAB", help="lab1 to lab8, or all; may be repeated"
)
@click.option("--to", metavar="DIR", help="where the grades go, of several labs a folder each [out/grades/LAB]")
@click.option(
    "--jobs", type=click.IntRange(1), default=os.cpu_count() or 2, show_default=True, help="submissions at once"
)
@click.option("--secret", envvar=SECRET_VARIABLE, help=f"chooses hidden trials [${SECRET_VARIABLE}, else public ones]")
@click.option(
    "--starter",
    type=click.Path(exists=True, dir_okay=False),
    help="what all began with: no likeness is seen in it [the lab's own]",
)
@json_option
def grade_command(
    out: Output, folder: str, labs: tuple[str, ...], to: str | None, jobs: int, secret: str | None, starter: str | None
) -> int:
    """Grade a class: FOLDER has a file or a folder for each student.

    FOLDER/ada/lab2.py, FOLDER/ada/lab2-anything.ipynb or FOLDER/ada.py. Stopped and called again, it goes on where it was. Exit
    status: 0 all were graded, whatever they got; 5 some checks were ended by a limit, and are tried again by the next call.
    """
    from ..labs.lab import lab_named, lab_names  # here: the labs bring the clusters with them

    chosen = list(
        dict.fromkeys(each for lab in labs for each in (lab_names() if lab == "all" else [lab_named(lab).name]))
    )
    documents = []
    for lab in chosen:
        target = pathlib.Path(to or "out/grades") / ("" if to and len(chosen) == 1 else lab)
        grades = _grade(out, folder, lab, target, jobs, secret, starter)
        points = {student: verdicts.points for student, verdicts in sorted(grades.verdicts.items())}
        ended = _ended(grades)
        told = {"lab": lab, "of": grades.lab.points, "points": points, "checks": grades.checks(), "folder": str(target)}
        documents.append({**told, "ended": ended})
        if lab != chosen[0]:
            out.line()
        _tell(out, grades, target, ended, hidden=secret is not None)
    status = Exit.UNKNOWN if any(each["ended"] for each in documents) else Exit.ALL_HELD
    out.document(status, **(documents[0] if len(documents) == 1 else {"labs": documents}))
    return status


def _grade(
    out: Output, folder: str, lab: str, target: pathlib.Path, jobs: int, secret: str | None, starter: str | None
) -> Grades:
    from tqdm import tqdm

    from ..course.sources import starter as given_starter
    from ..labs.grade import grade
    from ..labs.handed_in import handed_in

    given = pathlib.Path(starter).read_text(encoding="utf-8") if starter else given_starter(lab)
    count = len(handed_in(folder, lab))
    with tqdm(total=count, desc=lab, unit="student", disable=out.as_json, leave=False) as bar:

        def told(student: str, verdicts: Verdicts) -> None:
            bar.set_postfix_str(f"{student}: {verdicts.points}/{verdicts.of}"[-30:], refresh=False)
            bar.update()

        return grade(folder, lab, target, jobs=jobs, secret=secret, starter=given, told=told)


def _ended(grades: Grades) -> int:
    """How many checks went over a limit."""
    from ..labs.verdict import UNKNOWN

    return sum(
        each.verdict == UNKNOWN and bool(each.fault) for one in grades.verdicts.values() for each in one.verdicts
    )


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
    out.line(f"in {target}:")
    out.line("students/ is for them; index.html, verdicts/ and the .csv files are for you")
