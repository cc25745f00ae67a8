"""Ctrl-C while a simulation runs: it reaches who asked for that, and leaves every node as it is.

Raised wherever the program happens to be, it would end whatever task had its turn, a node's as well, in the middle of a step.
So it is kept until the simulation stands between two steps. Only a function of the user's own is interrupted at once: it may
never give its turn back. A second Ctrl-C is raised where it comes, for the code of a node may not either.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Self

__all__ = ["KeptInterrupt"]

_PACKAGE = __name__.partition(".")[0]


class KeptInterrupt:
    """While it is entered, what Ctrl-C raises is given to `keep`; if that returns False, it is raised where it came. Does nothing
    outside the main thread, where no signal comes, or where Ctrl-C has been switched off."""

    def __init__(self, keep: Callable[[BaseException, bool], bool]) -> None:
        self._keep, self._came = keep, False
        self._before: Callable[[int, FrameType | None], object] | None = None

    def __enter__(self) -> Self:
        before = signal.getsignal(signal.SIGINT)
        if callable(before) and threading.current_thread() is threading.main_thread():
            self._before = before
            signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        assert self._before is not None
        again, self._came = self._came, True
        try:
            self._before(number, frame)
        except BaseException as error:
            ours = frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE
            if again or not self._keep(error, ours):
                raise
