"""The labs as a course of nbgrader: a notebook a lab, a graded cell a check, its hidden part with the teacher's secret.

nbgrader runs its tests in the kernel that runs the student's cells, so a student who wants to can change them there. The checks
themselves run in a process of their own all the same. Against cheating there is `rpclab grade`, which takes the code alone.
"""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

from ..errors import FolderNotUsable, UsageError
from ..labs.checking import check
from ..labs.lab import Check, Lab, lab_named, lab_names
from .sources import starter

__all__ = ["SECRET_VARIABLE", "export_nbgrader", "passes"]

SECRET_VARIABLE = "RPCLAB_GRADE_SECRET"
_CELL_S = 300  # a check has 20 s, on a busy machine five times that, and runs twice
_CONFIG = f"""# For nbgrader, whose commands are called in this folder: nbgrader generate_assignment lab1
#
# The hidden tests take their seeds from ${SECRET_VARIABLE}; autograding without it fails them, with that reason.
c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "rpclab"
c.ClearSolutions.code_stub = {{"python": "# your code here"}}
c.ExecutePreprocessor.timeout = {_CELL_S}
"""


def export_nbgrader(target: str | pathlib.Path) -> list[pathlib.Path]:
    """Write nbgrader's course folder `target`, which must be empty or not be there yet; returns what was written. Errors:
    UsageError, FolderNotUsable."""
    target = pathlib.Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is there and is not empty; nothing was written: give a folder that is empty")
    files = {"nbgrader_config.py": _CONFIG}
    for name in lab_names():
        files[f"source/{name}/{name}.ipynb"] = json.dumps(_notebook(lab_named(name)), indent=1) + "\n"
    try:
        for file, text in files.items():
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            (target / file).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise FolderNotUsable(f"{error.filename or target} cannot be written: {error.strerror}") from None
    return [target / file for file in files]


def passes(lab: str, only: str, *parts: Any, hidden: bool = False) -> None:
    """What a graded cell calls: raises AssertionError with the verdict and its first hint, unless the check passes."""
    secret = os.environ.get(SECRET_VARIABLE) if hidden else None
    if hidden and not secret:
        raise AssertionError(
            f"the hidden tests have no secret: set {SECRET_VARIABLE} where nbgrader autograde is called"
        )
    verdicts = check(lab, *parts, secret=secret, only=only)
    if not verdicts.passed:
        raise AssertionError(f"{'hidden' if hidden else 'public'} check\n{verdicts.text()}")


def _notebook(lab: Lab) -> dict[str, Any]:
    needs = "\n".join(f"- `{name}`: {what}" for name, what in lab.needs.items())
    about = (
        f"# {lab.title}\n\nThe lab's own notebook says what this is about. Here you hand your part in: about {lab.lines} lines, "
        f"in the next cell.\n\n{needs}\n\nEach cell below it runs one check; they give {lab.points} points in all. The teacher's "
        "checks are the same, with other seeds, sizes and faults."
    )
    work = f"{starter(lab.name).rstrip()}\n\n\n### BEGIN SOLUTION\n### END SOLUTION\n"
    cells = [_markdown(f"{lab.name}-about", about), _code(f"{lab.name}-work", work, grade=False, solution=True)]
    for each in lab.checks:
        cells.append(_code(f"{lab.name}-{each.name}", _test(lab, each), points=each.points))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _test(lab: Lab, each: Check) -> str:
    call = f'passes("{lab.name}", "{each.name}", {", ".join(lab.needs)}'
    return (
        f"# {each.expected}\nfrom rpclab.course.nbgrader import passes\n\n{call})\n"
        f"### BEGIN HIDDEN TESTS\n{call}, hidden=True)\n### END HIDDEN TESTS\n"
    )


def _markdown(name: str, text: str) -> dict[str, Any]:
    told = _told(name, grade=False, solution=False, locked=True, kind="markdown")
    return {"cell_type": "markdown", "id": name, "metadata": told, "source": text.splitlines(keepends=True)}


def _code(name: str, text: str, *, grade: bool = True, solution: bool = False, points: int = 0) -> dict[str, Any]:
    told = _told(name, grade=grade, solution=solution, locked=not solution, kind="code")
    if grade:
        told["nbgrader"]["points"] = points
    source = text.rstrip("\n").splitlines(keepends=True)
    return {"cell_type": "code", "id": name, "metadata": told, "execution_count": None, "outputs": [], "source": source}


def _told(name: str, *, grade: bool, solution: bool, locked: bool, kind: str) -> dict[str, Any]:
    """What nbgrader keeps of a cell, by its schema 3."""
    told = {"grade": grade, "solution": solution, "locked": locked, "task": False, "grade_id": name, "cell_type": kind}
    return {"nbgrader": {**told, "schema_version": 3}}
