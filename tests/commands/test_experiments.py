"""`rpclab experiments`: numbers beside the published ones, and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_an_experiment_prints_its_numbers_and_draws_its_picture(shell: Any, tmp_path: Path) -> None:
    ran = shell("experiments", "lock-in", "--to", str(tmp_path / "pictures"))
    assert ran.status == 0
    assert "10 servers, files of one size: pairs used" in ran.out
    assert (tmp_path / "pictures" / "lock-in.png").read_bytes()[:4] == b"\x89PNG"


def test_the_numbers_as_json(shell: Any) -> None:
    ran = shell("experiments", "lock-in", "exact", "--seed", "3", "--json")
    assert ran.status == 0
    assert [each["name"] for each in ran.document["experiments"]] == ["lock-in", "exact"]
    assert ran.document["experiments"][0]["rows"][0]["simulated"] == 5


def test_an_unknown_experiment_is_told_the_names(shell: Any) -> None:
    ran = shell("experiments", "ball")
    assert ran.status == 2
    assert "no experiment 'ball'" in ran.err and "two-dead" in ran.err


def test_where_no_picture_can_be_written_nothing_is_computed(shell: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    ran = shell("experiments", "lock-in", "--to", str(tmp_path / "file"))
    assert ran.status == 2 and ran.out == "", ran
    assert "no pictures can be written to" in ran.err and "--to" in ran.err
