"""Runs the checks of a lab, each in a process of its own with limits, and puts their verdicts together.

A check whose process takes too long, too much memory or too many processes is ended with all that it has started, and its verdict
is unknown: nobody knows how it would have gone on. The other checks are run all the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import psutil

from ..cluster.process import new_session, package_environment
from ..errors import UsageError
from .lab import Check, Lab, lab_named
from .submission import Submission
from .trial import PUBLIC, seed_of
from .verdict import FAIL, PASS, UNKNOWN, Verdict, Verdicts, not_tried

__all__ = ["check", "check_submission"]

_POLL_S = 0.05
_MEMORY_BYTES = 1 << 30  # of all processes of a check together: a cluster of six takes 200 MiB
_PROCESSES = 40
_OUTPUT_BYTES = 20_000  # of what the student's code prints; the rest is read and dropped

Told = Callable[[Verdict], object]


def check(lab: str, *parts: Any, secret: str | None = None, only: str | None = None, **named: Any) -> Verdicts:
    """What the checks of a lab say of your part: `check("lab2", frame, Deframer)`, or of a file: `check("lab2", "mine.py")`.

    Functions and classes are known by their own names, or by those given: `check("lab4", choose=mine)`. It takes some seconds.
    Errors: UsageError for a lab or a name that there is not.
    """
    chosen = lab_named(lab)
    if len(parts) == 1 and isinstance(parts[0], str | pathlib.Path):
        return check_submission(chosen, Submission.from_file(parts[0]), secret=secret, only=only)
    given = {**_by_name(chosen, parts), **named}
    if unknown := given.keys() - chosen.needs.keys():
        raise UsageError(f"{lab} asks for {', '.join(chosen.needs)}; not for {', '.join(sorted(unknown))}")
    return check_submission(chosen, Submission.from_objects(given), secret=secret, only=only)


def _by_name(lab: Lab, parts: Iterable[Any]) -> dict[str, Any]:
    parts = list(parts)
    if len(parts) == len(lab.needs) == 1:
        return {next(iter(lab.needs)): parts[0]}
    return {str(getattr(part, "__name__", part)): part for part in parts}


def check_submission(
    lab: Lab,
    submission: Submission,
    *,
    secret: str | None = None,
    only: str | None = None,
    seed: int | None = None,
    first_failure: bool = False,
    told: Told = lambda verdict: None,
) -> Verdicts:
    """Run a lab's checks, or `only` one, on a submission. `secret` chooses the seeds, or `seed` does for all; `told` is called
    with each verdict as it comes; with `first_failure` none is tried after the first that does not pass. Errors: UsageError."""
    chosen = lab.checks if only is None else [lab.check_named(only)]
    verdicts: list[Verdict] = []
    passed: dict[str, bool] = {}
    for each in chosen:
        number = seed_of(secret or PUBLIC, lab.name, each.name) if seed is None else seed
        missing = [name for name in each.after if not passed.get(name, only is not None)]
        if missing:
            verdict = not_tried(lab, each.name, number, f"not tried: {missing[0]} has to pass first")
        else:
            verdict = _run(lab, each, submission, number)
        passed[each.name] = verdict.verdict == PASS
        verdicts.append(verdict)
        told(verdict)
        if first_failure and verdict.verdict != PASS:
            break
    return Verdicts(lab.name, lab.title, submission.source, secret is not None, verdicts, only is None)


def _run(lab: Lab, check: Check, submission: Submission, seed: int) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="rpclab-check-", ignore_cleanup_errors=True) as folder:
        token = secrets.token_hex(16)
        told = {
            "lab": lab.name,
            "check": check.name,
            "seed": seed,
            "folder": folder,
            "token": token,
            "submission": {"kind": submission.kind, "data": submission.data, "source": submission.source},
        }
        child = _Child(json.dumps(told).encode(), folder)
        ended_by = child.watch(check.limit_s)
        verdict = _read(pathlib.Path(folder) / "verdict.json", token)
        if verdict is None or ended_by:
            verdict = _ended(lab, check, seed, ended_by, child)
        verdict.output = child.output
        return verdict


def _read(path: pathlib.Path, token: str) -> Verdict | None:
    try:
        found = json.loads(path.read_bytes())
        return msgspec.convert(found["verdict"], Verdict) if found["token"] == token else None
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError):
        return None


def _ended(lab: Lab, check: Check, seed: int, ended_by: str, child: _Child) -> Verdict:
    fault = ended_by or "ended"
    seen = {
        "took-too-long": f"it was ended after {check.limit_s:g} s",
        "too-much-memory": "its processes had taken a gibibyte of memory",
        "too-many-processes": f"it had started more than {_PROCESSES} processes",
        "ended": f"its process ended with exit status {child.status}, and no verdict",
    }[fault]
    kind = UNKNOWN if ended_by else FAIL
    return Verdict(check.name, kind, 0, check.points, check.expected, seed, fault, seen, list(lab.hint(fault)))


class _Child:
    """The process of one check, and all that it starts."""

    def __init__(self, told: bytes, folder: str) -> None:
        command = [sys.executable, "-P", "-m", "rpclab.labs.runner"]
        environment = {**package_environment(), "MALLOC_ARENA_MAX": "2"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            **new_session(),
        )
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended already: it says so
            self._process.stdin.write(told)
            self._process.stdin.close()
        self._printed = bytearray()
        self._reader = threading.Thread(target=self._read, name="check-output", daemon=True)  # its pipe may never end
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while piece := os.read(self._process.stdout.fileno(), 65536):
            self._printed += piece
            del self._printed[:-_OUTPUT_BYTES]

    @property
    def output(self) -> str:
        return bytes(self._printed).decode("utf-8", "replace")

    @property
    def status(self) -> int | None:
        return self._process.returncode

    def watch(self, limit_s: float) -> str:
        """Wait for its end, or end it; returns the name of the limit that it went over, "" for none."""
        until, reason = time.monotonic() + limit_s, ""
        while not reason:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_POLL_S)
                break
            reason = "took-too-long" if time.monotonic() > until else self._takes_too_much()
        self._end()
        self._reader.join(1.0)
        if not self._reader.is_alive() and self._process.stdout is not None:
            self._process.stdout.close()
        return reason

    def _takes_too_much(self) -> str:
        family = self._family()
        if len(family) > _PROCESSES:
            return "too-many-processes"
        memory = 0
        for process in family:
            with contextlib.suppress(psutil.Error):
                memory += process.memory_info().rss
        return "too-much-memory" if memory > _MEMORY_BYTES else ""

    def _family(self) -> list[psutil.Process]:
        try:
            own = psutil.Process(self._process.pid)
            return [own, *own.children(recursive=True)]
        except psutil.Error:
            return []

    def _end(self) -> None:
        """End it and all that it has started, also what was started anew while we looked."""
        for process in self._family():
            with contextlib.suppress(psutil.Error):
                process.kill()
        if os.name == "posix":
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, 9)
        self._process.wait()
