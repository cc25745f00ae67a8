"""The simulation finds planted bugs, each from the first seed on that found it: `python -m tests.simulation --mutants` makes the
table. Any change of the role code changes what a seed is, so each may take a few more; never 500.
"""

from __future__ import annotations

import pytest

from .mutants import MUTANTS, caught_after

FOUND_BY = {
    "tombstone forgotten": 28,
    "repair from a bad copy": 35,
    "one server counted twice": 7,
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(name: str) -> None:
    assert caught_after(name, 500, first=FOUND_BY.get(name, 1))[0]
