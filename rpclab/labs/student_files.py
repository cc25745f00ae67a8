"""What the grader writes of one student: a page and a JSON file to hand out, and the teacher's copy.

students/ada.html, ada.json    for the student: hidden checks without their seeds, the file by its name alone
verdicts/ada.json              the teacher's: seeds, where the file lay, and by what grading goes on where it was
"""

from __future__ import annotations

import html
import json
import pathlib
from typing import Any

import msgspec

from .class_page import PAGE_STYLE
from .verdict import UNKNOWN, Verdicts

__all__ = ["keep", "kept"]


def keep(out: pathlib.Path, student: str, verdicts: Verdicts, key: str) -> None:
    """Write them all, the teacher's copy last: where that is, all are whole. `key` names what was checked, and how."""
    for each in verdicts.verdicts:
        each.seconds = 0.0  # the only thing that differs when the same is graded again
    page, theirs, ours = _files(out, student)
    handed_out = msgspec.structs.replace(verdicts, source=pathlib.PurePath(verdicts.source).name)
    _write(page, _page(student, handed_out))
    for each in verdicts.verdicts:
        each.picture = ""  # it is in the page; of real processes no two are the same
    told = handed_out.as_json()
    if verdicts.hidden:
        told["verdicts"] = [_without_seed(each) for each in told["verdicts"]]
    _write(theirs, json.dumps(told, indent=1))
    _write(ours, json.dumps({"key": key, **verdicts.as_json()}, indent=1))


def kept(out: pathlib.Path, student: str, key: str) -> Verdicts | None:
    """What was found before, if the same was checked in the same way; None if it has to be checked now."""
    page, theirs, ours = _files(out, student)
    try:
        found = json.loads(ours.read_text(encoding="utf-8"))
        if found["key"] != key or any(each["verdict"] == UNKNOWN and each.get("fault") for each in found["verdicts"]):
            return None  # what ran out of time is tried again
        return msgspec.convert(found, Verdicts) if page.is_file() and theirs.is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _files(out: pathlib.Path, student: str) -> tuple[pathlib.Path, pathlib.Path, pathlib.Path]:
    students = out / "students"
    return students / f"{student}.html", students / f"{student}.json", out / "verdicts" / f"{student}.json"


def _page(student: str, verdicts: Verdicts) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(f'{student}: {verdicts.lab}')}</title>"
        f"<style>{PAGE_STYLE}</style>"
        f"<h1>{html.escape(student)}</h1>{verdicts._repr_html_()}</html>"
    )


def _without_seed(verdict: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in verdict.items() if name != "seed"}


def _write(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
