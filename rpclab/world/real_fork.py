"""What a process does not share with one that it forks, as `multiprocessing` does on Linux: connections, and event logs.

Two processes that speak on one socket get one another's answers, and two that write one log write over one another's lines. So
in the child all that was open is let go, without a word to anybody: what uses a connection there finds it lost, and opens one of
its own; what happens there is in no log.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["ours_alone"]


class Held(Protocol):
    def let_go(self) -> None:
        """Close it here, such that nobody else notices."""


_held: weakref.WeakSet[Held] = weakref.WeakSet()


def ours_alone(held: Held) -> None:
    """A process that is forked from this one lets it go."""
    _held.add(held)


def _forked() -> None:
    for held in list(_held):
        held.let_go()
    _held.clear()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_forked)
