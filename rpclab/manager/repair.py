"""Repair: the manager's hands. What is to be done about copies is upkeep.py's to say; here it is done, a few works at a time.

A copy is made by the server that has one, sent to one that the placement policy chooses, and counts once that has it durable. A
copy too many goes only when every one that stays has been read again just before, and found whole. How servers are asked for
that is in asking.py; copies that only change their place are the balancer's.
"""

from __future__ import annotations

from typing import Any

from ..config import Address, Limits, address_text
from ..errors import NoServer, RpclabError
from ..records import file_key
from ..rpc.handshake import Identity
from ..rpc.listener import Say
from ..trace import Tracer
from ..world.base import Lock, Task, World
from .asking import Asking
from .balancer import Balancer
from .decisions import Decisions
from .directory import Directory
from .progress import Progress
from .settings import Settings
from .works import Copy, Trim, Work

__all__ = ["Repair"]


class Repair:
    """Does the work that the directory finds, slowly enough for the others. `lock` guards the directory."""

    def __init__(
        self,
        world: World,
        identity: Identity,
        directory: Directory,
        lock: Lock,
        settings: Settings,
        tracer: Tracer,
        limits: Limits,
        say: Say,
        decisions: Decisions,
    ) -> None:
        self._world, self._directory, self._lock, self._settings = world, directory, lock, settings
        self._limits, self._decisions, self._node = limits, decisions, identity.node
        self._progress = Progress(world, tracer, say)
        self._asking = Asking(world, identity, directory, lock, settings, tracer, limits, say, self._progress)
        self._balancer = Balancer(world, directory, lock, self._asking, self._progress)
        self._own = world.tasks.lock()  # guards what follows; never held together with the directory's
        self._workers: list[Task] = []
        self._busy = 0

    # ---- when

    def look(self) -> None:
        """See to it that somebody works if there is work. Returns at once."""
        with self._lock:
            waiting = self._directory.upkeep.waiting(self._world.clock.now())
        with self._own:
            self._workers = [task for task in self._workers if not task.join(0)]
            missing = min(waiting, self._settings.repairs) - self._busy
            for _ in range(0 if self._asking.stopping else missing):
                self._busy += 1
                self._workers.append(self._world.tasks.spawn(self._work_on, f"{self._node}-repairs"))

    def balance(self, ratio: float) -> bool:
        """Begin to even the servers out; False if that is under way."""
        with self._own:
            if self._asking.stopping or not self._progress.begin_balance(ratio):
                return False
            self._workers.append(self._world.tasks.spawn(lambda: self._balancer.run(ratio), f"{self._node}-balances"))
            return True

    def progress(self) -> dict[str, Any]:
        """What waits, what runs, what is done since the manager's start."""
        with self._lock:
            now = self._world.clock.now()
            waiting = self._directory.upkeep.waiting(now)
            stuck = self._directory.upkeep.stuck
            awaited = self._directory.upkeep.awaited(now)
            problem = self._directory.upkeep.problem
        return {
            "waiting": waiting,
            "stuck": stuck,
            "awaited": [
                {"address": address_text(address), "wait_s": round(seconds, 1), "files": files}
                for address, (seconds, files) in awaited.items()
            ],
            **self._progress.told(problem),
        }

    def gone(self, address: Address) -> None:
        """A server is gone: nobody waits any longer for what it was to send, take or answer."""
        self._asking.gone(address)

    def stop(self) -> None:
        """End what is under way, which leaves every copy that there is. May be called twice."""
        self._asking.stop()
        with self._own:
            workers = list(self._workers)
        for worker in workers:
            worker.join(self._limits.stop_s)
        self._asking.close()

    # ---- one work after the other

    def _work_on(self) -> None:
        try:
            while not self._asking.stopping and (work := self._next()) is not None:
                self._do(work)
        finally:
            with self._own:
                self._busy -= 1

    def _next(self) -> Work | None:
        with self._lock:
            return self._directory.upkeep.next(self._world.clock.now())

    def _do(self, work: Work) -> None:
        upload = self._world.nonce(16).hex()
        try:
            if isinstance(work, Copy):
                self._copy(work, upload)
            elif isinstance(work, Trim):
                self._asking.trim(work.file, work.keepers, work.extra, "excess")
                self._progress.count(trimmed=1)
            else:
                self._asking.bury(work)
                self._progress.count(buried=1)
            done, no_server = True, False
        except NoServer as error:  # until one comes, or has room
            self._progress.problem, done, no_server = str(error), False, True
        except RpclabError as error:
            done = no_server = False
            if not self._asking.stopping:
                self._progress.failed(work, error)
        finally:
            self._progress.end(upload)
        with self._lock:
            self._directory.placing.release(upload)
            self._directory.upkeep.worked(work, self._world.clock.now(), done=done, no_server=no_server)

    def _copy(self, work: Copy, upload: str) -> None:
        file = work.file
        with self._lock:
            decision = self._directory.placing.place_copy(
                file,
                upload=upload,
                exclude=work.excluded,
                now=self._world.clock.now(),
                random=self._world.random,
            )
            key = file_key(file.client, file.name)
            self._decisions.placed(
                [decision],
                [decision.server],
                key,
                file.size,
                upload=upload,
                version=file.version,
                purpose="repair",
            )
        self._asking.copy(file, work.sources, decision.server, upload, "repair")
        self._progress.count(copied=1, copied_bytes=file.size)
