"""Whatever a submission does, there is a clear verdict, the other checks go on, and nothing is gained."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Callable

import psutil
import pytest

from rpclab.errors import UsageError
from rpclab.labs import check
from rpclab.labs.checking import check_submission
from rpclab.labs.lab import lab_named
from rpclab.labs.submission import Submission
from rpclab.labs.verdict import FAIL, PASS, UNKNOWN, Verdict, Verdicts

RIGHT = "return min(servers, key=lambda s: (s.stored_bytes + s.reserved_bytes, s.node))"
HEAD = "def choose(servers, request, random):\n    "


LAB2_STARTER = pathlib.Path(__file__).parents[2] / "notebooks" / "labs" / "lab2.py"


def verdicts(text: str, only: str | None = "one-of-them") -> Verdicts:
    return check_submission(lab_named("lab4"), Submission("module", text, "mine.py"), only=only)


def verdict(text: str) -> Verdict:
    return verdicts(text).verdicts[0]


@pytest.mark.parametrize(
    ("text", "fault", "said"),
    [
        ("def choose(servers, request, random)\n    return 1", "does-not-load", "line 1"),
        ("import nowhere_at_all", "does-not-load", "nowhere_at_all"),
        ("import sys\nsys.exit(0)", "does-not-load", "SystemExit"),
        ("choose = 5", "missing", "choose"),
        ("x = 1", "missing", "choose"),
        ("def choose(servers):\n    return servers[0]", "raised", "argument"),
        (f"{HEAD}import sys; sys.exit(0)", "raised", "SystemExit"),
        (f"{HEAD}import os; os._exit(0)", "ended", "exit status 0"),
        (f"{HEAD}return 1 / 0", "raised", "line 2"),
        (f"{HEAD}return choose(servers, request, random)", "raised", "RecursionError"),
        (f"{HEAD}return bytearray(10 << 30)", "too-much-memory", "memory"),
        ("from rpclab.manager.placement import fewest_bytes as choose", "uses-ours", "rpclab.manager.placement"),
        ("import rpclab.manager.placement as p\nchoose = p.fewest_bytes", "uses-ours", "line 1"),
    ],
)  # fmt: skip
def test_a_broken_submission_has_a_verdict_that_says_why(text: str, fault: str, said: str) -> None:
    found = verdict(text)
    assert (found.verdict, found.fault, found.points) == (FAIL, fault, 0), found
    assert said in found.seen and found.hints


def test_a_loop_without_end_is_ended_and_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = lab_named("lab4")
    monkeypatch.setattr(lab, "checks", [_shorter(each) for each in lab.checks])
    found = check_submission(lab, Submission("module", f"{HEAD}\n    while True: pass", "mine.py"), only="one-of-them")
    assert (found.verdicts[0].verdict, found.verdicts[0].fault, found.points) == (UNKNOWN, "took-too-long", 0)


def _shorter(each):  # type: ignore[no-untyped-def]
    import dataclasses

    return dataclasses.replace(each, limit_s=6.0)


def test_megabytes_of_output_are_dropped_but_for_the_end() -> None:
    found = verdict(f"{HEAD}print('x' * 50_000_000)\n    print('the end')\n    {RIGHT}")
    assert found.verdict == PASS and len(found.output) <= 20_000 and found.output.endswith("the end\n")


def test_who_patches_rpclab_gains_nothing() -> None:
    patch = "import rpclab.labs.lab4.alone as lab\nlab._case = lambda choose, trial: None\n"
    found = verdicts(f"{patch}{HEAD}return servers[0]", only="fewest").verdicts[0]
    assert (found.verdict, found.points) == (FAIL, 0), found
    patch = "import rpclab.world.real as real\nreal.RealWorld.nonce = lambda self, length: bytes(length)\n"
    found = verdict(f"{patch}{HEAD}{RIGHT}")
    assert (found.verdict, found.fault, found.points) == (FAIL, "changed-rpclab", 0), found


def test_a_forged_verdict_is_not_believed(tmp_path: pathlib.Path) -> None:
    forged = (
        "import json, os, glob\n"
        f"{HEAD}open('verdict.json', 'w').write(json.dumps({{'token': '', 'verdict': {{'check': 'one-of-them', "
        "'verdict': 'pass', 'points': 99, 'of': 99, 'expected': '', 'seed': 0}}))\n    os._exit(0)"
    )
    found = verdict(forged)
    assert (found.verdict, found.points) == (FAIL, 0), found


def test_it_may_not_talk_to_other_machines() -> None:
    found = verdict(f"{HEAD}import socket; socket.create_connection(('192.0.2.1', 80), 1)")
    assert (found.verdict, found.points) == (FAIL, 0) and "this machine only" in found.seen


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system knows no fork")
def test_processes_that_it_leaves_behind_are_ended(eventually: Callable[..., None]) -> None:
    command = "[sys.executable, '-c', 'input()  # left-behind-by-a-lab']"
    start = f"for _ in range(60): subprocess.Popen({command}, stdin=subprocess.PIPE)"
    text = f"import subprocess, sys\n{HEAD}\n    {start}\n    while True: pass"
    found = verdict(text)
    assert (found.verdict, found.fault, found.points) == (UNKNOWN, "too-many-processes", 0), found
    eventually(lambda: not _left_behind())  # a busy machine takes a moment to end what it was told to


def _left_behind() -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "left-behind-by-a-lab" in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def test_the_checks_after_one_that_was_ended_are_still_run() -> None:
    text = f"calls = []\n{HEAD}import os\n    if len(servers) == 1000: os._exit(1)\n    {RIGHT}"
    found = {each.check: each.verdict for each in verdicts(text, only=None).verdicts}
    assert found["quick"] == FAIL and found["real"] == PASS, found


def test_a_notebook_gives_its_definitions_and_nothing_else_of_it_is_run(tmp_path: pathlib.Path) -> None:
    cells = [
        "%matplotlib inline\nimport operator",
        "def choose(servers, request, random):\n    return None",
        "raise RuntimeError('this cell is not run')",
        "choose(1, 2, 3)",
        "this is no Python",
        f"LEAST = 0\n@staticmethod\ndef helper(): pass\n{HEAD}{RIGHT}",
        "open('/nowhere/at/all')",
        "def choose(servers, request  # half done, never run",
    ]
    notebook = {"cells": [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]}
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert check("lab4", path, only="fewest").passed


@pytest.mark.parametrize(
    ("cell", "works"),
    [
        ("%%time\nimport struct\nHEADER = struct.Struct('>BI')\n", True),  # a value that only a call can make
        ("from struct import Struct as S\nHEADER = S('>BI')\nLIMITS = dict(largest=65536)\n", True),
        ("files = !ls\nimport struct\nif True:\n    !ls\nstruct?\nHEADER = struct.Struct('>BI')\n", True),
        ("import struct, os\nHEADER = os.system('exit 1') or struct.Struct('>BI')\n", False),  # nothing is started
    ],
)
def test_what_a_notebooks_definitions_need_is_taken_with_them(cell: str, works: bool, tmp_path: pathlib.Path) -> None:
    framing = LAB2_STARTER.read_text(encoding="utf-8").partition("class Framing:")[2].replace("LARGEST", "65536")
    text = f"class Framing:{framing}\n    text = ('%d'\n      % 5)\n"
    path = tmp_path / "mine.ipynb"
    cells = [{"cell_type": "code", "source": source} for source in (cell, text)]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    assert check("lab2", path, only="round-trip").passed == works


def test_a_notebook_whose_only_cell_is_half_done_says_where(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": "def choose(servers\n"}]}), encoding="utf-8")
    first = check("lab4", path, only="fewest").first
    assert first is not None and first.fault == "does-not-load" and "line 1" in first.seen


def test_functions_of_a_notebook_are_checked_as_they_are() -> None:
    found = check("lab4", lambda servers, request, random: min(servers, key=lambda s: s.stored_bytes), only="fewest")
    assert found.first is not None and found.first.fault == "ignores-reserved"
    assert "ignores" not in repr(found) and "question" in found._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lab99", max), "there are: lab"),
        (("lab4", max, min), "not for max, min"),
        (("lab4", "nowhere.py"), "cannot be read"),
    ],
)
def test_a_wrong_use_says_what_is_right(arguments: tuple[object, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check(*arguments)  # type: ignore[arg-type]
