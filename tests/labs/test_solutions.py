"""What every lab has: a starter, a notebook, a reference, enough wrong and right solutions, and hints for their faults."""

from __future__ import annotations

import pytest

from rpclab.labs.lab import lab_named, lab_names
from tests.labs.solving import SOLUTIONS, STARTERS, named_fault, right, wrong


@pytest.mark.parametrize("lab", lab_names())
def test_each_lab_has_its_solutions(lab: str) -> None:
    assert all((SOLUTIONS / lab / f"{name}.py").is_file() for name in right(lab))
    assert len(wrong(lab)) >= 6
    assert len(right(lab)) >= 1 + 3


@pytest.mark.parametrize("lab", lab_names())
def test_each_lab_has_a_starter_and_a_notebook(lab: str) -> None:
    assert (STARTERS / f"{lab}.py").is_file()
    assert len(list(STARTERS.glob(f"{lab}-*.ipynb"))) == 1


@pytest.mark.parametrize("name", lab_names())
def test_each_wrong_solution_names_a_fault_that_its_lab_hints_at(name: str) -> None:
    lab = lab_named(name)
    met = {named_fault(SOLUTIONS / name / f"{each}.py") for each in wrong(name)}
    assert met <= lab.faults.keys() | {"raised"}
    assert all(len(set(hint)) == 3 and all(part.strip() for part in hint) for hint in lab.faults.values())
