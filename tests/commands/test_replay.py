"""`rpclab replay`: a seed or a schedule once more, from any folder; what fails is shown, written down and made smaller."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

from rpclab.commands.program import run
from rpclab.trials.schedule import Schedule

ROOT = pathlib.Path(__file__).parents[2]
PLANTED = "import sys; from tests.simulation.mutants import planted; from rpclab.commands.program import run\n"
PLANTED += "with planted('stale version wins'): sys.exit(run(sys.argv[1:]))"


def replay(folder: pathlib.Path, *arguments: str, planted: bool = False) -> subprocess.CompletedProcess[str]:
    program = ["-c", PLANTED] if planted else ["-m", "rpclab"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, *program, "replay", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=500
    )


def test_a_seed_is_run_again_from_an_empty_folder(tmp_path: pathlib.Path) -> None:
    done = replay(tmp_path, "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("seed 3: ") and done.stdout.endswith("Every promise was kept.\n")
    assert list(tmp_path.iterdir()) == [] and done.stderr == ""


def test_what_fails_is_shown_made_smaller_and_run_again_by_the_command_that_is_printed(tmp_path: pathlib.Path) -> None:
    Schedule.of(2, 3.0).save(tmp_path / "short.json")
    done = replay(tmp_path, "short.json", "--shrink", "--within", "300", planted=True)
    assert done.returncode == 1, done.stderr
    assert "WRONG: client" in done.stdout and "operations of 8 clients, 5 servers -> 0 faults, 2" in done.stdout
    assert "The last events of client" in done.stdout and "\n> " in done.stdout, done.stdout
    assert max(map(len, done.stdout.partition("written:")[0].splitlines())) <= 80
    (again,) = [
        line.removeprefix("again:   rpclab replay ") for line in done.stdout.splitlines() if line.startswith("again:")
    ]
    assert "1 client, 2 servers" in done.stdout.replace("\n", " ")
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == [f"short-{which}.{kind}" for which in ("again", "small") for kind in ("json", "svg", "txt")]
    assert Schedule.read(tmp_path / again).size == (0, 2)
    wrong = replay(tmp_path, again, "--json", planted=True)
    document = json.loads(wrong.stdout)
    assert wrong.returncode == document["exit"] == 1 and document["operations"] == 2
    assert document["problems"] and document["problems"][0].split(" must be ")[0] in done.stdout.replace("\n", " ")
    assert replay(tmp_path, again).returncode == 0  # without the bug


def test_what_is_neither_a_seed_nor_a_schedule_is_said(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"rpclab": "schedule", "version": 9}', encoding="utf-8")
    for which, said in (
        (
            str(tmp_path / "none.json"),
            "cannot be read: No such file or directory; give a seed (a number), or a schedule's file",
        ),
        (str(other), "is a schedule of version 9; this rpclab reads version 1"),
        (str(tmp_path), "cannot be read"),
        ("1.5", "1.5 cannot be read"),
        ("", "cannot be read"),
    ):
        assert run(["replay", which]) == 2
        assert said in capsys.readouterr().err
    for within in ("nan", "-1"):
        assert run(["replay", "1", "--within", within]) == 2
        assert "it is a number of seconds, 0 or more" in capsys.readouterr().err
    assert run(["replay"]) == 2
    assert "Missing argument 'SEED|FILE'" in capsys.readouterr().err
