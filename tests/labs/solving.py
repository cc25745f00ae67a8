"""What the tests of each lab's solutions share. They are a file a lab, so that two labs are tried at once."""

from __future__ import annotations

import pathlib
import re
from dataclasses import replace

from rpclab.labs.checking import check_submission
from rpclab.labs.lab import lab_named
from rpclab.labs.submission import Submission
from rpclab.labs.verdict import FAIL, PASS
from rpclab.text import cells

SOLUTIONS = pathlib.Path(__file__).parent / "solutions"
STARTERS = pathlib.Path(__file__).parents[2] / "notebooks" / "labs"


def right(lab: str) -> list[str]:
    """The names of a lab's right solutions: the reference, and the unusual ones."""
    return ["reference", *sorted(path.stem for path in (SOLUTIONS / lab).glob("right_*.py"))]


def wrong(lab: str) -> list[str]:
    """The names of a lab's typical wrong solutions."""
    return sorted(path.stem for path in (SOLUTIONS / lab).glob("wrong_*.py"))


def named_fault(path: pathlib.Path) -> str:
    """The fault that a wrong solution says it has."""
    found = re.search(r"^# fault: (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{path} does not say which fault it has"
    return found[1]


def passes(lab: str, name: str) -> None:
    """A right solution passes every check."""
    verdicts = check_submission(lab_named(lab), Submission.from_file(SOLUTIONS / lab / f"{name}.py"))
    assert verdicts.passed, verdicts.text(3) + "".join(each.output for each in verdicts.verdicts)


def fails_with_its_hint(lab: str, name: str) -> None:
    """A wrong solution fails, and the first hint is that for its fault."""
    path, own = SOLUTIONS / lab / f"{name}.py", lab_named(lab)
    submission = replace(Submission.from_file(path), source=f"{lab}.py")
    verdicts = check_submission(own, submission, first_failure=True)
    first = verdicts.first
    assert first is not None, f"{path} passes"
    assert first.fault == named_fault(path), verdicts.text(3) + first.output
    assert first.hints == list(own.hint(first.fault)) and all(first.hints)
    said = verdicts.text(3)
    assert f"rpclab check {lab} {lab}.py --only {first.check} --seed {first.seed}" in said
    assert all(cells(line) <= 80 for line in said.splitlines()), said


def starts_and_fails(lab: str) -> None:
    """The starter passes its first check, for one point, and nothing else; of each other check it is said why."""
    own = lab_named(lab)
    verdicts = check_submission(own, Submission.from_file(STARTERS / f"{lab}.py"))
    passed = [each.check for each in verdicts.verdicts if each.verdict == PASS]
    assert passed == [own.checks[0].name] and verdicts.points == 1, verdicts.text(3)
    for each in verdicts.verdicts[1:]:
        hinted = each.verdict == FAIL and each.hints == list(own.hint(each.fault))
        assert each.seen and (hinted or each.seen.startswith("not tried: ")), verdicts.text(3)


def gains_nothing(lab: str) -> None:
    """A part that takes everything and gives None back fails the first check, and has no points."""
    own = lab_named(lab)
    parts = {part: _Nothing if what.startswith("class") else _nothing for part, what in own.needs.items()}
    verdicts = check_submission(own, Submission.from_objects(parts))
    assert verdicts.points == 0 and verdicts.verdicts[0].verdict == FAIL, verdicts.text(3)


def _nothing(*anything: object, **named: object) -> None:
    return None


class _Nothing:
    def __init__(self, *anything: object, **named: object) -> None:
        pass

    def __getattr__(self, name: str) -> object:
        return _nothing
