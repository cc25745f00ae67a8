"""Lab 8: right solutions pass, typical wrong ones fail with the hint for their fault, the starter passes its first check."""

from __future__ import annotations

import pytest

from tests.labs import solving


@pytest.mark.parametrize("name", solving.right("lab8"))
def test_a_right_solution_passes_every_check(name: str) -> None:
    solving.passes("lab8", name)


@pytest.mark.parametrize("name", solving.wrong("lab8"))
def test_a_wrong_solution_fails_with_the_hint_that_names_its_fault(name: str) -> None:
    solving.fails_with_its_hint("lab8", name)


def test_the_starter_passes_its_first_check_and_fails_the_lab() -> None:
    solving.starts_and_fails("lab8")


def test_a_part_that_does_nothing_gains_nothing() -> None:
    solving.gains_nothing("lab8")
