"""Files placed one after the other by the manager's own functions, on servers that exist only as records.

What the manager's directory does around a decision is done here too, with the same `Pool`: the servers that already
have a copy of the file are left out, and the bytes count at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any

from msgspec.structs import replace

from ..manager.candidates import Pool
from ..manager.placement import POLICIES, Policy, Request
from ..records import ServerRecord

__all__ = ["Drawn", "place", "servers_named"]


class Drawn(Random):
    """Hands the policies draws that were made before, so that a simulation in numpy and they can be compared."""

    def __init__(self, draws: Iterable[Sequence[int]]) -> None:
        super().__init__(0)
        self._draws = iter(draws)

    def choice(self, seq: Any) -> Any:
        (number,) = next(self._draws)
        return seq[number]

    def sample(self, population: Any, k: int, *, counts: Any = None) -> Any:
        numbers = next(self._draws)
        assert len(numbers) == k
        return [population[number] for number in numbers]


def servers_named(count: int) -> list[ServerRecord]:
    """Empty servers, whose order by name is their order by number."""
    width = len(str(count))
    return [ServerRecord(f"server{number:0{width}}", ("", number), 0) for number in range(count)]


def place(
    policy: str | Policy, sizes: Iterable[int], *, servers: int, copies: int = 1, random: Random
) -> Iterator[tuple[int, ...]]:
    """For each file, the numbers of the servers that the policy puts its copies on; `sizes` in bytes."""
    decide = POLICIES[policy] if isinstance(policy, str) else policy
    pool = Pool()
    for server in servers_named(servers):
        pool.put(server)
    number = 0
    for file, size in enumerate(sizes):
        chosen: list[ServerRecord] = []
        while len(chosen) < copies:
            candidates = pool.candidates(exclude={server.address for server in chosen})
            beside = tuple(server.node for server in chosen)
            chosen.append(decide(candidates, Request(f"simulated/{file}", size, number, copies, beside), random))
            number += 1
        for server in chosen:
            pool.put(replace(server, stored_bytes=server.stored_bytes + size, files=server.files + 1))
        yield tuple(server.address[1] for server in chosen)
