"""The six invariants, a module each: its docstring says what it means, its `judge(run)` what is to be said of a run."""

from __future__ import annotations

from collections.abc import Callable

from ..report import Judgement
from ..run import Run
from . import copies, counts, folders, placement, replication, restores

__all__ = ["INVARIANTS"]

INVARIANTS: tuple[Callable[[Run], Judgement], ...] = (
    copies.judge,
    restores.judge,
    counts.judge,
    placement.judge,
    replication.judge,
    folders.judge,
)
