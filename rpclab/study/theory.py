"""What theory says about placement and durability: each closed form, with its source.

Only the standard library's `math` is used, so a formula reads here as it does in the paper. The simulations that stand
beside them are in `rpclab.study.experiments`.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, comb, exp, expm1, lgamma, log, log1p, sqrt

__all__ = [
    "copysets_loss",
    "heavy_gap_one_choice",
    "maximum_one_choice",
    "maximum_two_choices",
    "mean_time_to_data_loss",
    "mean_time_to_data_loss_placed",
    "mean_time_to_data_loss_textbook",
    "most_of_one_choice",
    "most_of_two_choices",
    "moved_by_one_more",
    "number_of_copysets",
    "pairs_loss",
    "permutations",
    "random_copies_loss",
    "storm_seconds",
    "used_pairs",
    "worst_stale_gap",
]


def maximum_one_choice(bins: int) -> float:
    """About how many of n balls the fullest of n bins gets by one random choice: ln n / ln ln n, times 1 + o(1).

    Azar, Broder, Karlin, Upfal, "Balanced allocations", 1999. The o(1) is large for any n there is: take the shape.
    """
    return log(bins) / log(log(bins))


def maximum_two_choices(bins: int) -> float:
    """About how many of n balls the fullest of n bins gets by the better of two: ln ln n / ln 2, plus O(1).

    Azar, Broder, Karlin, Upfal, "Balanced allocations", 1999, theorem 1.
    """
    return log(log(bins)) / log(2)


def most_of_one_choice(bins: int, balls: int) -> list[float]:
    """The chance that the fullest bin has at most k balls, for k = 0, 1, 2, ... until it is nearly 1.

    Each bin's count is binomial (balls, 1 / bins); the bins are taken for independent, which they are but for their sum
    (Mitzenmacher, Upfal, "Probability and Computing", 2005, section 5.4).
    """
    chances: list[float] = []
    below, k = 0.0, 0
    while not chances or (chances[-1] < 1 - 1e-9 and k <= balls):
        ways = lgamma(balls + 1) - lgamma(k + 1) - lgamma(balls - k + 1)
        below += exp(ways - k * log(bins) + (balls - k) * log1p(-1 / bins))
        chances.append(min(below, 1.0) ** bins)
        k += 1
    return chances


def most_of_two_choices(bins: int, balls: int, steps: int = 2000) -> list[float]:
    """The chance that the fullest bin has at most k balls by the better of two, for k = 0, 1, ..., 19.

    The share s(k) of bins with at least k balls follows ds(k)/dt = s(k - 1)^2 - s(k)^2 as balls / bins = t grows
    (Mitzenmacher, "The power of two choices in randomized load balancing", 1996, section 3.2); the number of bins beyond k
    is then taken for a Poisson variable with mean bins * s(k + 1).
    """
    share = [1.0] + [0.0] * 21
    step = balls / bins / steps
    for _ in range(steps):
        share = [1.0] + [own + step * (above**2 - own**2) for above, own in pairwise(share)]
    return [exp(-bins * share[k + 1]) for k in range(20)]


def heavy_gap_one_choice(bins: int, balls: int) -> float:
    """How far the fullest of n bins is above the mean m / n, for m well above n: sqrt(2 m ln n / n), times 1 + o(1).

    Raab, Steger, "Balls into bins: a simple and tight analysis", 1998, theorem 1. For the better of two the gap stays
    ln ln n / ln 2 + O(1), however many the balls (Berenbrink, Czumaj, Steger, Vöcking, "Balanced allocations: the heavily
    loaded case", 2006).
    """
    return sqrt(2 * balls * log(bins) / bins)


def worst_stale_gap(servers: int, every: int, choices: int | None = None) -> float:
    """How far above the mean one server can be pushed between two reports, in files; `choices` None: all are compared.

    Between two reports the order of the servers is fixed. The emptiest gets all `every` files, or, with d choices, those
    whose draw it is in, d of n. All servers together rise by every / n. (The herd of Mitzenmacher, "How useful is old
    information?", 2000.)
    """
    share = 1.0 if choices is None else choices / servers
    return every * (share - 1 / servers)


def number_of_copysets(servers: int, copies: int, scatter: int) -> float:
    """How many different sets of servers hold a file: scatter / (R - 1) permutations, each cut into N / R groups.

    Cidon, Rumble, Stutsman, Katti, Ousterhout, Rosenblum, "Copysets", USENIX ATC 2013, section 4.
    """
    return scatter / (copies - 1) * servers / copies


def copysets_loss(servers: int, copies: int, dead: int, copysets: float) -> float:
    """The chance that some set of servers is dead as a whole: 1 - (1 - C(f, R) / C(N, R))^M for M sets (Cidon et al., 2013)."""
    share = comb(dead, copies) / comb(servers, copies)
    return 1.0 if share == 1 else -expm1(copysets * log1p(-share))


def random_copies_loss(servers: int, copies: int, dead: int, files: int) -> float:
    """The same for files placed at random: every file is a set of its own (Cidon et al., 2013, section 2)."""
    return copysets_loss(servers, copies, dead, files)


def pairs_loss(servers: int, pairs: int) -> float:
    """The chance that two dead servers, any two, hold both copies of something: the share of pairs in use.

    Fixed pairs use N / 2 of C(N, 2), that is 1 / (N - 1); a ring uses N, 2 / (N - 1). By counting.
    """
    return pairs / comb(servers, 2)


def used_pairs(servers: int, files: int) -> float:
    """How many of the C(N, 2) pairs so many files with two copies each, placed at random, use on average.

    C (1 - (1 - 1 / C)^files), by counting.
    """
    pairs = comb(servers, 2)
    return -pairs * expm1(files * log1p(-1 / pairs))


def mean_time_to_data_loss(servers: int, mttf: float, mttr: float) -> float:
    """Two copies, any two servers share a file: ((2 N - 1) λ + μ) / (N (N - 1) λ²), in the unit of both times.

    The mean time to absorption of the chain "all up, one down, loss" with failures at rate λ = 1 / mttf each and repair at
    rate μ = 1 / mttr (Markov; the form in Trivedi, "Probability and Statistics", 2002, section 8.3).
    """
    failure, repair = 1 / mttf, 1 / mttr
    return ((2 * servers - 1) * failure + repair) / (servers * (servers - 1) * failure**2)


def mean_time_to_data_loss_textbook(servers: int, mttf: float, mttr: float) -> float:
    """The textbook's approximation of the same: MTTF² / (N (N - 1) MTTR), too small by about (2 N - 1) MTTR / MTTF.

    Patterson, Gibson, Katz, "A case for redundant arrays of inexpensive disks", 1988.
    """
    return mttf**2 / (servers * (servers - 1) * mttr)


def mean_time_to_data_loss_placed(servers: int, mttf: float, copy_time: float, partners: int, copies: int = 2) -> float:
    """The same by placement: each server shares files with `partners` others, which rebuild it in `copy_time` / partners.

    A death is a loss if the others of one of its sets are down; of sets there are partners / (R - 1), or all there can
    be when everybody is a partner. Each server is down mttr / (mttf + mttr) of the time, independently. So with two copies
    wide and narrow scatter last equally long; with three the narrow lasts longer, by the number of partners. (Ours, after
    Cidon et al., "Copysets", 2013, and the approximation of 1988 above.)
    """
    mttr = copy_time / partners
    down = mttr / (mttf + mttr)
    everybody = partners == servers - 1
    sets = comb(partners, copies - 1) if everybody else partners / (copies - 1)
    if everybody:
        expected = partners * down
        lost = 1 - sum(exp(-expected) * expected**k / exp(lgamma(k + 1)) for k in range(copies - 1))
    else:
        lost = -expm1(sets * log1p(-(down ** (copies - 1))))
    return (mttf + mttr) / (servers * lost)


def moved_by_one_more(servers: int) -> float:
    """The share of files that rendezvous hashing moves when one server joins N: 1 / (N + 1).

    Thaler, Ravishankar, "Using name-based mappings to increase hit rates", 1998.
    """
    return 1 / (servers + 1)


def storm_seconds(stored_bytes: float, dead: int, sources: float, bytes_s: float) -> float:
    """How long it takes until what `dead` servers held is copied anew, when so many sources send evenly at `bytes_s` each."""
    return dead * stored_bytes / (sources * bytes_s)


def permutations(copies: int, scatter: int) -> int:
    """How many permutations give each server at least `scatter` partners: scatter / (R - 1), rounded up (Cidon et al., 2013)."""
    return ceil(scatter / max(1, copies - 1))
