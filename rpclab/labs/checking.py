"""Runs the checks of a lab, each in a process of its own with limits (nursery.py), and puts their verdicts together.

A check that went over a limit is unknown: nobody knows how it would have gone on. The others are run all the same.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import secrets
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ..errors import UsageError
from ..text import bytes_text
from .lab import Check, Lab, lab_named
from .nursery import MEMORY_BYTES, PROCESSES, Nursery, Outcome
from .submission import Submission
from .trial import PUBLIC, seed_of
from .verdict import FAIL, PASS, UNKNOWN, Verdict, Verdicts, not_tried

__all__ = ["check", "check_submission"]

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
    nursery: Nursery | None = None,
) -> Verdicts:
    """Run a lab's checks, or `only` one, on a submission. `secret` chooses the seeds, or `seed` does for all; `told` is called
    with each verdict as it comes; with `first_failure` none is tried after the first that does not pass; in `nursery`, which
    stays open, or in one of its own. Errors: UsageError."""
    chosen = lab.checks if only is None else [lab.check_named(only)]
    verdicts: list[Verdict] = []
    passed: dict[str, bool] = {}
    with contextlib.nullcontext(nursery) if nursery is not None else Nursery() as nursery:
        for each in chosen:
            number = seed_of(secret or PUBLIC, lab.name, each.name) if seed is None else seed
            missing = [name for name in each.after if not passed.get(name, only is not None)]
            if missing:
                verdict = not_tried(lab, each.name, number, f"not tried: {missing[0]} has to pass first")
            else:
                verdict = _run(nursery, lab, each, submission, number)
            passed[each.name] = verdict.verdict == PASS
            verdicts.append(verdict)
            told(verdict)
            if first_failure and verdict.verdict != PASS:
                break
    return Verdicts(lab.name, lab.title, submission.source, secret is not None, verdicts, only is None)


def _run(nursery: Nursery, lab: Lab, check: Check, submission: Submission, seed: int) -> Verdict:
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
        outcome = nursery.run(told, check.limit_s)
        verdict = _read(pathlib.Path(folder) / "verdict.json", token)
        if verdict is None or outcome.limit:
            verdict = _ended(lab, check, seed, outcome)
        verdict.output, verdict.seen = _lasting(outcome.output, folder), _once(_lasting(verdict.seen, folder))
        return verdict


def _lasting(text: str, folder: str) -> str:
    """A text without what is another one in each run: the check's folder, and the ports that were free."""
    return re.sub(r"(127\.0\.0\.1:)\d+", r"\1PORT", text.replace(folder, "FOLDER"))


def _once(text: str) -> str:
    """Each line once, and how often it was said: nodes that try again complain again."""
    counts = Counter(text.splitlines())
    return "\n".join(line if count == 1 else f"{line} ({count} times)" for line, count in counts.items())


def _read(path: pathlib.Path, token: str) -> Verdict | None:
    try:
        found = json.loads(path.read_bytes())
        return msgspec.convert(found["verdict"], Verdict) if found["token"] == token else None
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError):
        return None


def _ended(lab: Lab, check: Check, seed: int, outcome: Outcome) -> Verdict:
    fault = outcome.limit or "ended"
    seen = {
        "took-too-long": f"it did not end within {check.limit_s:g} s (more on a machine that is busy)",
        "too-much-memory": f"its processes had taken {bytes_text(MEMORY_BYTES)} of memory",
        "too-many-processes": f"it had started more than {PROCESSES} processes",
        "ended": f"its process ended with exit status {outcome.status}, and no verdict",
    }[fault]
    kind = UNKNOWN if outcome.limit else FAIL
    return Verdict(check.name, kind, 0, check.points, check.expected, seed, fault, seen, list(lab.hint(fault)))
