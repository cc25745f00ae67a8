"""Which run a command reads: the one in a folder that is named, or that of the cluster named by --data and --name."""

from __future__ import annotations

import pathlib

from ..cluster.record import run_folder
from ..errors import UsageError
from ..study.history import History
from .reach import Reach

__all__ = ["history_of"]


def history_of(reach: Reach, run: str | None) -> History:
    """The run's history, also while it goes on. Errors: UsageError when there is none."""
    folder = pathlib.Path(run) if run is not None else run_folder(reach.data, reach.name)
    events = folder / "events"
    history = History.read(events if events.is_dir() else folder)
    if not len(history):
        raise UsageError(f"there are no events in {str(folder)!r}: was the cluster run with trace=False?")
    return history
