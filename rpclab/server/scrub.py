"""The scrub: a server reads its own files again, so that a copy that rots is found while the others are still whole.

Disks return other bytes than were written without an error more often than one thinks (Bairavasundaram et al., "An Analysis of
Data Corruption in the Storage Stack", 2008), and a file that nobody restores would not be looked at for years.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..errors import NoSuchFile, RpclabError
from ..records import Advice, FileRecord
from ..rpc.listener import Say
from ..trace import Tracer
from ..world.base import Task, World
from .pace import Pace
from .store import Store

__all__ = ["Scrub"]

_LOOK_S = 1.0  # how soon other advice is followed


class Check(Protocol):
    def __call__(self, file: FileRecord, progress: Callable[[int], object]) -> bool:
        """Read a file and put it aside if it is damaged: whether it is whole."""


class Scrub:
    """Reads every stored version, in random order, as slowly and as often as the manager advises, round after round."""

    def __init__(
        self,
        world: World,
        node: str,
        store: Store,
        check: Check,
        advice: Callable[[], Advice],
        tracer: Tracer,
        say: Say,
    ) -> None:
        self._world, self._node, self._store, self._check = world, node, store, check
        self._advice, self._tracer, self._say = advice, tracer, say
        self._pace = Pace(world)
        self._task: Task | None = None

    def start(self) -> None:
        self._task = self._world.tasks.spawn(self._run, f"{self._node}-scrub")

    def stop(self) -> None:
        """End between two pieces of a file. May be called twice."""
        self._pace.stop()
        if self._task is not None:
            self._task.join()

    def _run(self) -> None:
        ended = self._world.clock.now()
        while self._pace.pause(min(_LOOK_S, self._advice().scrub_round_s)):
            advice = self._advice()  # it may be another manager's by now
            if advice.scrub_bytes_s and self._world.clock.now() >= ended + advice.scrub_round_s:
                self._round()
                ended = self._world.clock.now()

    def _round(self) -> None:
        files = self._store.files()
        self._world.random.shuffle(files)  # so that a server that is often restarted does not read the first ones only
        damaged = done = 0
        for file in files:
            try:
                whole = self._check(file, self._held_back())
            except NoSuchFile:
                continue  # replaced or deleted since
            except _Stopped:
                return
            except RpclabError as error:
                self._say(f"could not read {file.client}/{file.name} again: {error}")
                whole = False
            damaged += not whole
            done += file.size
        self._tracer.event("scrubbed", bytes=done, detail={"files": len(files), "damaged": damaged})

    def _held_back(self) -> Callable[[int], None]:
        pace = self._pace.at(max(1, self._advice().scrub_bytes_s))

        def progress(done: int) -> None:
            if not pace(done):
                raise _Stopped

        return progress


class _Stopped(Exception):
    """The server stops, in the middle of a file."""
