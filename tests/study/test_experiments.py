"""Every published number is made again, by the manager's own functions, and the formulas stand beside it."""

from __future__ import annotations

import functools
import math
from itertools import combinations
from random import Random

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from rpclab import plots
from rpclab.manager.placement import POLICIES
from rpclab.study import theory
from rpclab.study.balls import add_to_lesser, drawn_pairs, loads_by_one_choice, loads_by_two_choices
from rpclab.study.experiments import EXPERIMENTS
from rpclab.study.experiments_balance import stale_gap
from rpclab.study.experiments_copies import copysets_share_lost, nodes_in_groups, pairs_used, ring
from rpclab.study.experiments_durability import _placed, storm, times_to_loss
from rpclab.study.outcome import Outcome, Row
from rpclab.study.placing import Drawn, place

SEED = 1


@functools.cache
def outcome(name: str) -> Outcome:
    return EXPERIMENTS[name](seed=SEED)


@pytest.mark.parametrize("name", sorted(EXPERIMENTS.keys() - {"nagle"}))
def test_an_experiment_gives_the_published_numbers(name: str) -> None:
    assert outcome(name).holds, f"rpclab experiments {name} --seed {SEED}\n{outcome(name)}"


def test_another_seed_holds_too_and_the_same_gives_the_same() -> None:
    for name in ("balls", "old-reports", "two-dead", "repair-speed"):
        other = EXPERIMENTS[name](seed=SEED + 1)
        assert other.holds, other
        assert EXPERIMENTS[name](seed=SEED + 1) == other
        assert other.rows != outcome(name).rows


def test_a_small_last_write_waits_with_nagles_algorithm() -> None:
    with_it, without = (row.simulated for row in EXPERIMENTS["nagle"]().rows)
    if with_it < 20:
        pytest.skip(f"this system does not hold acknowledgements back on loopback: {with_it:.1f} ms")
    assert without < with_it / 2


def test_a_row_that_is_too_far_away_does_not_hold() -> None:
    assert Row("", 1.0, 1.2, 0.9, 0.3, 0.2).holds
    assert not Row("", 1.0, 1.2, 0.9, 0.1, 0.2).holds
    assert not Row("", 1.0, 1.2, 0.7, 0.3, 0.2).holds
    assert Row("", 1.0, 1.2, 0.7).holds


# The fast simulations decide as the manager does, ball by ball.


@given(st.integers(2, 12), st.integers(0, 200), st.integers(0, 99))
def test_two_choices_in_numpy_are_the_managers_to_the_ball(bins: int, balls: int, seed: int) -> None:
    first, second = drawn_pairs(bins, balls, np.random.default_rng(seed))
    loads = np.zeros(bins, np.int32)
    add_to_lesser(loads, first, second)
    draws = Drawn(zip(first.tolist(), second.tolist(), strict=True))
    chosen = [server for (server,) in place("two-choices", [1] * balls, servers=bins, random=draws)]
    assert loads.tolist() == np.bincount(np.array(chosen, int), minlength=bins).tolist()


def test_many_runs_at_once_are_as_one() -> None:
    loads = loads_by_two_choices(50, 500, seed=3, runs=400)
    assert loads.shape == (400, 50) and (loads.sum(axis=1) == 500).all()
    alone = [loads_by_two_choices(50, 500, seed=seed).max() for seed in range(400)]
    assert abs(loads.max(axis=1).mean() - np.mean(alone)) < 0.15  # 4 standard deviations


def test_one_choice_in_numpy_is_distributed_as_the_managers() -> None:
    fast = loads_by_one_choice(10, 100, seed=1, runs=3000).max(axis=1).mean()
    random = Random(1)
    slow = []
    for _ in range(200):
        chosen = [server for (server,) in place("random", [1] * 100, servers=10, random=random)]
        slow.append(np.bincount(chosen).max())
    assert abs(fast - np.mean(slow)) < 0.6  # 4 standard deviations


def test_a_herd_by_the_managers_own_rule_goes_to_the_first_of_equals() -> None:
    from rpclab.manager.placement import Request
    from rpclab.study.placing import servers_named

    old = servers_named(10)
    chosen = {POLICIES["fewest-bytes"](old, Request("", 1, n), Random(1)).node for n in range(100)}
    assert len(chosen) == 1  # what is reported does not change, so all 100 files go there
    assert stale_gap("least", 100, 2000, ties="name") == theory.worst_stale_gap(10, 100) == 90


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=200), st.integers(1, 9))
def test_with_exact_knowledge_the_spread_is_never_above_the_largest_file(sizes: list[int], servers: int) -> None:
    stored, largest = [0] * servers, 0
    for size, (server,) in zip(sizes, place("fewest-bytes", sizes, servers=servers, random=Random(0)), strict=True):
        stored[server] += size
        largest = max(largest, size)
        assert max(stored) - min(stored) <= largest


@given(st.lists(st.integers(1, 10**6), min_size=5, max_size=80), st.sampled_from([2, 4, 10]))
def test_the_documents_rule_locks_an_even_number_of_servers_into_pairs(sizes: list[int], servers: int) -> None:
    assert len(pairs_used("fewest-bytes", sizes, servers=servers, random=Random(0))) <= servers // 2


def test_a_ring_uses_every_neighbour() -> None:
    used = pairs_used(ring, [1] * 30, servers=10, random=Random(0))
    assert used == {tuple(sorted((n, (n + 1) % 10))) for n in range(10)}


def test_the_simulated_copysets_are_those_that_the_policy_uses() -> None:
    used = {frozenset(chosen) for chosen in place("copysets", [1] * 400, servers=30, copies=3, random=Random(1))}
    assert used <= {frozenset(group) for order in nodes_in_groups(30, 3, 10) for group in order}
    first, second = _placed("copysets", 30, 2000, np.random.default_rng(1))
    pairs = {frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)}
    assert pairs == {frozenset(group) for order in nodes_in_groups(30, 2, 10) for group in order}


# Formulas and simulations at corners that are known exactly.


def test_copysets_all_dead_is_a_loss_and_two_dead_of_three_copies_is_none() -> None:
    assert copysets_share_lost(9, 2, [2], trials=1000, seed=1) == [0.0]
    assert theory.copysets_loss(9, 3, 9, 3) == 1.0
    three = copysets_share_lost(9, 2, [3], trials=50_000, seed=1)[0]
    assert three == pytest.approx(3 / math.comb(9, 3), rel=0.1)


def test_the_maximum_of_two_balls_in_two_bins() -> None:
    assert theory.most_of_one_choice(2, 2)[2] == pytest.approx(1)
    exact = sum(max(a, b) for a, b in ((0, 4), (4, 0))) / 16 + 3 * 8 / 16 + 2 * 6 / 16
    assert loads_by_one_choice(2, 4, seed=1, runs=20_000).max(axis=1).mean() == pytest.approx(exact, abs=0.02)


def test_two_servers_without_repair_in_time_are_two_lives() -> None:
    never = theory.mean_time_to_data_loss(2, 1000, 1e12)
    assert never == pytest.approx(1000 / 2 + 1000)


def test_mean_time_to_loss_falls_with_slower_repair() -> None:
    for placement in ("fixed groups", "copysets", "random"):
        means = [
            np.mean(times_to_loss(placement, 60, 2, slow, mttf=1000, runs=60, random=Random(1))) for slow in (5.0, 50.0)
        ]
        assert means[0] > 3 * means[1]


def test_a_storm_has_as_many_helpers_as_the_placement_allows() -> None:
    alone = storm("random", 1000)
    assert 900 < alone.sources <= 960
    assert 300 < storm("copysets", 1000).sources <= 400
    assert storm("fixed groups", 1000).sources == 0  # both copies of everything lay in the rack
    assert alone.hours < storm("copysets", 1000).hours


def test_theory_counts_pairs_as_one_can() -> None:
    assert theory.pairs_loss(10, len(list(combinations(range(10), 2)))) == 1
    assert theory.used_pairs(10, 1) == pytest.approx(1)
    assert theory.used_pairs(10, 10**6) == pytest.approx(45)


# Pictures.


@pytest.mark.parametrize("name", sorted(EXPERIMENTS.keys() - {"nagle"}))
def test_a_picture_shows_every_series_with_its_units(name: str) -> None:
    ax = plots.plot_experiment(outcome(name), Figure().subplots())
    shown = outcome(name)
    assert [line.get_label() for line in ax.lines] == [series.label for series in shown.series]
    for line, series in zip(ax.lines, shown.series, strict=True):
        assert set(line.get_ydata()) <= set(series.y)
        assert (line.get_marker() == "None") == (series.kind == "theory")
    assert ax.get_xlabel() == shown.x.label and ax.get_ylabel() == shown.y.label
    assert shown.reading in [text.get_text() for text in ax.texts]
    assert {series.kind for series in shown.series} == {"theory", "simulation"}
    ax.figure.canvas.draw()
