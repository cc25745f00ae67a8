"""What somebody has written of their own in place of ours: a student's code, which every node of the cluster runs.

Each piece stands for one lab; None is ours. What a piece is given and must give back is said where it is put in place
(`rpc/own_*.py`, `server/own_*.py`, `manager/own_*.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from .errors import UsageError

__all__ = ["OURS", "Own", "own_from"]

Code = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Own:
    """Classes and functions by what they take the place of; a placement policy is an argument of its own."""

    registry: Code | None = None
    stub: Code | None = None
    framing: Code | None = None
    connection: Code | None = None
    replicate: Code | None = None
    detector: Code | None = None
    plan_repair: Code | None = None
    store: Code | None = None
    handshake: Code | None = None

    def given(self) -> dict[str, Code]:
        """Those that there are."""
        return {each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) is not None}


OURS = Own()


def own_from(given: Mapping[str, Any]) -> Own:
    """The pieces of these names. Errors: UsageError for a name that is none, or something that cannot be called."""
    known = [each.name for each in fields(Own)]
    for name, code in given.items():
        if name not in known:
            raise UsageError(f"a cluster has no argument {name!r}; code of your own can be its {', '.join(known)}")
        if not callable(code):
            raise UsageError(f"{name} is a class or a function, not {type(code).__name__}")
    return Own(**given)
