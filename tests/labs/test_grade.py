"""A class is graded: in parallel, again from where it was, the same each time, whatever lies in the folder."""

from __future__ import annotations

import csv
import html
import json
import pathlib
import re
import shutil
import urllib.parse
from dataclasses import replace

import pytest

from rpclab.commands.program import run
from rpclab.errors import UsageError
from rpclab.labs import grade as module
from rpclab.labs.grade import grade
from rpclab.labs.handed_in import handed_in
from rpclab.labs.lab import lab_named
from rpclab.labs.similar import alike
from rpclab.text import cells

SOLUTIONS = pathlib.Path(__file__).parent / "solutions" / "lab4"
PURE = ("one-of-them", "fewest", "repeatable")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks of lab 4 that start no cluster."""
    lab = lab_named("lab4")
    monkeypatch.setattr(lab, "checks", [check for check in lab.checks if check.name in PURE])


def school(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "class"
    for student, solution in (("ada", "reference"), ("bob", "wrong_fullest"), ("eve", "wrong_remembers")):
        (folder / student).mkdir(parents=True)
        shutil.copy(SOLUTIONS / f"{solution}.py", folder / student / "lab4.py")
    (folder / "nobody").mkdir()
    (folder / "=cmd()").mkdir()
    (folder / "=cmd()" / "lab4.py").write_text("def choose(:", encoding="utf-8")
    (folder / ".hidden").mkdir()
    return folder


def read(out: pathlib.Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_a_class_has_its_tables_and_each_student_a_page(quick: None, tmp_path: pathlib.Path) -> None:
    grades = grade(school(tmp_path), "lab4", tmp_path / "out", jobs=2)
    assert {name: each.points for name, each in grades.verdicts.items()} == {
        "ada": 6, "bob": 1, "eve": 4, "nobody": 0, "=cmd()": 0
    }  # fmt: skip
    rows = list(csv.reader((tmp_path / "out" / "class.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["student", "points", "of", *PURE, "first fault"]
    assert ["bob", "1", "6", "pass", "fail", "unknown", "fullest"] in rows
    assert rows[1][0] == "'=cmd()", "a name must not be a formula in the teacher's spreadsheet"
    told = json.loads((tmp_path / "out" / "students" / "eve.json").read_text(encoding="utf-8"))
    assert told["points"] == 4 and not told["passed"] and told["hidden"] is False
    page = (tmp_path / "out" / "students" / "nobody.html").read_text(encoding="utf-8")
    assert "handed in nothing" in page
    checks = {row["check"]: row for row in grades.checks()}
    assert checks["fewest"]["faults"] == {"fullest": 1} and checks["one-of-them"]["pass"] == 3


def test_it_goes_on_where_it_was_and_comes_to_the_same(
    quick: None, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = school(tmp_path), tmp_path / "out"
    grade(folder, "lab4", out, secret="s")
    first = read(out)
    (out / "verdicts" / "bob.json").unlink()
    asked: list[str] = []
    real = module.check_submission

    def counted(lab, submission, **options):  # type: ignore[no-untyped-def]
        asked.append(pathlib.Path(submission.source).parent.name)
        return real(lab, submission, **options)

    monkeypatch.setattr(module, "check_submission", counted)
    grade(folder, "lab4", out, secret="s")
    assert asked == ["bob"] and read(out) == first
    grade(folder, "lab4", tmp_path / "other", secret="s", jobs=4)
    assert read(tmp_path / "other") == first
    asked.clear()
    grade(folder, "lab4", out, secret="another")
    assert sorted(asked) == ["=cmd()", "ada", "bob", "eve"]
    seeds = [
        each["seed"] for each in json.loads((out / "verdicts" / "ada.json").read_text(encoding="utf-8"))["verdicts"]
    ]
    before = [each["seed"] for each in json.loads(first["verdicts/ada.json"])["verdicts"]]
    assert not set(seeds) & set(before), "another secret, other trials"


@pytest.mark.parametrize("secret", ["a sentence that only the teacher knows", None])
def test_students_are_not_told_the_seeds_of_hidden_checks_and_the_teacher_is(
    secret: str | None, quick: None, tmp_path: pathlib.Path
) -> None:
    folder, out = school(tmp_path), tmp_path / "out"
    seeds = [str(seed) for seed in grade(folder, "lab4", out, secret=secret).seeds.values()]
    theirs = {path.name: path.read_text(encoding="utf-8") for path in (out / "students").iterdir()}
    told = {name for name, text in theirs.items() if any(seed in text for seed in seeds)}
    assert len(theirs) == 10 and ("bob.html" in told and "bob.json" in told if secret is None else not told), told
    assert not any(str(tmp_path) in text for text in theirs.values()), "nor where their files lie"
    assert "rpclab check lab4 lab4.py --only fewest" in theirs["bob.html"]
    for name in ("index.html", "checks.csv"):
        text = (out / name).read_text(encoding="utf-8")
        assert len(set(seeds)) == 3 and all(seed in text for seed in seeds), name
    ours = json.loads((out / "verdicts" / "bob.json").read_text(encoding="utf-8"))
    assert [str(each["seed"]) for each in ours["verdicts"]] == seeds and ours["source"].endswith("lab4.py")


def test_the_teachers_page_leads_to_each_student_and_shows_how_often_each_check_failed(
    quick: None, tmp_path: pathlib.Path
) -> None:
    folder = school(tmp_path)
    (folder / "a & <b>").mkdir()
    shutil.copy(SOLUTIONS / "wrong_fullest.py", folder / "a & <b>" / "lab4.py")
    grade(folder, "lab4", tmp_path / "out", jobs=2)
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    links = [urllib.parse.unquote(html.unescape(link)) for link in re.findall(r'href="([^"]+)"', page)]
    assert all((tmp_path / "out" / link).is_file() for link in [*links, "checks.svg", "checks.png"])
    assert {f"students/{name}.html" for name in ("ada", "bob", "eve", "nobody", "=cmd()", "a & <b>")} <= set(links)
    assert "a &amp; <b>" not in page and "http" not in page and "<script" not in page
    fullest = next(row for row in page.split("<tr>") if row.startswith("<td>fullest</td>"))
    assert '<td class="n">2</td>' in fullest and ">bob</a>" in fullest and ">eve</a>" not in fullest
    picture = (tmp_path / "out" / "checks.svg").read_text(encoding="utf-8")
    assert "fullest 2" in picture and "one-of-them" in picture, "text stays text"


def test_a_hostile_submission_in_the_middle_stops_nobody_and_gains_nothing(tmp_path: pathlib.Path) -> None:
    """os._exit, a flood of processes, one that ends the process it was forked from: each of them before somebody who is right."""
    folder = tmp_path / "class"
    head = "import os, sys, time\n\ndef choose(servers, request, random):\n    "
    hostile = {
        "b-exits": "os._exit(0)",
        "d-forks": "\n    while True:\n        try:\n            os.fork()\n        except OSError:\n            pass",
        "f-ends-its-parent": "os.kill(os.getppid(), 9)\n    time.sleep(3600)",
    }
    for student, body in hostile.items():
        (folder / student).mkdir(parents=True)
        (folder / student / "lab4.py").write_text(head + body, encoding="utf-8")
    for student in ("a", "c", "e", "g"):
        (folder / student).mkdir()
        shutil.copy(SOLUTIONS / "reference.py", folder / student / "lab4.py")
    lab = lab_named("lab4")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "checks", [replace(check, limit_s=5) for check in lab.checks if check.name in PURE])
        grades = grade(folder, "lab4", tmp_path / "out", jobs=1)
    assert {name: each.points for name, each in grades.verdicts.items()} == {
        **dict.fromkeys(hostile, 0), **dict.fromkeys("aceg", 6)
    }  # fmt: skip


def test_interrupted_it_keeps_what_it_has_and_goes_on(
    quick: None, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = school(tmp_path), tmp_path / "out"
    told: list[str] = []

    def interrupted(student: str, verdicts: object) -> None:
        told.append(student)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grade(folder, "lab4", out, jobs=1, told=interrupted)
    kept = {path.stem for path in (out / "verdicts").glob("*.json")}
    assert set(told) <= kept and not (out / "class.csv").exists()
    asked: list[str] = []
    real = module.check_submission
    monkeypatch.setattr(
        module, "check_submission",
        lambda lab, each, **options: (asked.append(pathlib.Path(each.source).parent.name), real(lab, each, **options))[1],
    )  # fmt: skip
    grades = grade(folder, "lab4", out, jobs=1)
    assert len(grades.verdicts) == 5 and not set(asked) & kept


def test_several_labs_are_graded_by_one_command(
    quick: None, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = school(tmp_path)
    for student in ("ada", "bob"):
        (folder / student / "lab2.py").write_text("nothing = 1", encoding="utf-8")
    arguments = ["grade", str(folder), "--lab", "lab4", "--lab", "lab2", "--to", str(tmp_path / "out"), "--jobs", "2"]
    assert run(arguments) == 0
    said = capsys.readouterr().out
    assert all(cells(line) <= 80 for line in said.splitlines() if str(tmp_path) not in line), said
    for lab in ("lab2", "lab4"):
        assert (tmp_path / "out" / lab / "index.html").is_file() and f"public checks of {lab}" in said


def test_what_lies_in_the_folder_is_found(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ada" / "deep").mkdir(parents=True)
    for name in ("lab4-notes.ipynb", "deep/lab4.py", "other.py", ".ipynb_checkpoints/lab4.py"):
        path = tmp_path / "ada" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x", encoding="utf-8")
    (tmp_path / "bob.py").write_text("x", encoding="utf-8")
    (tmp_path / "eve").mkdir()
    (tmp_path / "eve" / "anything.py").write_text("x", encoding="utf-8")
    (tmp_path / "readme.txt").write_text("x", encoding="utf-8")
    found = {
        each.student: each.path and each.path.relative_to(tmp_path).as_posix() for each in handed_in(tmp_path, "lab4")
    }
    assert found == {"ada": "ada/deep/lab4.py", "bob": "bob.py", "eve": "eve/anything.py"}


def test_a_folder_without_submissions_says_what_is_looked_for(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match=r"lab4\.py"):
        handed_in(tmp_path, "lab4")
    with pytest.raises(UsageError, match="no folder"):
        handed_in(tmp_path / "nowhere", "lab4")


def test_a_copy_with_other_names_is_alike_and_another_idea_is_not() -> None:
    one = (SOLUTIONS / "wrong_quadratic.py").read_text(encoding="utf-8")
    copy = one.replace("beaten", "rang").replace("load", "gewicht").replace("other", "x") + "\n# mine\n"
    texts = {
        "ada": one,
        "bob": copy,
        "eve": (SOLUTIONS / "right_object.py").read_text(encoding="utf-8"),
        "bad": "def (",
    }
    assert [(a, b) for _, a, b in alike(texts, least_runs=10)] == [("ada", "bob")]
    assert alike({"ada": one, "bob": one}, starter=one) == [], "what all began with is no likeness"
