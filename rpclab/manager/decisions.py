"""Decisions: each time it is decided where copies go, an event says what was chosen and what was known at that moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..records import ServerRecord
from ..trace import Tracer
from .placing import Decision

__all__ = ["Decisions"]


class Decisions:
    """Writes the *placed* events, of backups as of copies that the manager has made; under the lock that was decided under."""

    def __init__(self, tracer: Tracer, policy_name: str) -> None:
        self._tracer, self._policy_name = tracer, policy_name

    def placed(
        self,
        decisions: Sequence[Decision],
        servers: Sequence[ServerRecord],
        file: str,
        size: int,
        *,
        upload: str = "",
        version: int = 0,
        purpose: str = "backup",
        request: int = 0,
    ) -> None:
        """A file of `size` bytes goes to these servers, some chosen by the policy, others because they hold it already."""
        if self._tracer.enabled:
            detail = {
                "policy": self._policy_name,
                "servers": [server.node for server in servers],
                "decisions": [_told(decision) for decision in decisions],
                "upload": upload,
                "version": version,
                "purpose": purpose,
                **({"request": request} if request else {}),
            }
            self._tracer.event("placed", file=file, bytes=size, detail=detail)


def _told(decision: Decision) -> dict[str, Any]:
    return {"server": decision.server.node, "candidates": dict(decision.candidates), "count": decision.count}
