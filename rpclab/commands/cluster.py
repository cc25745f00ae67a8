"""`rpclab up`, `status`, `down`: a cluster in the background, that lives on after the command."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any

import click
import msgspec
import psutil

from ..cluster.process import is_same, new_session, package_environment, wait_until
from ..cluster.record import Record, take_over
from ..errors import (
    ClusterRunning,
    FolderNotUsable,
    NotRunning,
    StartFailed,
    error_from_wire,
)
from .interruption import interruption
from .output import Exit, Output, json_option
from .parts import show_parts, states
from .reach import Reach, cluster_options, reach_options, refuse_shared_data
from .settings import settings_options

__all__ = ["down", "status", "up"]

_START_S = 40.0  # twice what LocalCluster gives its parts
_STOP_S = 20.0  # twice what LocalCluster's own stop may take
_KEEPER = "rpclab.commands.keeper"


@click.command()
@settings_options
@cluster_options
@json_option
def up(out: Output, reach: Reach, **settings: Any) -> int:
    """Start a cluster in the background; `rpclab down` ends it."""
    refuse_shared_data(reach.data)
    began = time.monotonic()
    _start(reach, {**settings, "data": reach.data, "name": reach.name})
    show_parts(out, reach)
    out.line(f"\nUp in {time.monotonic() - began:.1f} s. Next: rpclab backup PATH...; the end: rpclab down")
    return Exit.ALL_HELD


@click.command()
@reach_options
@json_option
def status(out: Output, reach: Reach) -> int:
    """Show the parts: addresses, whether they run, files, bytes."""
    return show_parts(out, reach)


@click.command()
@cluster_options
@json_option
def down(out: Output, reach: Reach) -> int:
    """End the cluster that `rpclab up` started.

    If none runs it says so, and the exit status is 0.
    """
    try:
        record = reach.record()
    except NotRunning as error:
        out.line(f"Nothing to end: {error.message.partition(':')[0]}.")
        out.document(Exit.ALL_HELD, stopped=[])
        return Exit.ALL_HELD
    parts = [part for part, state in states(record).items() if state != "stopped"]
    _stop(reach, record)
    out.paragraph(f"Ended: {', '.join(parts)}.")
    out.line(f"What is stored stays in {pathlib.Path(reach.data, 'servers')}.")
    out.document(Exit.ALL_HELD, stopped=parts)
    return Exit.ALL_HELD


# ---- the keeper


def _start(reach: Reach, settings: dict[str, Any]) -> None:
    """Start a keeper and wait for its word. Errors: those of LocalCluster."""
    outcome, log = reach.beside(f"{os.getpid()}.outcome"), reach.beside("keeper.log")
    command = [sys.executable, "-P", "-m", _KEEPER, "--settings", json.dumps(settings)]
    for name, path in (("lock", reach.beside("lock")), ("stop", reach.beside("stop")), ("outcome", outcome)):
        command += [f"--{name}-file", str(path)]
    keeper: subprocess.Popen[bytes] | None = None
    try:
        with interruption.deferred():
            keeper = _spawned(command, log)
        wait_until(lambda: outcome.exists() or keeper.poll() is not None, time.monotonic() + _START_S)
        if not outcome.exists():
            keeper.terminate()
            keeper.wait(_STOP_S)
            raise StartFailed(f"the cluster did not start; its keeper said:\n{_tail(log)}")
        told = msgspec.json.decode(outcome.read_bytes(), type=tuple[int, str, dict[str, Any]] | None)
        if told is not None:
            keeper.wait(_STOP_S)
            code, message, data = told
            raise error_from_wire(code, message, data, None)
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, SIGTERM
        if keeper is not None:
            keeper.terminate()  # it ends the parts that it has started
            keeper.wait(_STOP_S)
        raise
    finally:
        outcome.unlink(missing_ok=True)
    keeper.returncode = 0  # it lives on, and this process never waits for it


def _spawned(command: list[str], log: pathlib.Path) -> subprocess.Popen[bytes]:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "wb") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=package_environment(),
                **new_session(),
            )
    except OSError as error:
        raise FolderNotUsable(f"cannot write {log}: {error.strerror}; choose another --data") from None


def _tail(log: pathlib.Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-12:]) or "  (nothing)"


def _stop(reach: Reach, record: Record) -> None:
    """Have the keeper end the cluster; end what is left of one whose keeper is gone. Errors: ClusterRunning."""
    keeper = is_same(record.owner)
    if keeper is not None:
        if not _is_keeper(keeper):
            raise ClusterRunning(
                f"this cluster was started by process {keeper.pid}, a notebook or a program, not by rpclab up: "
                "end it there with cluster.stop()"
            )
        reach.beside("stop").touch()
        if not wait_until(lambda: is_same(record.owner) is None, time.monotonic() + _STOP_S):
            keeper.kill()  # its parts end when it does
    take_over(reach.folder)


def _is_keeper(process: psutil.Process) -> bool:
    try:
        return _KEEPER in process.cmdline()
    except psutil.Error:
        return True  # it has just ended
