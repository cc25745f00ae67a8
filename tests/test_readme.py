"""What README tells people to type does what it says: its Python runs, and its commands."""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

PROJECT = pathlib.Path(__file__).parents[1]
BLOCKS = re.findall(r"^```(python)?\n(.*?)^```$", (PROJECT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
PYTHON = [block for language, block in BLOCKS if language]
COMMANDS = [block for language, block in BLOCKS if not language]
WITHIN_S = 120.0


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder as a clone has it, as far as README uses it; a cluster that is left up there is ended."""
    shutil.copytree(PROJECT / "data" / "clients", tmp_path / "data" / "clients")
    shutil.copytree(PROJECT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "README.md", tmp_path)
    yield tmp_path
    if (tmp_path / "data" / "runs").exists():
        run(tmp_path, [sys.executable, "-m", "rpclab", "down"])


def run(folder: pathlib.Path, command: list[str]) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RPCLAB_")}
    paths = os.pathsep.join(filter(None, [str(PROJECT), kept.get("PYTHONPATH")]))
    done = subprocess.run(
        command,
        cwd=folder,
        env=kept | {"PYTHONPATH": paths, "MPLBACKEND": "agg", "PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=WITHIN_S,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def type_in(folder: pathlib.Path, lines: str) -> list[str]:
    """Run each `rpclab` line of a block, on free ports, in its order; returns what each said."""
    words = [shlex.split(line, comments=True) for line in lines.splitlines()]
    said = []
    for name, *arguments in words:
        assert name == "rpclab"
        more = ["--ports", "free"] if arguments == ["up"] else []
        said.append(run(folder, [sys.executable, "-m", "rpclab", *arguments, *more]))
    return said


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: re.sub(r"\W+", "-", block.strip().splitlines()[-1])[:40])
def test_the_python_of_the_first_page_runs(folder: pathlib.Path, block: str) -> None:
    run(folder, [sys.executable, "-c", block])
    for picture in re.findall(r"out/\w+\.png", block):
        assert (folder / picture).stat().st_size > 10_000


def test_the_commands_of_the_first_page_back_a_folder_up_and_get_it_back(folder: pathlib.Path) -> None:
    (block,) = [block for block in COMMANDS if block.startswith("rpclab up")]
    said = type_in(folder, block)
    assert "docs/security.md" in said[2]
    for path in [folder / "README.md", *(folder / "docs").rglob("*.*")]:
        (copy,) = (folder / "out" / "back").rglob(path.relative_to(folder).as_posix())
        assert copy.read_bytes() == path.read_bytes()


def test_the_commands_for_earlier_versions_find_the_one_they_name(folder: pathlib.Path) -> None:
    (block,) = [block for block in COMMANDS if block.startswith("rpclab ls --versions")]
    type_in(folder, "rpclab up")
    for number in range(1, 5):
        (folder / "notes.txt").write_text(f"the notes of day {number}\n")
        type_in(folder, "rpclab backup notes.txt")
    (folder / "notes.txt").unlink()
    said = type_in(folder, block)
    assert "1.3" in said[0]
    (restored,) = [path for path in folder.rglob("notes.txt") if "data" not in path.parts]
    assert restored.read_text() == "the notes of day 3\n"
    assert type_in(folder, "rpclab ls --versions notes.txt")[0].count("1.") == 1
