"""Grades what a class has handed in: in parallel, resumable, and the same again for the same submissions and secret.

out/students/ada.json, ada.html    each check's verdict, for the student to read
out/verdicts/ada.json              the same for the teacher, with the seeds (student_files.py)
out/index.html                     all of it for the teacher, with a plot (checks.png, checks.svg)
out/class.csv                      a row a student
out/checks.json, checks.csv        how often each check failed, and with which fault
out/similar.csv                    submissions that are alike: a place to look

Each of `jobs` threads has a nursery of its own, which stays open from student to student.
"""

from __future__ import annotations

import importlib.resources
import json
import pathlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

from blake3 import blake3

from .. import __version__
from ..errors import RpclabError, UsageError
from .checking import check_submission
from .class_page import write_class_page
from .grades import Grades
from .handed_in import HandedIn, handed_in
from .lab import Lab, lab_named
from .nursery import Nursery
from .similar import alike
from .student_files import keep, kept
from .submission import Submission
from .verdict import FAIL, Verdict, Verdicts

__all__ = ["grade"]

Told = Callable[[str, Verdicts], object]


def grade(
    folder: str | pathlib.Path,
    lab: str,
    out: str | pathlib.Path,
    *,
    jobs: int = 2,
    secret: str | None = None,
    starter: str = "",
    told: Told = lambda student, verdicts: None,
) -> Grades:
    """Check every submission of a lab, `jobs` at a time; what `out` has of the same submission, lab and secret is not done anew.

    `told` is called with each student's verdicts, as they come. Errors: UsageError.
    """
    if jobs < 1:
        raise UsageError(f"jobs={jobs}: it is 1 at least")
    chosen, out = lab_named(lab), pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    entries = handed_in(folder, lab)
    verdicts: dict[str, Verdicts] = {}
    texts: dict[str, str] = {}
    with _Nurseries() as nurseries, ThreadPoolExecutor(jobs, thread_name_prefix="grade") as pool:
        waiting = {pool.submit(_one, chosen, entry, out, secret, nurseries): entry for entry in entries}
        try:
            for done in as_completed(waiting):
                student = waiting[done].student
                verdicts[student], texts[student] = done.result()
                told(student, verdicts[student])
        except BaseException:
            pool.shutdown(cancel_futures=True)  # those that run are finished: what they found is kept
            raise
    grades = Grades(chosen, verdicts, alike(texts, starter), secret=secret)
    grades.save(out)
    write_class_page(grades, out)
    return grades


class _Nurseries:
    """A nursery for each thread: to start one takes as long as a check."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._all: list[Nursery] = []  # appending is safe from any thread

    def mine(self) -> Nursery:
        """This thread's."""
        if not hasattr(self._own, "nursery"):
            self._own.nursery = Nursery()
            self._all.append(self._own.nursery)
        nursery: Nursery = self._own.nursery
        return nursery

    def __enter__(self) -> _Nurseries:
        return self

    def __exit__(self, *exc: object) -> None:
        for nursery in self._all:
            nursery.close()


def _one(
    lab: Lab, entry: HandedIn, out: pathlib.Path, secret: str | None, nurseries: _Nurseries
) -> tuple[Verdicts, str]:
    """A student's verdicts, and the text that was checked."""
    try:
        if entry.path is None:
            raise UsageError(f"{entry.student} has handed in nothing for {lab.name}")
        submission = Submission.from_file(entry.path)
    except RpclabError as error:
        return _nothing(lab, entry, out, str(error), secret), ""
    key = _key(lab, submission, secret)
    verdicts = kept(out, entry.student, key)
    if verdicts is None:
        verdicts = check_submission(lab, submission, secret=secret, nursery=nurseries.mine())
        keep(out, entry.student, verdicts, key)
    return verdicts, submission.data


def _nothing(lab: Lab, entry: HandedIn, out: pathlib.Path, why: str, secret: str | None) -> Verdicts:
    missing = [Verdict(each.name, FAIL, 0, each.points, each.expected, 0, seen=why) for each in lab.checks]
    verdicts = Verdicts(lab.name, lab.title, str(entry.path or ""), secret is not None, missing)
    keep(out, entry.student, verdicts, "")
    return verdicts


def _key(lab: Lab, submission: Submission, secret: str | None) -> str:
    told = [__version__, lab.name, _source(lab), secret, submission.kind, submission.data]
    return blake3(json.dumps(told).encode()).hexdigest()


def _source(lab: Lab) -> str:
    """The lab's own code: when a check is mended, everybody is checked again."""
    files = importlib.resources.files(f"{__package__}.{lab.name}").iterdir()
    return "".join(file.read_text(encoding="utf-8") for file in sorted(files, key=str) if file.name.endswith(".py"))
