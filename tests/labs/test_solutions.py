"""Every lab's solutions: the reference and unusual right ones pass, typical wrong ones fail with the hint for their fault."""

from __future__ import annotations

import pathlib
import re

import pytest

from rpclab.labs.checking import check_submission
from rpclab.labs.lab import lab_named, lab_names
from rpclab.labs.submission import Submission

SOLUTIONS = pathlib.Path(__file__).parent / "solutions"


def solutions(pattern: str) -> list[str]:
    return sorted(str(path.relative_to(SOLUTIONS)) for path in SOLUTIONS.glob(f"*/{pattern}.py"))


@pytest.mark.parametrize("path", [*solutions("reference"), *solutions("right_*")])
def test_a_right_solution_passes_every_check(path: str) -> None:
    lab = lab_named(path.partition("/")[0])
    verdicts = check_submission(lab, Submission.from_file(SOLUTIONS / path))
    assert verdicts.passed, verdicts.text(3) + "".join(each.output for each in verdicts.verdicts)


@pytest.mark.parametrize("path", solutions("wrong_*"))
def test_a_wrong_solution_fails_with_the_hint_that_names_its_fault(path: str) -> None:
    lab = lab_named(path.partition("/")[0])
    expected = re.search(r"^# fault: (\S+)$", (SOLUTIONS / path).read_text(encoding="utf-8"), re.MULTILINE)
    assert expected, f"{path} does not say which fault it has"
    verdicts = check_submission(lab, Submission.from_file(SOLUTIONS / path), first_failure=True)
    first = verdicts.first
    assert first is not None, f"{path} passes"
    assert first.fault == expected[1], verdicts.text(3) + first.output
    assert first.hints == list(lab.hint(first.fault)) and all(first.hints)


@pytest.mark.parametrize("lab", sorted({path.partition("/")[0] for path in solutions("*")}))
def test_each_lab_has_its_solutions(lab: str) -> None:
    assert (SOLUTIONS / lab / "reference.py").is_file()
    assert len(solutions("wrong_*")) and len([each for each in solutions("wrong_*") if each.startswith(lab)]) >= 6
    assert len([each for each in solutions("right_*") if each.startswith(lab)]) >= 3


LABS = pathlib.Path(__file__).parents[2] / "notebooks" / "labs"


@pytest.mark.parametrize("path", sorted(LABS.glob("*.py")), ids=lambda path: path.stem)
def test_a_starter_passes_its_first_check_and_fails_the_lab(path: pathlib.Path) -> None:
    lab = lab_named(path.stem)
    verdicts = check_submission(lab, Submission.from_file(path), first_failure=True)
    assert verdicts.verdicts[0].verdict == "pass", verdicts.text(3)
    assert verdicts.first is not None and verdicts.first.fault in lab.faults, verdicts.text(3)


@pytest.mark.parametrize("name", lab_names())
def test_each_lab_has_a_starter_and_a_notebook(name: str) -> None:
    assert (LABS / f"{name}.py").is_file()
    assert len(list(LABS.glob(f"{name}-*.ipynb"))) == 1


@pytest.mark.parametrize("name", lab_names())
def test_each_wrong_solution_names_a_fault_that_its_lab_hints_at(name: str) -> None:
    lab = lab_named(name)
    texts = [path.read_text(encoding="utf-8") for path in (SOLUTIONS / name).glob("wrong_*.py")]
    met = {fault for text in texts for fault in re.findall(r"^# fault: (\S+)$", text, re.MULTILINE)}
    assert met <= lab.faults.keys() | {"raised"}
    assert all(len(set(hint)) == 3 and all(part.strip() for part in hint) for hint in lab.faults.values())
