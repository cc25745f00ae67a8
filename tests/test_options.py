"""What the three parts say of options that cannot be: one line, and status 2."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("server 0", "'0' is no number of a part: they are counted from 1"),
        ("server -1", "'-1' is no number of a part"),
        ("server 200", "server 200 has no port by its number, 65632 is too much: give it one with --port"),
        ("server --quota-bytes -5", "'-5' is no number of bytes"),
        ("server --port 70000", "'70000' is no port"),
        ("client 0", "'0' is no number of a part"),
        ("manager --replicas 0", "a file needs at least one copy"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(command: str, said: str, tmp_path: pathlib.Path) -> None:
    part, *rest = command.split()
    ran = subprocess.run(
        [sys.executable, "-P", "-m", f"rpclab.{part}", *rest],
        cwd=tmp_path,
        input="",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 2 and said in ran.stderr and len(ran.stderr.splitlines()) == 1, ran.stderr
    assert not list(tmp_path.iterdir())
