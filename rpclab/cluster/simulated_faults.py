"""What is broken in a simulated cluster, and how: its links are wires in memory, its disks and their machines' power too."""

from __future__ import annotations

import random

from . import given
from .script import recorded
from .simulated_stepping import SimStepping

__all__ = ["SimFaults"]


class SimFaults(SimStepping):
    """What a simulated cluster has of it, some of it only here."""

    _disk_bytes: int
    _faults: random.Random
    """Decides what is left to chance."""

    @recorded
    def cut_power(self, node: str) -> None:
        """Take the power from a part's machine: an arbitrary part of what was not synced is lost, and nobody is told."""
        self._fault("killed", node, power=True)
        self._node(node).cut_power()

    @recorded
    def reset(self, node: str, share: float = 0.5) -> int:
        """Break some of a node's connections, as a restarted switch does; returns how many."""
        self._node(node)
        count = self.simulation.wires.reset(node, self._faults, given.share("share", share))
        self._fault("reset", node, connections=count)
        return count

    @recorded
    def damage(self, node: str, file: str, *, version: int | None = None) -> str:
        path = f"{node}/Backups/{file}" if version is None else f"{node}/Versions/{file}/{version}"
        self._node(node).disk.flip_bit(path, self._faults.randrange(1 << 40))
        self._fault("damaged", node, file)
        return path

    @recorded
    def fail_syncs(self, node: str, share: float) -> None:
        """Let so large a part of a disk's syncs fail from now on; 0 mends it."""
        self._node(node).disk.failing = given.share("share", share)
        self._fault("unsound", node, share=share)

    # ---- links and disks

    def _cut(self, links: list[tuple[str, str]]) -> None:
        self.simulation.wires.partition(links)

    def _slow(self, links: list[tuple[str, str]], latency_s: float, bytes_s: float | None) -> None:
        self.simulation.wires.slow(links, latency_s, bytes_s)

    def _mend(self) -> None:
        self.simulation.wires.heal()

    def _fill(self, node: str, free_bytes: int | None) -> None:
        disk = self._node(node).disk
        disk.capacity_bytes = self._disk_bytes if free_bytes is None else disk.used + free_bytes
