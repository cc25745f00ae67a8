"""How a cluster keeps files: what its manager tells clients and servers."""

from __future__ import annotations

from dataclasses import dataclass

from ..config import ACKNOWLEDGE, REPLICATION
from ..errors import UsageError
from .placement import Policy, fewest_bytes

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this cluster keeps files: clients and servers ask the manager for it."""

    policy: Policy = fewest_bytes
    policy_name: str = "fewest-bytes"
    replicas: int = 2
    replication: str = "after"
    acknowledge: str = "all"

    def __post_init__(self) -> None:
        if self.replicas < 1:
            raise UsageError(f"replicas={self.replicas}: a file needs at least one copy")
        for value, known, what in (
            (self.replication, REPLICATION, "replication"),
            (self.acknowledge, ACKNOWLEDGE, "acknowledge"),
        ):
            if value not in known:
                raise UsageError(f"{what}={value!r} is not known: choose {' or '.join(known)}")
