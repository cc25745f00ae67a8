"""Experiments on where copies lie: which servers may die together, and what a server that joins moves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from math import comb
from random import Random
from typing import Any

import numpy as np

from ..manager.placement import POLICIES, Request, Servers, copyset_groups
from ..records import ServerRecord
from . import theory
from .outcome import Axis, Outcome, Row, Series
from .placing import place, servers_named

__all__ = [
    "copysets_lost",
    "copysets_share_lost",
    "lock_in",
    "nodes_in_groups",
    "pairs_used",
    "rendezvous_moves",
    "ring",
    "two_dead",
]

Array = np.ndarray[Any, np.dtype[Any]]
Pairs = set[tuple[int, ...]]


def nodes_in_groups(servers: int, copies: int, scatter: int) -> list[list[list[int]]]:
    """The groups that the policy `copysets` makes, by server number: a list of groups for each order."""
    number = {server.node: server.address[1] for server in servers_named(servers)}
    return [
        [[number[node] for node in group] for group in copyset_groups(number, copies, order)]
        for order in range(theory.permutations(copies, scatter))
    ]


def copysets_share_lost(servers: int, scatter: int, dead: Sequence[int], *, trials: int, seed: int) -> list[float]:
    """How often so many servers, dead at once, hold all three copies of something, with `copysets`."""
    groups = nodes_in_groups(servers, 3, scatter)
    group_of = np.array([_group_of(order, servers) for order in groups])
    random = np.random.default_rng(seed)
    shares = []
    for count in dead:
        lost = done = 0
        while done < trials:
            these = np.sort(random.integers(0, servers, (20_000, count)), axis=1)
            these = these[(np.diff(these, axis=1) > 0).all(axis=1)]  # those that drew nobody twice
            hit = np.zeros(len(these), bool)
            for order in group_of:
                together = np.sort(order[these], axis=1)
                hit |= (together[:, 2:] == together[:, :-2]).any(axis=1)
            lost, done = lost + int(hit.sum()), done + len(these)
        shares.append(lost / done)
    return shares


def _group_of(order: list[list[int]], servers: int) -> Array:
    """Which group of an order each server is in. The last group may be larger than three: then any three of it count."""
    groups = np.empty(servers, np.int32)
    for index, group in enumerate(order):
        groups[group] = index
    return groups


def copysets_lost(seed: int = 1, trials: int = 100_000) -> Outcome:
    """Copysets: the chance that something is lost when 1 % of 5000 servers die at once, three copies of everything."""
    sizes, servers, copies = (1000, 2000, 3000, 4000, 5000), 5000, 3
    rows, series = [], []
    for style, (scatter, published) in enumerate(((2, 0.0015), (10, 0.0078))):
        sets = [theory.number_of_copysets(n, copies, scatter) for n in sizes]
        formula = [theory.copysets_loss(n, copies, n // 100, m) for n, m in zip(sizes, sets, strict=True)]
        shares = [
            copysets_share_lost(n, scatter, [n // 100], trials=trials if n == servers else trials // 4, seed=seed)[0]
            for n in sizes
        ]
        noise = 3.5 * (formula[-1] / trials) ** 0.5
        what = f"5000 servers, 50 dead, copysets with scatter width {scatter}: P(loss)"
        rows.append(Row(what, shares[-1], published, formula[-1], noise + 0.0001, noise))
        label = f"copysets, scatter width {scatter}"
        series.append(Series(f"{label}: formula", sizes, formula, "theory", style))
        series.append(Series(f"{label}, simulated", sizes, shares, "simulation", style))
    # The published 22.8 % is what the formula gives for 55 sets a server. Sets in a window overlap, so losses come in
    # clumps and are rarer: the formula, which takes sets for independent, is then an upper bound.
    for style, (label, published, each, windows, allowed) in enumerate(
        (
            ("two of the next 11 servers (HDFS)", 0.228, 55, True, 0.05),
            ("55 random sets a server", 0.228, 55, False, 0.03),
            ("random, 8000 chunks a server (RAMCloud)", 0.9999, 8000 / 3, False, 0.001),
        ),
        start=2,
    ):
        files = [round(n * each) for n in sizes]
        formula = [theory.random_copies_loss(n, copies, n // 100, m) for n, m in zip(sizes, files, strict=True)]
        shares = [_random_share_lost(n, m, windows, runs=3000, seed=seed) for n, m in zip(sizes, files, strict=True)]
        what = f"5000 servers, 50 dead, {label}: P(loss)"
        rows.append(Row(what, shares[-1], published, formula[-1], allowed, allowed))
        if label != "55 random sets a server":
            series.append(Series(f"{label}: formula", sizes, formula, "theory", style))
            series.append(Series(f"{label}, simulated", sizes, shares, "simulation", style))
    return Outcome(
        "copysets",
        "1 % of all servers die at once, three copies",
        "The fewer sets of servers hold files together, the rarer a loss; each is then larger.",
        tuple(rows),
        Axis("servers", low=0),
        Axis("chance that some file is lost", log=True),
        tuple(series),
    )


def _random_share_lost(servers: int, files: int, windows: bool, *, runs: int, seed: int) -> float:
    """The same with 1 % dead for files anywhere, or on a server and two of the 11 after it, all such sets in use.

    Anywhere: how many of the files lie on dead servers only is binomial.
    """
    random = np.random.default_rng(seed)
    dead = servers // 100
    if not windows:
        chance = comb(dead, 3) / comb(servers, 3)
        return float((random.binomial(files, chance, runs) > 0).mean())
    lost = 0
    for _ in range(runs):
        gone = np.sort(random.choice(servers, dead, replace=False))
        third = np.concatenate([gone[2:], gone[:2] + servers])  # around the end to the first
        lost += bool((third - gone <= 11).any())
    return lost / runs


def ring(servers: Servers, request: Request, random: Random) -> ServerRecord:
    """The server after the first copy's: the manager's round-robin, a turn for each file instead of each decision."""
    number = request.number // request.copies
    return POLICIES["round-robin"](servers, Request(request.file, request.size, number), random)


def pairs_used(policy: Any, sizes: Iterable[int], *, servers: int, random: Random) -> Pairs:
    """Which pairs of servers hold both copies of some file."""
    return {tuple(sorted(pair)) for pair in place(policy, sizes, servers=servers, copies=2, random=random)}


def two_dead(seed: int = 1, runs: int = 30) -> Outcome:
    """Two copies, exactly two servers dead: the chance that some file is lost, by where the pairs lie."""
    random, servers = Random(seed), 10
    rules: dict[str, tuple[Any, float, int, float]] = {
        "fixed pairs (the document's rule)": ("fewest-bytes", 0.111, 1, 1e-3),
        "ring": (ring, 0.222, 1, 1e-3),
        "random": ("random", 0.894, runs, 0.03),
    }
    rows, series = [], []
    counts = (5, 10, 20, 50, 100, 200, 400)
    for style, (name, (policy, published, times, allowed)) in enumerate(rules.items()):
        lost = [
            sum(
                theory.pairs_loss(servers, len(pairs_used(policy, [100] * files, servers=servers, random=random)))
                for _ in range(times)
            )
            / times
            for files in counts
        ]
        limit = {0: servers / 2, 1: servers}.get(style)
        pairs = [min(files, limit) if limit else theory.used_pairs(servers, files) for files in counts]
        formula = [theory.pairs_loss(servers, 1) * pair for pair in pairs]
        at = counts.index(100)
        rows.append(Row(f"10 servers, 100 files, {name}: P(loss)", lost[at], published, formula[at], allowed, allowed))
        series.append(Series(f"{name}: formula", counts, formula, "theory", style))
        series.append(Series(f"{name}, simulated", counts, lost, "simulation", style))
    return Outcome(
        "two-dead",
        "Two of 10 servers are dead, two copies",
        "Of two dead servers, fixed pairs lose something in one case of nine, random placement nearly always.",
        tuple(rows),
        Axis("files", log=True),
        Axis("chance that some file is lost", low=0),
        tuple(series),
    )


def lock_in(seed: int = 1, files: int = 2000) -> Outcome:
    """The document's rule, both copies to the two emptiest servers: how many pairs of servers it uses.

    The two copies are equally large, so two servers that were filled together stay equal and are chosen together again,
    whatever the files' sizes, when the number of servers is even. With an odd number the pairs change.
    """
    random = Random(seed)
    pareto = [int(1000 * random.paretovariate(1.2)) for _ in range(files)]
    cases: tuple[tuple[str, int, list[int], int | None], ...] = (
        ("10 servers, files of one size", 10, [1000] * files, 5),
        ("10 servers, sizes by Pareto's law", 10, pareto, 5),
        ("11 servers, sizes by Pareto's law", 11, pareto, None),
    )
    shown = [count for count in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000) if count <= files]
    rows, series = [], []
    for style, (name, servers, sizes, published) in enumerate(cases):
        pairs: Pairs = set()
        used: list[int] = []
        for pair in place("fewest-bytes", sizes, servers=servers, copies=2, random=random):
            pairs.add(tuple(sorted(pair)))
            used.append(len(pairs))
        rows.append(Row(f"{name}: pairs used", used[-1], published, published, 0, 0))
        series.append(Series(f"{name}, simulated", shown, [used[count - 1] for count in shown], "simulation", style))
    fixed = [float(min(count, 5)) for count in shown]
    mixed = [theory.used_pairs(11, count) for count in shown]
    series.append(Series("10 servers: N / 2 fixed pairs", shown, fixed, "theory", 0))
    series.append(Series("11 servers, random placement: C(1 - (1 - 1/C)^files)", shown, mixed, "theory", 2))
    return Outcome(
        "lock-in",
        "Both copies to the two emptiest servers",
        "With an even number of servers the rule locks into N / 2 fixed pairs, with an odd one it mixes them.",
        tuple(rows),
        Axis("files", log=True),
        Axis("pairs of servers in use", low=0),
        tuple(series),
    )


def rendezvous_moves(seed: int = 1, files: int = 8000) -> Outcome:
    """Rendezvous hashing: the share of files that one more server takes over, and that no other file moves.

    It hashes names and takes no chances, so `seed` changes nothing here.
    """
    counts = (2, 4, 10, 20)
    shares, elsewhere = [], 0
    for servers in counts:
        before, after = (
            [pair[0] for pair in islice(place("rendezvous", [1] * files, servers=n, random=Random(seed)), files)]
            for n in (servers, servers + 1)
        )
        moved = [new for old, new in zip(before, after, strict=True) if old != new]
        elsewhere += sum(new != servers for new in moved)
        shares.append(len(moved) / files)
    formula = [theory.moved_by_one_more(servers) for servers in counts]
    at = counts.index(10)
    noise = 3.5 * (formula[at] / files) ** 0.5
    return Outcome(
        "rendezvous",
        "Rendezvous hashing: one server joins",
        "The new server takes over its share, 1 / (N + 1), and nothing else moves.",
        (
            Row("10 servers, one more: share of files that move", shares[at], 0.0910, formula[at], noise, noise),
            Row("files that moved to another than the new server", elsewhere, None, 0.0, None, 0.0),
        ),
        Axis("servers before, N", log=True),
        Axis("share of files that move", low=0),
        (
            Series("1 / (N + 1)", counts, formula, "theory", 0),
            Series("simulated", counts, shares, "simulation", 0),
        ),
    )
