"""`python -m rpclab.labs.runner`: checks of submissions, one after the other, each in a process forked from this one.

What to do comes as a line of JSON on standard input. The verdict goes into a file, with a word that only the parent knows: the
student's code is loaded after that word was read, and it is kept in no module. Printed is when a check began and how it ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import sys
import time
import traceback
from typing import Any, NoReturn

import msgspec

from ..errors import error_text
from ..study.history import History
from .confine import Fingerprint, confine
from .lab import Broken, Check, Lab, lab_named
from .submission import MODULE, Submission, load
from .trial import Trial
from .verdict import FAIL, PASS, UNKNOWN, Verdict

__all__ = ["main"]

_EVENTS = 60  # in a picture of a run: a screen full
_SEEN = 1000  # letters of what was seen: a verdict is read by a person


def main() -> int:
    for line in sys.stdin.buffer:
        told = json.loads(line)
        lab_named(told["lab"])  # loaded before the fork: each check begins with it
        if not hasattr(os, "fork"):
            _check(told)
        child = os.fork()
        if not child:
            _apart()
            _check(told)
        _say(f"began {child}")
        _, status = os.waitpid(child, 0)
        _say(f"ended {os.waitstatus_to_exitcode(status)}")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _apart() -> None:
    """This process is a session of its own, has no input, and prints where the parent reads it."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as long as the process; what was read ahead is not for us


def _check(told: dict[str, Any]) -> NoReturn:
    lab, folder, token = lab_named(told["lab"]), pathlib.Path(told["folder"]), told.pop("token")
    check, submission = lab.check_named(told["check"]), Submission(**told["submission"])
    os.chdir(folder)
    began = time.monotonic()
    verdict = _verdict(lab, check, submission, Trial(told["seed"], folder))
    verdict.seconds = time.monotonic() - began
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    (folder / "verdict.json").write_bytes(msgspec.json.encode({"token": token, "verdict": verdict}))
    os._exit(0)  # threads that the student's code has left behind end here


def _verdict(lab: Lab, check: Check, submission: Submission, trial: Trial) -> Verdict:
    verdict = Verdict(check.name, PASS, check.points, check.points, check.expected, trial.seed)
    before = Fingerprint()
    confine()
    try:
        mine = load(submission, lab, _folder(trial))
        check.function(mine, trial)
        if changed := before.changed():
            raise Broken("changed-rpclab", f"changed: {', '.join(changed[:5])}")
    except Broken as broken:
        _failed(verdict, lab, broken, trial)
    except MemoryError:
        _failed(verdict, lab, Broken("too-much-memory", "Python could get no more memory"), trial)
    except (Exception, SystemExit, RecursionError) as error:
        line = _students_line(error, submission)
        if line or isinstance(error, SystemExit) or _not_as_called(error, lab):
            seen = f"{type(error).__name__}: {error_text(error)}" + (f" ({line})" if line else "")
            _failed(verdict, lab, Broken("raised", seen), trial)
        else:
            verdict.verdict, verdict.points = UNKNOWN, 0
            last = traceback.format_exception_only(error)[-1].strip()
            verdict.seen = f"the check itself could not go on: {last}"[:_SEEN]
            traceback.print_exception(error)
    return verdict


def _folder(trial: Trial) -> pathlib.Path:
    folder = trial.folder / "code"
    folder.mkdir()
    return folder


def _failed(verdict: Verdict, lab: Lab, broken: Broken, trial: Trial) -> None:
    verdict.verdict, verdict.points = FAIL, 0
    verdict.fault, verdict.seen = broken.fault, _beginning(broken.seen)
    verdict.hints = list(lab.hint(broken.fault))
    if broken.event is not None:
        verdict.event = f"{broken.event.node} {broken.event.number} {broken.event.kind}"
    history = broken.history or trial.history
    if history is not None and len(history):
        verdict.picture = _picture(history, broken)


def _beginning(text: str) -> str:
    """As many of its lines as a person reads."""
    return text if len(text) <= _SEEN else text[:_SEEN].rpartition("\n")[0] or text[:_SEEN]


def _picture(history: History, broken: Broken) -> str:
    """The end of the run, or what lies around the event that broke it; "" where nothing can draw it."""
    try:
        from ..plots import diagram  # here: drawing takes a second to load, and most checks pass
    except ImportError:
        return ""
    event = broken.event
    shown = diagram(history, last=_EVENTS) if event is None else diagram(history, around=event, mark=event)
    return shown.svg()


def _students_line(error: BaseException, submission: Submission) -> str:
    """The last line of the student's own code that an exception went through, "" if it went through none."""
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == __file__:
            continue  # it is __main__ too, as a notebook is
        if frame.f_globals.get("__name__") in (MODULE, "__main__") or frame.f_code.co_filename == submission.source:
            found = f"in {frame.f_code.co_name}, line {line}"
    return found


def _not_as_called(error: BaseException, lab: Lab) -> bool:
    """Whether a part takes other arguments than those it is given: then none of its own lines ran."""
    named = "|".join(map(re.escape, (*lab.needs, "<lambda>")))
    return (
        isinstance(error, TypeError) and re.match(rf"({named})(\.\w+)?\(\) (takes|got|missing)", str(error)) is not None
    )


if __name__ == "__main__":
    sys.exit(main())
