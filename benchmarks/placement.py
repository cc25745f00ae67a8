"""How long the manager's directory takes to choose one server, by policy and by number of servers.

Run it with `python -m benchmarks.placement`. A choice is all of `Placing.choose`: what the policy takes, the check of
its answer, and the facts for the event log. Two servers are excluded and a third is full.
"""

from __future__ import annotations

from random import Random
from time import perf_counter

from rpclab.config import Address
from rpclab.manager.directory import Directory
from rpclab.manager.placement import POLICIES
from rpclab.records import ServerRecord

__all__ = ["SIZES", "main", "measure"]

SIZES = (10, 1_000, 100_000)
RUNS = 25  # the best of so many: what the code costs when nothing else runs
RUN_S = 0.02  # long beside the clock's resolution, short beside what else a machine does


def measure(sizes: tuple[int, ...] = SIZES, *, seed: int = 1) -> dict[str, dict[int, float]]:
    """Microseconds a choice, by policy and by number of servers."""
    return {name: {size: _microseconds(name, size, Random(seed)) for size in sizes} for name in POLICIES}


def main() -> None:
    """Print the figures as a table."""
    print(f"{'µs a choice':16}" + "".join(f"{size:>12,}" for size in SIZES) + "  servers")
    for name, figures in measure().items():
        print(f"{name:16}" + "".join(f"{figures[size]:12.1f}" for size in SIZES))


def _microseconds(policy: str, servers: int, random: Random) -> float:
    directory = _directory(policy, servers, random)
    count = max(1, min(10_000, int(RUN_S / _seconds(directory, random, 1))))
    return min(_seconds(directory, random, count) for _ in range(RUNS)) * 1e6


def _seconds(directory: Directory, random: Random, count: int) -> float:
    """Seconds a choice, the average of so many."""
    exclude = frozenset({_address(1), _address(2)})
    start = perf_counter()
    for number in range(count):
        directory.placing.choose(now=0.0, random=random, exclude=exclude, size=1000, file=f"anna/{number}")
    return (perf_counter() - start) / count


def _directory(policy: str, servers: int, random: Random) -> Directory:
    directory = Directory(policy=POLICIES[policy], policy_name=policy, reservation_s=120.0)
    for number in range(servers):
        quota = 2**40 if number else 0
        stored = random.randrange(2**30)
        directory.add(ServerRecord(f"server{number}", _address(number), stored, quota_bytes=quota))
    return directory


def _address(number: int) -> Address:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 65433


if __name__ == "__main__":
    main()
