"""The real nbgrader takes our labs all the way: generated, released, autograded for two students, with feedback."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys

import pytest

from rpclab.course.nbgrader import SECRET_VARIABLE, export_nbgrader, passes
from rpclab.errors import UsageError
from rpclab.labs.lab import lab_named, lab_names

SOLUTIONS = pathlib.Path(__file__).parents[1] / "labs" / "solutions"
LAB = "lab4"


def cells(path: pathlib.Path) -> dict[str, dict]:  # type: ignore[type-arg]
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return {cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in notebook["cells"]}


def test_each_lab_has_a_notebook_with_a_graded_cell_and_points_for_each_check(tmp_path: pathlib.Path) -> None:
    export_nbgrader(tmp_path / "course")
    for name in lab_names():
        found = cells(tmp_path / "course" / "source" / name / f"{name}.ipynb")
        points = {
            check: cell["metadata"]["nbgrader"]["points"]
            for check, cell in found.items()
            if cell["metadata"]["nbgrader"]["grade"]
        }
        assert points == {f"{name}-{check.name}": check.points for check in lab_named(name).checks}
        assert found[f"{name}-work"]["metadata"]["nbgrader"]["locked"] is False
    with pytest.raises(UsageError, match="not empty"):
        export_nbgrader(tmp_path / "course")


def test_a_hidden_test_without_a_secret_says_which_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    with pytest.raises(AssertionError, match=SECRET_VARIABLE):
        passes(LAB, "one-of-them", lambda servers, request, random: servers[0], hidden=True)


def test_a_graded_cell_that_fails_says_what_was_seen_and_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    def choose(servers, request, random):  # type: ignore[no-untyped-def]
        return 5

    with pytest.raises(AssertionError) as raised:
        passes(LAB, "one-of-them", choose)
    assert "one-of-them" in str(raised.value) and "hint" in str(raised.value)


def hand_in(release: pathlib.Path, to: pathlib.Path, solution: str) -> None:
    notebook = json.loads(release.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["metadata"]["nbgrader"]["grade_id"] == f"{LAB}-work":
            cell["source"] = (SOLUTIONS / LAB / f"{solution}.py").read_text(encoding="utf-8")
    to.parent.mkdir(parents=True)
    to.write_text(json.dumps(notebook), encoding="utf-8")


def without_clusters(path: pathlib.Path) -> None:
    """Leave the checks out that start a cluster: their like has its own tests, and four of them take a minute."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    slow = {f"{LAB}-simulated", f"{LAB}-real"}
    notebook["cells"] = [each for each in notebook["cells"] if each["metadata"]["nbgrader"]["grade_id"] not in slow]
    path.write_text(json.dumps(notebook), encoding="utf-8")


@pytest.mark.skipif(importlib.util.find_spec("nbgrader") is None, reason='needs nbgrader: pip install -e ".[nbgrader]"')
def test_nbgrader_generates_releases_autogrades_and_gives_feedback(tmp_path: pathlib.Path) -> None:
    course, exchange = tmp_path / "course", tmp_path / "exchange"
    export_nbgrader(course)
    source = course / "source" / LAB / f"{LAB}.ipynb"
    without_clusters(source)
    exchange.mkdir()
    exchange.chmod(0o777)
    private = {
        name: str(tmp_path / "home") for name in ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")
    }
    path = os.pathsep.join((str(pathlib.Path(sys.executable).parent), os.environ.get("PATH", "")))  # it calls alembic
    environment = {**os.environ, **private, "PATH": path, SECRET_VARIABLE: "the teacher's", "PYTHONWARNINGS": "default"}

    def nbgrader(*arguments: str) -> str:
        command = [sys.executable, "-m", "nbgrader", *arguments, f"--Exchange.root={exchange}"]
        done = subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    nbgrader("generate_assignment", LAB)
    release = course / "release" / LAB / f"{LAB}.ipynb"
    released = release.read_text(encoding="utf-8")
    assert "hidden=True" not in released and "def choose" in released and "BEGIN" not in released
    nbgrader("release_assignment", LAB)
    assert list(exchange.rglob(f"{LAB}.ipynb"))

    for student, solution in (("ada", "reference"), ("bob", "wrong_fullest")):
        hand_in(release, course / "submitted" / student / LAB / f"{LAB}.ipynb", solution)
    nbgrader("autograde", LAB)
    checks = [check for check in lab_named(LAB).checks if check.name not in ("simulated", "real")]
    scores = marks(course / "gradebook.db")
    assert scores["ada"] == {f"{LAB}-{check.name}": float(check.points) for check in checks}
    assert scores["bob"][f"{LAB}-one-of-them"] > 0 and scores["bob"][f"{LAB}-fewest"] == 0

    nbgrader("generate_feedback", LAB)
    feedback = (course / "feedback" / "bob" / LAB / f"{LAB}.html").read_text(encoding="utf-8")
    assert lab_named(LAB).hint("fullest").question.split("?")[0].split("'")[0] in feedback
    shutil.rmtree(exchange)


def marks(database: pathlib.Path) -> dict[str, dict[str, float]]:
    """What each student got for each graded cell, from nbgrader's own book."""
    query = (
        "select submitted_assignment.student_id, base_cell.name, grade.auto_score from grade "
        "join grade_cells on grade.cell_id = grade_cells.id join base_cell on base_cell.id = grade_cells.id "
        "join submitted_notebook on grade.notebook_id = submitted_notebook.id "
        "join submitted_assignment on submitted_notebook.assignment_id = submitted_assignment.id"
    )
    found: dict[str, dict[str, float]] = {}
    book = sqlite3.connect(database)
    for student, cell, score in book.execute(query):
        found.setdefault(student, {})[cell] = score
    book.close()
    return found
