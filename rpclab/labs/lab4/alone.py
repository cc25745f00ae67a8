"""Lab 4's checks of the student's part by itself."""

from __future__ import annotations

import math
import pickle
import random as chance
import time
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import PlacementError, error_text
from ...manager.placement import Request, decide
from ...records import ServerRecord
from ..lab import Broken, Mine
from ..reach import modules_of
from ..trial import Trial
from .about import LAB

__all__ = ["fewest", "one_of_them", "quick", "repeatable"]

_OF_CHANCE = {"random", "time", "secrets", "os", "posix", "nt", "uuid", "datetime", "numpy"}

_QUICK_TRIES = 20  # on a busy machine a single one may be interrupted
_Choose = Callable[[Sequence[ServerRecord], Request, chance.Random], Any]


def _servers(random: chance.Random, count: int, *, reserved: bool = True) -> list[ServerRecord]:
    return [
        ServerRecord(
            f"server{number}",
            ("127.0.0.1", 65000 + number),
            random.randrange(1_000_000),
            random.randrange(1_000_000) if reserved else 0,
            None,
            random.randrange(1000),
        )
        for number in range(1, count + 1)
    ]


def _decide(choose: _Choose, servers: Sequence[ServerRecord], random: chance.Random, number: int = 0) -> ServerRecord:
    request = Request("client1/photo.png", random.randrange(1_000_000), number)
    try:
        return decide(choose, servers, request, random)
    except PlacementError as error:
        if isinstance(error.__cause__, TypeError) and "NoneType" in str(error.__cause__):
            raise Broken("no-quota", f"no server has a quota: {error_text(error.__cause__)}") from error
        if error.__cause__ is not None:
            raise error.__cause__ from None
        raise Broken("none-of-them", error_text(error)) from None


def _load(server: ServerRecord) -> int:
    return server.stored_bytes + server.reserved_bytes


@LAB.check("the answer is one of the servers, also when there is only one", points=1)
def one_of_them(mine: Mine, trial: Trial) -> None:
    for count in (3, 2, 10):
        _decide(mine.choose, _servers(trial.random, count), trial.random)
    try:
        _decide(mine.choose, _servers(trial.random, 1), trial.random)
    except Broken:
        raise
    except Exception as error:
        raise Broken("one-server", f"{type(error).__name__}: {error_text(error)}") from error


@LAB.check(
    "the server with the fewest bytes is chosen, stored and promised ones together", points=3, after=("one-of-them",)
)
def fewest(mine: Mine, trial: Trial) -> None:
    wrong = [case for case in (_case(mine.choose, trial) for _ in range(60)) if case is not None]
    if not wrong:
        return
    faults = {name: sum(name in case[0] for case in wrong) for name in _EXPLAINED}
    best = max(faults, key=lambda name: faults[name])
    fault = best if faults[best] == len(wrong) > 10 else "always-the-same"
    if fault != best and not faults["of-all-fullest"]:
        fault = "not-all"  # chance would have met the fullest one in a dozen of 60 cases
    raise Broken(fault, f"in {len(wrong)} of 60 cases; {wrong[0][1]}")


_EXPLAINED = ("fullest", "counts-files", "ignores-reserved", "ignores-stored", "subtracts", "of-all-fullest")


def _case(choose: _Choose, trial: Trial) -> tuple[set[str], str] | None:
    """What explains a wrong choice, and how it looked; None for a right one."""
    servers = _servers(trial.random, trial.random.randrange(3, 8))
    chosen = _decide(choose, servers, trial.random)
    if _load(chosen) == min(map(_load, servers)):
        return None
    explained = {
        "fullest": _load(chosen) == max(map(_load, servers))
        or chosen.stored_bytes == max(each.stored_bytes for each in servers),
        "counts-files": chosen.files == min(each.files for each in servers),
        "ignores-reserved": chosen.stored_bytes == min(each.stored_bytes for each in servers),
        "ignores-stored": chosen.reserved_bytes == min(each.reserved_bytes for each in servers),
        "subtracts": chosen.stored_bytes - chosen.reserved_bytes
        == min(each.stored_bytes - each.reserved_bytes for each in servers),
        "of-all-fullest": _load(chosen) == max(map(_load, servers)),
    }
    emptiest = min(servers, key=_load)
    seen = (
        f"{chosen.node} was chosen, with {chosen.stored_bytes:,} bytes stored and {chosen.reserved_bytes:,} promised; "
        f"{emptiest.node} has {emptiest.stored_bytes:,} and {emptiest.reserved_bytes:,}"
    )
    return {name for name, holds in explained.items() if holds}, seen


@LAB.check(
    "the same arguments and the same seed give the same answer, and nothing is changed", points=2, after=("fewest",)
)
def repeatable(mine: Mine, trial: Trial) -> None:
    # equal servers, so that a tie is broken in whatever way it is
    equal = [ServerRecord(f"server{number}", ("127.0.0.1", number), 1000) for number in range(1, 9)]
    before = pickle.dumps(equal)
    answers = {_decide(mine.choose, equal, chance.Random(5)).node for _ in range(40)}
    if pickle.dumps(equal) != before or len(equal) != 8:
        raise Broken("changes-its-arguments", "after the call the list of servers was another one")
    if len(answers) > 1:
        raise Broken(
            "own-chance" if modules_of(mine.choose) & _OF_CHANCE else "remembers",
            f"of eight equally full servers, 40 equal calls chose {', '.join(sorted(answers))}",
        )


@LAB.check("one choice among 1,000 servers is quick", points=1, after=("fewest",))
def quick(mine: Mine, trial: Trial) -> None:
    servers = _servers(trial.random, 1000)
    own = look = math.inf
    for tried in range(1, _QUICK_TRIES + 1):
        own = min(own, _seconds(lambda: _decide(mine.choose, servers, trial.random)))
        look = min(look, _seconds(lambda: min(servers, key=lambda server: server.stored_bytes)))
        if own <= 60 * look:
            return
        if tried >= 3 and own > 600 * look:
            break  # so much no neighbour on the machine explains
    raise Broken("slow", f"it took {own / look:,.0f} times as long as one look at each server")


def _seconds(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
