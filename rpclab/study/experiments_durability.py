"""Experiments on time: how long it is to the first loss, by repair speed and by placement, and what a lost rack asks for."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import combinations
from random import Random
from statistics import fmean
from typing import Any

import numpy as np

from . import theory
from .experiments_copies import nodes_in_groups
from .outcome import Axis, Outcome, Row, Series

__all__ = ["PLACEMENTS", "Storm", "loss_by_placement", "repair_speed", "repair_storm", "storm", "times_to_loss"]

Array = np.ndarray[Any, np.dtype[Any]]
PLACEMENTS = ("fixed groups", "copysets", "random")
TIB, MIB = 2**40, 2**20


def repair_speed(seed: int = 1, runs: int = 20_000) -> Outcome:
    """Ten servers, two copies of everything, any two share a file: mean time to the first loss against repair time."""
    repairs = (1, 3, 10, 30, 100, 300)
    simulated = [_mean_time_two_copies(10, 1000, mttr, runs=runs, seed=seed) for mttr in repairs]
    exact = [theory.mean_time_to_data_loss(10, 1000, mttr) for mttr in repairs]
    textbook = [theory.mean_time_to_data_loss_textbook(10, 1000, mttr) for mttr in repairs]
    at = repairs.index(10)
    noise = 3.5 * exact[at] / runs**0.5
    return Outcome(
        "repair-speed",
        "Ten servers, two copies: mean time to data loss",
        "Ten times faster repair lasts nearly ten times longer; the textbook's formula is too low where repair is slow.",
        (
            Row("N=10, MTTF 1000, MTTR 10: mean time to loss", simulated[at], 1318, exact[at], noise + 20, noise),
            Row("  the exact formula", exact[at], 1322, None, 0.5),
            Row("  the textbook's approximation", textbook[at], 1111, None, 0.5),
        ),
        Axis("mean time to repair (h), servers fail after 1000 h", log=True),
        Axis("mean time to data loss (h)", log=True),
        (
            Series("exact: ((2N-1) λ + μ) / (N (N-1) λ²)", repairs, exact, "theory", 0),
            Series("textbook: MTTF² / (N (N-1) MTTR)", repairs, textbook, "theory", 1),
            Series("simulated", repairs, simulated, "simulation", 0),
        ),
    )


def _mean_time_two_copies(servers: int, mttf: float, mttr: float, *, runs: int, seed: int) -> float:
    """Each server has its own life and its own repair; the first to die while another is down ends the run."""
    random = np.random.default_rng(seed)
    time = np.zeros(runs)
    dies = random.exponential(mttf, (runs, servers))
    going = np.arange(runs)
    while len(going):
        first = dies[going].argmin(axis=1)
        died = dies[going, first]
        back = died + random.exponential(mttr, len(going))
        dies[going, first] = np.inf
        second = dies[going].min(axis=1)
        lost = second < back
        time[going[lost]] = second[lost]
        dies[going, first] = back + random.exponential(mttf, len(going))
        going = going[~lost]
    return float(time.mean())


def times_to_loss(
    placement: str, servers: int, copies: int, copy_time: float, *, mttf: float, runs: int, random: Random
) -> list[float]:
    """For each run, the time until all servers of some set that holds a file are down at once.

    Servers fail independently after `mttf` on average; `copy_time` is what one server alone would need to send what
    another stored. Its partners do it together, so it takes `copy_time` / partners: the wider the scatter, the sooner.
    """
    repair = copy_time / _partners(placement, servers, copies)
    others = _others(placement, servers, copies)
    return [_time_to_loss(servers, copies, others, repair, mttf, random) for _ in range(runs)]


def _time_to_loss(
    servers: int, copies: int, others: list[list[set[int]]] | None, repair: float, mttf: float, random: Random
) -> float:
    up_again: list[tuple[float, int]] = []
    down: set[int] = set()
    now = 0.0
    while True:
        now += random.expovariate((servers - len(down)) / mttf)
        while up_again and up_again[0][0] <= now:
            down.discard(heappop(up_again)[1])
        server = random.randrange(servers)
        while server in down:
            server = random.randrange(servers)
        if len(down) >= copies - 1 and (others is None or any(each <= down for each in others[server])):
            return now
        down.add(server)
        heappush(up_again, (now + repair, server))


def _partners(placement: str, servers: int, copies: int) -> int:
    return {"fixed groups": copies - 1, "copysets": 10, "random": servers - 1}[placement]


def _others(placement: str, servers: int, copies: int) -> list[list[set[int]]] | None:
    """For each server, who else holds what it holds, as sets of the other copies' servers; None: any others do."""
    if placement == "random":
        return None
    others: list[list[set[int]]] = [[] for _ in range(servers)]
    for order in nodes_in_groups(servers, copies, _partners(placement, servers, copies)):
        for group in order:
            for each in combinations(group, copies):
                for server in each:
                    others[server].append(set(each) - {server})
    return others


def loss_by_placement(seed: int = 1, servers: int = 1000, runs: int = 200) -> Outcome:
    """A thousand servers, with two copies and with three: mean time to the first loss, by placement and repair speed."""
    rows, series = [], []
    mttf = 1000.0
    for copies, times in ((2, (1.0, 3.0, 10.0)), (3, (100.0, 140.0, 200.0))):
        for style, placement in enumerate(PLACEMENTS):
            partners = _partners(placement, servers, copies)
            random = Random(seed)
            means = [
                fmean(times_to_loss(placement, servers, copies, each, mttf=mttf, runs=runs, random=random))
                for each in times
            ]
            formula = [theory.mean_time_to_data_loss_placed(servers, mttf, each, partners, copies) for each in times]
            what = f"{servers} servers, {copies} copies, copying {times[0]:g} h, {placement}: mean time (h)"
            rows.append(Row(what, means[0], None, formula[0], None, 0.3 * formula[0]))
            label = f"{placement}, {copies} copies"
            series.append(Series(f"{label}: formula", times, formula, "theory", style + 3 * (copies - 2)))
            series.append(Series(f"{label}, simulated", times, means, "simulation", style + 3 * (copies - 2)))
    return Outcome(
        "placements",
        f"{servers:,} servers that fail after 1000 h: mean time to data loss",
        "Two copies: placement makes no difference. Three: with ten partners it lasts ten times longer than with a thousand.",
        tuple(rows),
        Axis("time one server needs to send what another stored (h)", log=True),
        Axis("mean time to the first loss (h)", log=True),
        tuple(series),
    )


class Storm:
    """What the loss of a rack asks of the servers that are left: `hours` until all is copied, and the share of files lost."""

    def __init__(self, sent: Array, lost: int, files: int, seconds_a_file: float) -> None:
        self.sources = int((sent > 0).sum())
        self.hours = float(sent.max()) * seconds_a_file / 3600
        self.lost_share = lost / files


def storm(placement: str, servers: int, *, rack: int = 40, files: int = 1000, seed: int = 1) -> Storm:
    """Lose a rack at once, two copies of everything; each server stores 1 TiB in `files` copies and sends 64 MiB a second.

    Racks hold servers that are neighbours by name, as they do where people number machines. What limits is the
    server that has most to send.
    """
    first, second = _placed(placement, servers, servers * files // 2, np.random.default_rng(seed))
    gone, other_gone = first < rack, second < rack
    sources = np.where(gone, second, first)[gone ^ other_gone]
    sent = np.bincount(sources, minlength=servers)
    lost = int((gone & other_gone).sum())
    return Storm(sent, lost, len(first), TIB / files / (64 * MIB))


def _placed(placement: str, servers: int, files: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Both servers of each file: by the manager's `random`, its `copysets`, or in the document's pairs of neighbours."""
    first = random.integers(0, servers, files)
    if placement == "random":
        second = random.integers(0, servers - 1, files)
        return first, second + (second >= first)
    if placement == "fixed groups":
        return first, np.minimum(first ^ 1, servers - 1)
    partner = np.array([_partner(order, servers) for order in nodes_in_groups(servers, 2, 10)])
    return first, partner[random.integers(0, len(partner), files), first]


def _partner(order: list[list[int]], servers: int) -> Array:
    partners = np.empty(servers, np.int64)
    for group in order:
        for index, node in enumerate(group):
            partners[node] = group[(index + 1) % len(group)]
    return partners


def repair_storm(seed: int = 1) -> Outcome:
    """A rack of 40 of 1,000 to 5,000 servers is lost: how long the repair takes, and what cannot be repaired."""
    sizes = (1000, 2000, 3000, 4000, 5000)
    rows, series = [], []
    for style, placement in enumerate(("copysets", "random")):
        storms = [storm(placement, servers, seed=seed) for servers in sizes]
        sources = [min(400.0, n - 40) if placement == "copysets" else n - 40 for n in sizes]
        formula = [theory.storm_seconds(TIB, 40, each, 64 * MIB) / 3600 for each in sources]
        for index in (0, -1):
            what = f"{sizes[index]:,} servers, a rack of 40 lost, {placement}: hours to repair"
            rows.append(Row(what, storms[index].hours, None, formula[index]))
            share = 39 / (sizes[index] - 1) * 40 / sizes[index]
            judged = 0.3 * share if placement == "random" else None  # with copysets it is all or nothing, pair by pair
            rows.append(Row("  share of files lost", storms[index].lost_share, None, share, None, judged))
        series.append(Series(f"{placement}, spread evenly", sizes, formula, "theory", style))
        hours = [each.hours for each in storms]
        series.append(Series(f"{placement}, simulated", sizes, hours, "simulation", style))
    neighbours = storm("fixed groups", 1000, seed=seed)
    rows.append(
        Row("1,000 servers, fixed pairs: share of files lost", neighbours.lost_share, None, 40 / 1000, None, 0.003)
    )
    whole = theory.storm_seconds(TIB, 40, 1, 64 * MIB) / 3600
    rows.append(Row("at the manager's limit, 64 MiB/s for all together: hours", whole))
    return Outcome(
        "storm",
        "A rack of 40 servers is lost (1 TiB each, two copies)",
        "Placed at random everybody helps, and faster the more there are; the unluckiest server sets the end.",
        tuple(rows),
        Axis("servers", low=0),
        Axis("time until all has two copies again (h)", log=True),
        tuple(series),
    )
