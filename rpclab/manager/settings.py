"""How a cluster keeps files: what its manager tells clients and servers."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

from ..config import ACKNOWLEDGE, REPLICATION
from ..errors import UsageError
from .placement import Policy, fewest_bytes

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this cluster keeps files: clients and servers ask the manager for it. Times are seconds.

    `keep`: versions of a file that stay. `heartbeat_s`: between a server's signs of life; after two intervals without one it is
    suspected (chosen only if no other can be), after `dead_s` it is dead and its files are repaired; a manager that has just
    started repairs nothing before it knows its servers, for at most `safe_s`. Repairs run `repairs` at a time and send at most
    `repair_bytes_s` together; each server reads its files again at `scrub_bytes_s`
    (0 is never), with `scrub_round_s` between two rounds.
    """

    policy: Policy = fewest_bytes
    policy_name: str = "fewest-bytes"
    replicas: int = 2
    replication: str = "after"
    acknowledge: str = "all"
    keep: int = 5
    heartbeat_s: float = 1.0  # HDFS: 3 s
    dead_s: float = 10.0  # HDFS: 630 s; see docs/reliability.md
    safe_s: float = 30.0
    repair: bool = True
    repairs: int = 4
    repair_bytes_s: int = 64 << 20
    scrub_bytes_s: int = 4 << 20
    scrub_round_s: float = 60.0

    @property
    def suspect_s(self) -> float:
        """Silence after which a server is suspected: one heartbeat was missed, the next is due."""
        return 2 * self.heartbeat_s

    def told(self) -> dict[str, Any]:
        """What clients and servers are told of it."""
        return {
            "placement": self.policy_name,
            "replicas": self.replicas,
            "replication": self.replication,
            "acknowledge": self.acknowledge,
            "keep": self.keep,
            "heartbeat_s": self.heartbeat_s,
            "dead_s": self.dead_s,
            "repair": self.repair,
            "scrub_bytes_s": self.scrub_bytes_s,
            "scrub_round_s": self.scrub_round_s,
        }

    def __post_init__(self) -> None:
        if self.replicas < 1:
            raise UsageError(f"replicas={self.replicas}: a file needs at least one copy")
        for name, least in (
            ("keep", 1),
            ("repairs", 1),
            ("repair_bytes_s", 1),
            ("scrub_bytes_s", 0),
            ("scrub_round_s", 0),
            ("safe_s", 0),
        ):
            if not isinstance(getattr(self, name), Real):
                raise UsageError(f"{name}={getattr(self, name)!r}: it is a number")
            if not getattr(self, name) >= least:
                raise UsageError(f"{name}={getattr(self, name)}: it is {least} at least")
        for name in ("heartbeat_s", "dead_s"):
            if not isinstance(getattr(self, name), Real):
                raise UsageError(f"{name}={getattr(self, name)!r}: it is a number of seconds")
        if not self.heartbeat_s > 0:
            raise UsageError(f"heartbeat_s={self.heartbeat_s}: the time between two heartbeats is more than 0 s")
        if not self.dead_s > self.suspect_s:
            raise UsageError(
                f"dead_s={self.dead_s}: a server is suspected after two heartbeats ({self.suspect_s} s) "
                "and dead only later: give more than that"
            )
        for value, known, what in (
            (self.replication, REPLICATION, "replication"),
            (self.acknowledge, ACKNOWLEDGE, "acknowledge"),
        ):
            if value not in known:
                raise UsageError(f"{what}={value!r} is not known: choose {' or '.join(known)}")
