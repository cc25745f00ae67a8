"""Balls into bins, millions a second, decided as the manager's placement functions decide.

One choice by random needs no order. The better of two does: a ball sees what all before it did. But only those that
share a bin with it, so a stretch of balls is decided in rounds, each round taking every ball that no undecided one
before it shares a bin with. The result is that of one ball after the other, to the ball; a test compares it with
`POLICIES["two-choices"]`, given the same draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["add_to_lesser", "drawn_pairs", "loads_by_one_choice", "loads_by_two_choices"]

Array = np.ndarray[Any, np.dtype[Any]]
_SHARE = 0.6  # balls of a stretch for each bin: more and there are many rounds, fewer and they are short


def drawn_pairs(bins: int, balls: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Two different bins for each ball, every pair with the same chance, the lower number first."""
    one = random.integers(0, bins, balls, dtype=np.int32)
    other = random.integers(0, bins - 1, balls, dtype=np.int32)
    other += other >= one
    return np.minimum(one, other), np.maximum(one, other)


def add_to_lesser(loads: Array, first: Array, second: Array) -> None:
    """Put one ball after the other into the emptier of its two bins; of equals, into `first`. Changes `loads`."""
    earliest = np.empty(len(loads), np.int32)
    while len(first):
        balls = np.arange(len(first), dtype=np.int32)
        both = np.empty(2 * len(first), np.int32)
        both[0::2], both[1::2] = first[::-1], second[::-1]
        earliest[both] = np.repeat(balls[::-1], 2)  # where a bin comes twice, numpy keeps the last: the earliest ball
        ready = (earliest[first] == balls) & (earliest[second] == balls)
        one, other = first[ready], second[ready]
        loads[np.where(loads[one] <= loads[other], one, other)] += 1
        first, second = first[~ready], second[~ready]


def loads_by_two_choices(bins: int, balls: int, *, seed: int, runs: int = 1) -> Array:
    """How many of the balls each bin gets by the better of two different ones: an array (runs, bins)."""
    random = np.random.default_rng(seed)
    loads = np.zeros(runs * bins, np.int32)
    stretch = max(1, int(_SHARE * runs * bins))
    for start in range(0, runs * balls, stretch):
        ball = np.arange(start, min(start + stretch, runs * balls))
        first, second = drawn_pairs(bins, len(ball), random)
        shift = (ball % runs * bins).astype(np.int32) if runs > 1 else np.int32(0)
        add_to_lesser(loads, first + shift, second + shift)
    return loads.reshape(runs, bins)


def loads_by_one_choice(bins: int, balls: int, *, seed: int, runs: int = 1) -> Array:
    """How many of the balls each bin gets by one random choice: an array (runs, bins)."""
    return np.random.default_rng(seed).multinomial(balls, np.full(bins, 1 / bins), size=runs)
