"""The command line as a person runs it: a program of its own, at 80 columns."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

WITHIN_S = 60.0


@dataclass
class Ran:
    """What a command ended with."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.out)


@dataclass
class Shell:
    """A working folder to run commands in."""

    folder: pathlib.Path

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "rpclab", *map(str, arguments)]

    @property
    def environment(self) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RPCLAB_")}
        return {**environment, "COLUMNS": "80", "PYTHONUTF8": "1", "PYTHONWARNINGS": "error"}

    def __call__(self, *arguments: object) -> Ran:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=WITHIN_S,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def write(self, name: str, contents: bytes | str = "hello\n") -> pathlib.Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents.encode() if isinstance(contents, str) else contents)
        return path


@pytest.fixture
def shell(tmp_path: pathlib.Path) -> Iterator[Shell]:
    """A folder where no cluster runs; one that a test starts is ended."""
    shell = Shell(tmp_path)
    yield shell
    if (tmp_path / "data" / "runs").exists():
        shell("down")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A folder whose cluster is up for all tests of a file."""
    shell = Shell(tmp_path_factory.mktemp("running"))
    ran = shell("up", "--ports", "free")
    assert ran.status == 0, ran.err
    yield shell
    shell("down")
