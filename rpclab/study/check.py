"""The judge: reads what a run has left, event logs and disks, and says of each of six invariants whether it held.

    report = check(history, {"server1": "data/servers/server1", ...})
    print(report)

An invariant is invalid only if something shows that it was broken, and valid only if all that could show it was there
to be read: what a damaged or missing log may hide is unknown. The modules in invariants/ say what each means.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping

from ..errors import UsageError
from ..world.base import Disk
from .folder import ServerFolder
from .history import History
from .invariants import INVARIANTS
from .report import Finding, Judgement, Report, Verdict
from .run import Run

_TRIES = 5  # a class that backs up now and then leaves a quiet moment

__all__ = ["Finding", "Judgement", "Report", "Verdict", "check", "check_run", "server_folders"]


def check(
    history: History, disks: Mapping[str, str | os.PathLike[str] | ServerFolder], *, disk: Disk | None = None
) -> Report:
    """Judge a run by its history and its servers' folders, by name; those of a simulated world are read from its `disk`, or,
    where each server has one of its own, were read already.

    Each file is read once, so it takes as long as reading the disks.
    """
    folders = {
        server: path if isinstance(path, ServerFolder) else ServerFolder.read(path, disk)
        for server, path in disks.items()
    }
    run = Run(history, folders)
    report = Report(tuple(judge(run) for judge in INVARIANTS))
    if history.of("corrupted"):
        return report.in_doubt("bytes of messages were changed on purpose: who did wrong cannot be told from that")
    return report


def check_run(folder: str | os.PathLike[str], servers: str | os.PathLike[str] | None = None) -> Report:
    """Judge the run whose event logs lie in a folder, such as `data/runs/rpclab` or its `events`.

    The servers' folders are those that they named in their logs when they started, or those below `servers`, by their names.
    A run that goes on is judged at a moment when nothing is under way; if there is none, what is broken is unknown.
    Errors: UsageError.
    """
    events = pathlib.Path(folder)
    if (events / "events").is_dir():
        events = events / "events"
    history = History.read(events)
    if not len(history):
        raise UsageError(f"there are no events in {os.fspath(folder)!r}: was the cluster run with trace=False?")
    for _ in range(_TRIES):
        report = check(history, server_folders(history, servers))
        later = History.read(events)
        if _done(later) == _done(history):
            return report
        history = later
    return report.in_doubt("the cluster is at work: what is under way may look broken")


def _done(history: History) -> int:
    """How many events tell of more than signs of life."""
    return sum(event.kind not in ("send", "receive", "connected", "disconnected") for event in history)


def server_folders(history: History, servers: str | os.PathLike[str] | None = None) -> dict[str, pathlib.Path]:
    """Where the servers of a run keep their files: as they said when they started, or below a folder by their names."""
    said: dict[str, pathlib.Path] = {}
    for event in history.of("started"):
        if event.detail.get("role") == "server":
            place = pathlib.Path(servers, event.node) if servers is not None else event.detail.get("folder")
            if place is not None:
                said[event.node] = pathlib.Path(place)
    return said
