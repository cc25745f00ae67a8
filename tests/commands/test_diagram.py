"""`rpclab diagram` and `rpclab export`: a run as a picture, in words, and for other programs."""

from __future__ import annotations

import json
import pathlib

import pytest

from .conftest import Shell


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder in which a cluster has run, and has ended."""
    shell = Shell(tmp_path_factory.mktemp("ended"))
    assert shell("up", "--ports", "free", "--clients", "0").status == 0
    assert shell("backup", shell.write("a.txt"), shell.write("b.txt", b"b" * 70_000)).status == 0
    assert shell("down").status == 0
    return shell


@pytest.mark.parametrize(("suffix", "magic"), [("svg", b"<svg "), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_run_is_drawn_to_a_file(ended: Shell, suffix: str, magic: bytes) -> None:
    ran = ended("diagram", "--to", f"picture.{suffix}", "--white")
    assert (ran.status, ran.err) == (0, "")
    assert f"picture.{suffix}: " in ran.out and "messages among" in ran.out
    assert (ended.folder / f"picture.{suffix}").read_bytes().startswith(magic)


def test_without_a_file_the_run_is_told_in_words(ended: Shell) -> None:
    ran = ended("diagram", "--file", "client1/b.txt")
    assert ran.status == 0
    for part in ("request placeFile", "stored client1/b.txt", "(original), 68.4 KiB", "(replica), 68.4 KiB"):
        assert part in ran.out
    assert "a.txt" not in ran.out
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    assert ended("diagram", "data/runs/rpclab", "--file", "client1/b.txt").out == ran.out


def test_a_program_is_told_what_was_drawn(ended: Shell) -> None:
    ran = ended("diagram", "--method", "placeFile", "--json")
    assert (ran.document["messages"], ran.document["transfers"], ran.document["left_out"]) == (4, 0, [])
    assert len(ran.document["lines"]) == 4
    cut = ended("diagram", "--limit", "3", "--json", "--to", "cut.svg").document
    assert cut["file"] == "cut.svg" and cut["left_out"][0].startswith("Not drawn:")


@pytest.mark.parametrize("form", ["shiviz", "chrome", "csv"])
def test_a_run_is_written_for_other_programs(ended: Shell, form: str) -> None:
    ran = ended("export", "--format", form, "--to", f"run.{form}", "--json")
    assert ran.status == 0
    text = (ended.folder / f"run.{form}").read_text(encoding="utf-8")
    assert ran.document["bytes"] == len(text.encode()) > 1000
    if form == "chrome":
        assert len(json.loads(text)["traceEvents"]) > 50


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("diagram", "nowhere"), "no folder 'nowhere'"),
        (("diagram", "--node", "server9"), "there is no node 'server9'"),
        (("diagram", "--file", "c.txt"), "there is no file 'c.txt'"),
        (("diagram", "--to", "picture.gif"), ".svg, .png or .pdf"),
        (("export", "--format", "csv"), "--to"),
        (("export", "--format", "xml", "--to", "x"), "'xml' is not one of"),
    ],
)
def test_wrong_usage_is_one_plain_line(ended: Shell, arguments: tuple[str, ...], words: str) -> None:
    ran = ended(*arguments)
    assert ran.status == 2 and words in ran.err and ran.err.count("\n") == 1


def test_a_file_that_cannot_be_written_is_told(ended: Shell, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for command in (("diagram",), ("export", "--format", "csv")):
        ran = ended(*command, "--to", tmp_path / "file" / "x.svg")
        assert ran.status == 1 and str(tmp_path / "file") in ran.err and ran.err.count("\n") == 1


def test_a_folder_without_events_is_told(ended: Shell, tmp_path: pathlib.Path) -> None:
    ran = ended("export", tmp_path, "--format", "csv", "--to", "x.csv")
    assert ran.status == 2 and "no events" in ran.err
