"""What a check works with: chance from one seed, a folder of its own, and clusters with the student's part in place of ours."""

from __future__ import annotations

import contextlib
import pathlib
import random
from collections.abc import Iterator
from typing import Any

from blake3 import blake3

from ..cluster.local import LocalCluster
from ..cluster.simulated import SimCluster
from ..study.history import History

__all__ = ["PUBLIC", "Trial", "seed_of"]

PUBLIC = "public"
_SEEDS = 10**7  # the command that runs a check again fits into a line
_SMALL, _LARGE = 0, 300_000  # bytes of a sample file: none, one, and some that take several packets


def seed_of(secret: str, lab: str, check: str) -> int:
    """The seed of a check: the same for everybody who was given the same secret."""
    return int.from_bytes(blake3(f"{secret}\0{lab}\0{check}".encode()).digest(6), "big") % _SEEDS


class Trial:
    """One run of one check. The same seed gives the same trial; another seed other names, sizes, orders and faults."""

    def __init__(self, seed: int, folder: pathlib.Path) -> None:
        self.seed, self.folder = seed, folder
        self.random = random.Random(seed)
        self.history: History | None = None
        """Of the last cluster: what a picture is drawn from if the check fails."""
        self._clusters = 0

    def files(self, count: int = 6, *, largest: int = _LARGE) -> dict[str, bytes]:
        """Sample files by name: an empty one, one of a single byte, and others of any size."""
        sizes = [_SMALL, 1] + [self.random.randrange(2, largest) for _ in range(count)]
        return {
            f"{self.random.choice(('notes', 'photo', 'data'))}-{number}.bin": self.random.randbytes(size)
            for number, size in enumerate(sizes[:count])
        }

    @contextlib.contextmanager
    def local(self, **options: Any) -> Iterator[LocalCluster]:
        """A cluster of real processes in an empty data folder."""
        self._clusters += 1
        data = self.folder / f"data{self._clusters}"
        for client in range(1, options.get("clients", 2) + 1):
            (data / "clients" / f"client{client}" / "Files").mkdir(parents=True)
        options.setdefault("seed", self.random.randrange(1 << 30))
        with LocalCluster(data=data, ports="free", **options) as cluster:
            try:
                yield cluster
            finally:
                self.history = cluster.history

    @contextlib.contextmanager
    def simulated(self, **options: Any) -> Iterator[SimCluster]:
        """A simulated cluster, seeded by this trial."""
        with SimCluster(seed=self.random.randrange(1 << 30), **options) as cluster:
            try:
                yield cluster
            finally:
                self.history = cluster.history
