"""Ctrl-C and SIGTERM: each ends a command, also when its exception is lost.

A signal's exception is raised between any two steps of a program; when that is inside a finalizer or a callback of Python's own,
it is printed and forgotten. So what was asked is kept, and work that goes on asks for it between two files.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType

__all__ = ["interruption"]


class Interruption:
    """What signal this process was sent, if any."""

    def __init__(self) -> None:
        self._number = 0
        self._deferred = False

    def watch(self) -> None:
        """Have the signals end this process's work, by KeyboardInterrupt and SystemExit."""
        for name in ("SIGINT", "SIGTERM"):
            number = getattr(signal, name, None)
            if (
                number is not None and signal.getsignal(number) is not signal.SIG_IGN
            ):  # as a shell sets it in the background
                signal.signal(number, self._came)

    def check(self) -> None:
        """End now if it was asked for, and forgotten."""
        if self._number:
            self._end()

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """What comes meanwhile ends this process's work afterwards: what is begun here is known to who has to end it."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        self.check()

    def _came(self, number: int, frame: FrameType | None) -> None:
        self._number = number
        if not self._deferred:
            self._end()

    def _end(self) -> None:
        if self._number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + self._number)  # SystemExit: what is half written is removed on the way out


interruption = Interruption()
