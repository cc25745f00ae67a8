"""The simulation finds planted bugs, each with the first seed that finds it: `python -m tests.simulation --mutants`."""

from __future__ import annotations

import pytest

from .mutants import caught_after

FOUND_BY = {
    "answer before sync": 1,
    "rename before sync": 1,
    "secondary's failure ignored": 5,
    "capacity counted twice": 1,
    "stale version wins": 1,
    "tombstone forgotten": 28,
    "reservation leaked": 1,
    "acknowledged before the replica": 1,
}


@pytest.mark.parametrize("name", FOUND_BY)
def test_a_planted_bug_is_found(name: str) -> None:
    assert caught_after(name, 1, first=FOUND_BY[name])[0] == 1
