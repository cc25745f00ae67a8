"""The event log's file: lines in memory that the kernel owns, so that they survive the death of their process."""

from __future__ import annotations

import contextlib
import mmap
import os
import sys

from .real_errors import system_errors
from .real_fork import ours_alone

__all__ = ["RealLog"]

_LOG_WINDOW_BYTES = 1 << 20  # a mapped log grows by this much: room for some 7,000 events


class RealLog:
    """Lines copied into a mapped file: no system call an event, and what was copied is the kernel's when the process is killed.

    The file is filled with zeros ahead of the lines (a hole would make the process die when the disk is full), and cut to
    its lines at the end; a reader stops at the first zero. A full disk ends the log, never the node.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        whole, last = _whole_lines(path)
        self.last_line = last
        with system_errors(path, "write"):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            os.ftruncate(self._fd, whole)
        self._size = whole
        self._map: mmap.mmap | None = None
        self._window = self._end = 0
        self._grow(1)
        ours_alone(self)

    def append(self, line: bytes) -> None:
        if self._map is None:
            return
        start = self._size - self._window
        if start + len(line) > self._end:
            self._grow(len(line))
            if self._map is None:
                return
            start = self._size - self._window
        self._map[start : start + len(line)] = line
        self._size += len(line)

    def _grow(self, needed: int) -> None:
        if self._map is not None:
            self._map.close()
        self._window = self._size - self._size % mmap.ALLOCATIONGRANULARITY
        length = self._size - self._window + max(needed, _LOG_WINDOW_BYTES)
        try:
            filled = os.fstat(self._fd).st_size
            os.lseek(self._fd, filled, os.SEEK_SET)
            missing = self._window + length - filled
            while missing > 0:
                missing -= os.write(self._fd, bytes(min(missing, _LOG_WINDOW_BYTES)))
            self._map = mmap.mmap(self._fd, length, offset=self._window)
            self._end = length
        except (OSError, ValueError) as error:
            self._map = None
            with contextlib.suppress(OSError, ValueError):  # standard error may be a file on the same disk
                print(f"the event log {self._path} ends here: {error}", file=sys.stderr, flush=True)

    def close(self) -> None:
        self._end_here(self._size)

    def let_go(self) -> None:
        self._end_here(None)

    def _end_here(self, size: int | None) -> None:
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        if self._map is not None:
            self._map.close()
            self._map = None
        if size is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, size)
        os.close(fd)


def _whole_lines(path: str) -> tuple[int, bytes]:
    """How many bytes of whole lines a log holds, and its last line."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return 0, b""
    zero = data.find(b"\0")
    end = data.rfind(b"\n", 0, len(data) if zero < 0 else zero) + 1
    start = data.rfind(b"\n", 0, max(0, end - 1)) + 1
    return end, data[start:end]
