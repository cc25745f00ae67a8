"""`rpclab up` that is ended while it starts leaves no cluster; and output that cannot be written, or must not be."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import psutil
import pytest

posix_only = pytest.mark.skipif(os.name != "posix", reason="signals, and links with any name, as POSIX has them")


def of_this_folder(folder: pathlib.Path) -> list[psutil.Process]:
    """The processes that were told of a file in it."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in each for each in process.info["cmdline"] or ())
    ]


@posix_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("once_there", ["rpclab.keeper.log", "rpclab.starting", "rpclab/manager.log"])
def test_up_that_is_ended_while_it_starts_leaves_no_cluster(
    shell: Any, number: signal.Signals, once_there: str, eventually: Callable[..., None]
) -> None:
    def interruptible() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    data = shell.folder / "data"
    process = subprocess.Popen(
        shell.command("up", "--ports", "free", "--data", data),
        env=shell.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=interruptible,
    )
    eventually(lambda: (data / "runs" / once_there).exists(), what=once_there)
    process.send_signal(number)
    out, said = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("it was up before it heard")
    assert process.returncode == 128 + number and b"Traceback" not in said and b"Up in" not in out
    eventually(lambda: not of_this_folder(data), what="the end of all parts")
    assert not (data / "runs/rpclab/cluster.json").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("command", [("down", "--json"), ("verify", "--json"), ("down",)])
def test_output_that_cannot_be_written_is_one_line_and_no_traceback(shell: Any, command: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            shell.command(*command),
            cwd=shell.folder,
            env=shell.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ran.returncode != 0 and len(ran.stderr.splitlines()) == 1 and ran.stderr.startswith("rpclab: ")


@posix_only
def test_what_is_left_out_is_named_without_its_control_characters(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from rpclab.commands.output import Output

    Output().problem("left out: evil\x1b[31m, \x07bell\nand a second line")
    assert capsys.readouterr().err == "rpclab: left out: evil\\x1b[31m, \\x07bell\nand a second line\n"
