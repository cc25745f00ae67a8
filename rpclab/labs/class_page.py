"""A class's grades as one page for the teacher: which check failed how often, who got what, which submissions are alike."""

from __future__ import annotations

import html
import pathlib
import urllib.parse
from collections.abc import Iterable, Sequence

from .grades import Grades
from .verdict import FAIL, PASS, UNKNOWN

__all__ = ["PAGE_STYLE", "class_page", "write_class_page"]

PAGE_STYLE = (
    ":root{color-scheme:light dark}body{font-family:sans-serif;max-width:66em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}th,td{padding:.25em .8em .25em 0;text-align:left;vertical-align:top;"
    "border-bottom:1px solid rgba(128,128,128,.35)}td.n,th.n{text-align:right}img{max-width:100%}"
    "div.wide{overflow-x:auto}"
)


def write_class_page(grades: Grades, out: pathlib.Path) -> pathlib.Path:
    """Write `out/index.html`, and the plot beside it where matplotlib is installed."""
    pictures: list[pathlib.Path] = []
    try:
        from ..plots.grades import save_checks  # here: drawing takes a second to load
    except ImportError:
        pass
    else:
        count = len(grades.verdicts)
        title = f"{grades.lab.name}: {count} student{'' if count == 1 else 's'}, check by check"
        pictures = save_checks(grades.checks(), title, out)
    page = out / "index.html"
    page.write_text(class_page(grades, with_picture=bool(pictures)), encoding="utf-8")
    return page


def class_page(grades: Grades, *, with_picture: bool) -> str:
    """The page's HTML. It needs nothing from elsewhere: no script, no style, no network."""
    lab = grades.lab
    hidden = any(verdicts.hidden for verdicts in grades.verdicts.values())
    points = sorted(verdicts.points for verdicts in grades.verdicts.values())
    title = html.escape(f"{lab.name}: {lab.title}")
    alt = "Bars: how many students passed and failed each check; the same numbers are in the table below"
    picture = f'<p><img src="checks.svg" alt="{alt}"></p>' if with_picture else ""
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{title}</title><style>{PAGE_STYLE}</style></head><body>",
            f"<h1>{title}</h1>",
            f"<p>{len(points)} students, {'hidden' if hidden else 'public'} checks, {lab.points} points: lowest {points[0]}, "
            f"median {points[len(points) // 2]}, highest {points[-1]}.</p>",
            picture,
            "<h2>Checks</h2>",
            _checks(grades),
            "<h2>Faults, and the hint that names each</h2>",
            _faults(grades),
            "<h2>Submissions that are alike</h2>",
            _similar(grades),
            "<h2>Students</h2>",
            _students(grades),
            "<p>As tables: "
            + ", ".join(f'<a href="{name}">{name}</a>' for name in ("class.csv", "checks.csv", "similar.csv"))
            + ".</p></body></html>",
        ]
    )


def _checks(grades: Grades) -> str:
    rows = [
        [row["check"], row["expected"], row[PASS], row[FAIL], row[UNKNOWN], _counted(row["faults"]), row["seed"]]
        for row in grades.checks()
    ]  # fmt: skip
    again = f"Once more, as it was here: <code>rpclab check {grades.lab.name} FILE --only CHECK --seed SEED</code>"
    return _table(("check", "what is expected", "pass", "fail", "unknown", "faults", "seed"), rows) + f"<p>{again}</p>"


def _counted(faults: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in faults.items())


def _faults(grades: Grades) -> str:
    """Each fault that was found, the most frequent first, with whom it was found at first: who is to be told what."""
    found: dict[str, list[str]] = {}
    for student, verdicts in sorted(grades.verdicts.items()):
        if verdicts.first is not None and verdicts.first.fault:
            found.setdefault(verdicts.first.fault, []).append(student)
    if not found:
        return "<p>None.</p>"
    rows = [
        [fault, grades.lab.hint(fault).fault, len(students), _Html(", ".join(map(_link, students)))]
        for fault, students in sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    ]
    return _table(("first fault", "what is wrong", "count", "students"), rows)


def _similar(grades: Grades) -> str:
    if not grades.similar:
        return "<p>None.</p>"
    rows = [[f"{share:.0%}", _Html(_link(one)), _Html(_link(other))] for share, one, other in grades.similar]
    told = "<p>Alike in the shape of the code. That is a place to look, not a verdict: short labs have few right shapes.</p>"
    return told + _table(("share", "student", "student"), rows)


def _students(grades: Grades) -> str:
    names = [check.name for check in grades.lab.checks]
    rows: list[list[object]] = []
    for student, verdicts in sorted(grades.verdicts.items()):
        by_name = {each.check: each.verdict for each in verdicts.verdicts}
        rows.append([_Html(_link(student)), verdicts.points, *(by_name.get(name, UNKNOWN) for name in names)])
    return _table(("student", f"of {grades.lab.points}", *names), rows)


class _Html(str):
    """What is HTML already."""


def _link(student: str) -> str:
    return f'<a href="students/{urllib.parse.quote(student, safe="")}.html">{html.escape(student)}</a>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["".join(f'<th scope="col">{html.escape(head)}</th>' for head in heads)]
    lines += ["".join(_cell(cell) for cell in row) for row in rows]
    return '<div class="wide"><table>' + "".join(f"<tr>{line}</tr>" for line in lines) + "</table></div>"


def _cell(cell: object) -> str:
    if isinstance(cell, int):
        return f'<td class="n">{cell}</td>'
    return f"<td>{cell if isinstance(cell, _Html) else html.escape(str(cell))}</td>"
