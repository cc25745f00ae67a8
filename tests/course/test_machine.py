"""`rpclab course check` uses each thing once, says what is missing, and what to do."""

from __future__ import annotations

import pathlib
import sys

import pytest

from rpclab.commands.course import _tell
from rpclab.commands.output import Output
from rpclab.course import machine
from rpclab.course.machine import Finding
from rpclab.text import cells


def found(name: str, monkeypatch: pytest.MonkeyPatch) -> Finding:
    """One finding, without the clusters and the labs, which test_new.py tries in an installed package."""
    monkeypatch.setattr(machine, "_simulated", lambda: (True, "", ""))
    monkeypatch.setattr(machine, "_real", lambda: (True, "", ""))
    monkeypatch.setattr(machine, "starters", dict)
    return {each.name: each for each in machine.try_machine()}[name]


def test_a_package_that_is_missing_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_PACKAGES", ("json", "a_package_that_is_not_there"))
    finding = found("packages", monkeypatch)
    assert not finding.works and finding.seen == "not installed: a_package_that_is_not_there"
    assert "pip install" in finding.do


def test_a_package_that_is_there_and_breaks_is_told_with_its_reason(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "breaks_when_loaded.py").write_text("raise RuntimeError('built for another Python')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(machine, "_PACKAGES", ("breaks_when_loaded",))
    finding = found("packages", monkeypatch)
    assert not finding.works and "built for another Python" in finding.seen


def test_outside_of_a_course_it_says_where_to_go(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RPCLAB_DATA", str(tmp_path))
    finding = found("folder", monkeypatch)
    assert not finding.works and "course's folder" in finding.do
    (tmp_path / "clients").mkdir()
    assert found("folder", monkeypatch).works


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clients").mkdir()
    monkeypatch.setenv("RPCLAB_DATA", str(tmp_path))

    def refused(**options: object) -> None:  # a user who is root may write anywhere
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(machine.tempfile, "NamedTemporaryFile", refused)
    finding = found("folder", monkeypatch)
    assert not finding.works and "Permission denied" in finding.seen and finding.do


def test_a_starter_that_fails_its_first_check_is_told_with_the_command(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lab4.py").write_text("def choose(servers, request, random):\n    return 5\n", encoding="utf-8")
    monkeypatch.setattr(machine, "starters", lambda: {"lab4": tmp_path / "lab4.py"})
    works, seen, do = machine._lab("lab4")
    assert not works and "one-of-them" in seen and do.startswith("call: rpclab check lab4")


def test_what_is_found_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    _tell(Output(), Finding("simulated cluster", False, "word " * 40 + "\nand a second line", "do this " * 20))
    lines = capsys.readouterr().out.splitlines()
    assert all(cells(line) <= 80 for line in lines) and lines[0].startswith("✗ simulated cluster")
    assert sum("do:" in line for line in lines) == 1
