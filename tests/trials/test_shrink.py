"""A failing schedule is made smaller: a planted bug of a hundred steps is shown by a handful."""

from __future__ import annotations

import random

import pytest

from rpclab.trials.schedule import Schedule
from rpclab.trials.shrink import _least, carry_out, kind_of, shrink

from ..simulation.mutants import planted


def test_what_can_be_left_out_is_left_out() -> None:
    chance = random.Random(1)
    for _ in range(200):
        items = list(range(chance.randint(0, 40)))
        needed = set(chance.sample(items, min(len(items), chance.randint(0, 4))))
        tried: list[list[int]] = []

        def fails(part: list[int], needed: set[int] = needed, tried: list[list[int]] = tried) -> bool:
            tried.append(part)
            return needed <= set(part)

        assert _least(items, fails) == sorted(needed)
        assert len(tried) <= 4 * len(items) + 20


def test_problems_are_of_a_kind_whatever_the_file_and_the_worst_comes_first() -> None:
    kinds = [
        kind_of("client6/a must be d05 (what client6 sent as 'a' in #14, acknowledged); it is gone"),
        kind_of("invariant 'counts' is invalid: server4 says that it stores 0 bytes"),
        kind_of("client1 #3 restore 'a': KeyError instead of an error of ours"),
        kind_of("KeyError: 'a'"),
        kind_of("not settled: client1/a version 2 has 1 copies, on ['server1']"),
        kind_of("not settled: server1: 7 bytes are still reserved"),
    ]
    assert kinds == sorted(kinds) and len(set(kinds)) == len(kinds)
    assert kind_of("client1/b must be e1; it is gone") == kinds[0]
    assert kind_of("invariant 'folders' is invalid: on server1") != kinds[1]


@pytest.mark.parametrize(
    ("bug", "seed", "seconds", "most"), [("stale version wins", 2, 3.0, 3), ("rename before sync", 3, 8.0, 5)]
)
def test_a_planted_bug_is_shown_by_a_handful_of_steps(
    bug: str, seed: int, seconds: float, most: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with planted(bug):
        first = carry_out(Schedule.of(seed, seconds))
        assert first.problems
        told: list[Schedule] = []
        found = shrink(first, 240, lambda tries, smallest: told.append(smallest))
        small = found.smallest.schedule
        assert sum(small.size) <= most < sum(first.schedule.size) / 8
        assert small.clients == 1 and len(told) == found.tries
        again = carry_out(small)
        assert again.problems == found.smallest.problems
        assert again.trial.cluster.order.lines == found.smallest.trial.cluster.order.lines
        with capsys.disabled():
            print(f"\n{bug}: {first.schedule} -> {small} ({found.tries} tries)")
    assert carry_out(small).problems == []  # without the bug


def test_ctrl_c_ends_the_search_with_the_smallest_that_was_found() -> None:
    def stop(tries: int, smallest: Schedule) -> None:
        if tries == 8:
            raise KeyboardInterrupt

    with planted("stale version wins"):
        first = carry_out(Schedule.of(2, 3.0))
        found = shrink(first, 240, stop)
    assert not found.finished and found.smallest.problems
    assert sum(found.smallest.schedule.size) < sum(first.schedule.size)


def test_there_is_no_end_to_it_but_the_time() -> None:
    with planted("stale version wins"):
        first = carry_out(Schedule.of(2, 3.0))
        found = shrink(first, 0.0, lambda tries, smallest: None)
    assert found.tries == 0 and not found.finished and found.smallest is first
