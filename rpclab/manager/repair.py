"""Repair: the manager's hands. What is to be done about copies is upkeep.py's to say; here the servers are asked to do it.

A copy is made by the server that has one, sent to one that the placement policy chooses, and counts once that has it durable. A
copy too many goes only when every one that stays has been read again just before, and found whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..config import Address, Limits, address_text
from ..errors import (
    CommunicationError,
    DiskFull,
    FolderNotUsable,
    HandshakeError,
    NoServer,
    QuotaExceeded,
    RpclabError,
    SyncFailed,
)
from ..records import FileRecord, ServerRecord, file_key
from ..rpc.connection import Connection
from ..rpc.handshake import Identity
from ..rpc.listener import Say
from ..rpc.opening import open_connection
from ..rpc.pool import Pools
from ..trace import Tracer
from ..world.base import Lock, Task, World
from .balancing import Move, next_move
from .decisions import Decisions
from .directory import Directory
from .settings import Settings
from .upkeep import Bury, Copy, Trim, Work

__all__ = ["Repair"]

_NOT_TAKEN = (CommunicationError, HandshakeError, DiskFull, FolderNotUsable, QuotaExceeded, SyncFailed)
"""What a source tells of a target that would not take another copy either."""

_SLOWEST_DISK = 10_000_000  # bytes a second that any disk reads


class Repair:
    """Does the work that the directory finds, a few at a time, slowly enough for the others. `lock` guards the directory."""

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
        self._tracer, self._limits, self._say, self._decisions = tracer, limits, say, decisions
        self._node = identity.node
        self._pools = Pools(
            world,
            lambda address: open_connection(world, address, identity, tracer, expected=("server",), limits=limits),
        )
        self._own = world.tasks.lock()  # guards what follows; never held together with the directory's
        self._workers: list[Task] = []
        self._busy = 0
        self._active: dict[Connection, frozenset[Address]] = {}  # with the servers that each answer depends on
        self._stopping = False
        self._running: dict[str, dict[str, Any]] = {}
        self._done = {"copied": 0, "copied_bytes": 0, "trimmed": 0, "buried": 0, "moved": 0, "failed": 0}
        self._problem = ""
        self._balance: dict[str, Any] | None = None

    # ---- when

    def look(self) -> None:
        """See to it that somebody works if there is work. Returns at once."""
        with self._lock:
            waiting = self._directory.upkeep.waiting(self._world.clock.now())
        with self._own:
            self._workers = [task for task in self._workers if not task.join(0)]
            missing = min(waiting, self._settings.repairs) - self._busy
            for _ in range(0 if self._stopping else missing):
                self._busy += 1
                self._workers.append(self._world.tasks.spawn(self._work_on, f"{self._node}-repairs"))

    def balance(self, ratio: float) -> bool:
        """Begin to even the servers out; False if that is under way."""
        with self._own:
            if self._stopping or (self._balance is not None and not self._balance["over"]):
                return False
            self._balance = {"ratio": ratio, "moved": 0, "moved_bytes": 0, "over": False, "reason": ""}
            self._workers.append(self._world.tasks.spawn(lambda: self._even_out(ratio), f"{self._node}-balances"))
            return True

    def progress(self) -> dict[str, Any]:
        """What waits, what runs, what is done since the manager's start."""
        with self._lock:
            now = self._world.clock.now()
            waiting = self._directory.upkeep.waiting(now)
            stuck = self._directory.upkeep.stuck
            awaited = self._directory.upkeep.awaited(now)
            problem = self._directory.upkeep.problem
        with self._own:
            return {
                "waiting": waiting,
                "stuck": stuck,
                "awaited": [
                    {"address": address_text(address), "wait_s": round(seconds, 1), "files": files}
                    for address, (seconds, files) in awaited.items()
                ],
                "running": list(self._running.values()),
                **self._done,
                "problem": self._problem or problem,
                "balance": None if self._balance is None else dict(self._balance),
            }

    def gone(self, address: Address) -> None:
        """A server is gone: nobody waits any longer for what it was to send, take or answer."""
        with self._own:
            active = [connection for connection, servers in self._active.items() if address in servers]
        for connection in active:
            connection.channel.stream.shutdown()

    def stop(self) -> None:
        """End what is under way, which leaves every copy that there is. May be called twice."""
        with self._own:
            self._stopping = True
            workers, active = list(self._workers), list(self._active)
        for connection in active:
            connection.channel.stream.shutdown()
        for worker in workers:
            worker.join(self._limits.stop_s)
        self._pools.close()

    # ---- one work after the other

    def _work_on(self) -> None:
        try:
            while not self._stopping and (work := self._next()) is not None:
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
                self._copy(work.file, work.sources, work.excluded, upload)
            elif isinstance(work, Trim):
                self._trim(work.file, work.keepers, work.extra, "excess")
                self._count(trimmed=1)
            else:
                self._bury(work)
            done, no_server = True, False
        except NoServer as error:  # until one comes, or has room
            self._problem, done, no_server = str(error), False, True
        except RpclabError as error:
            done = no_server = False
            self._failed(work, error)
        finally:
            with self._own:
                self._running.pop(upload, None)
        with self._lock:
            self._directory.placing.release(upload)
            self._directory.upkeep.worked(work, self._world.clock.now(), done=done, no_server=no_server)

    def _failed(self, work: Work | Move, error: RpclabError) -> None:
        if self._stopping:
            return
        self._problem = f"{type(work).__name__.lower()} of {work.key}: {error}"
        self._count(failed=1)
        self._tracer.event(
            "failed",
            file=work.key,
            detail={"error": type(error).__name__, "message": error.message, "during": "repair"},
        )
        self._say(f"upkeep failed, and will be tried again: {self._problem}")

    def _copy(self, file: FileRecord, sources: list[ServerRecord], excluded: frozenset[Any], upload: str) -> None:
        with self._lock:
            decision = self._directory.placing.place_copy(
                file,
                upload=upload,
                exclude=excluded,
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
        self._send(file, sources, decision.server, upload, "repair")
        self._count(copied=1, copied_bytes=file.size)

    def _send(
        self, file: FileRecord, sources: list[ServerRecord], target: ServerRecord, upload: str, purpose: str
    ) -> None:
        """Have one of the sources send its copy to the target. Errors: that of the last source."""
        key = file_key(file.client, file.name)
        bytes_s = max(1, self._settings.repair_bytes_s // self._settings.repairs)
        deadline_s = self._limits.transfer_s + 2 * file.size / bytes_s
        facts = {"file": key, "bytes": file.size, "from": "", "to": target.node, "purpose": purpose}
        with self._own:
            self._running[upload] = facts
        for place, source in enumerate(sources, 1):
            detail = {"version": file.version, "source": source.node, "upload": upload, "purpose": purpose}
            facts["from"] = source.node
            self._tracer.event("repairing", peer=target.node, file=key, bytes=file.size, detail=detail)
            try:
                with self._asking(source, target) as connection:
                    connection.call(
                        "copyFile",
                        file.name,
                        file.client,
                        file.version,
                        target,
                        upload,
                        bytes_s,
                        deadline_s=deadline_s,
                    )
            except RpclabError as error:
                if isinstance(error, _NOT_TAKEN) and error.node is not None:
                    with self._lock:
                        self._directory.upkeep.refused(target.address, self._world.clock.now())
                if place == len(sources) or not self._is_here(target):
                    raise
                self._say(f"{source.node} could not copy {key} to {target.node}, trying another: {error}")
                continue
            self._tracer.event("repaired", peer=target.node, file=key, bytes=file.size, detail=detail)
            return

    def _trim(self, file: FileRecord, keepers: list[ServerRecord], extra: ServerRecord, reason: str) -> None:
        """Remove one copy, once all those that stay have been read and found whole. Errors: DigestMismatch if one is not."""
        for keeper in keepers:
            deadline_s = self._limits.call_s + file.size / _SLOWEST_DISK
            with self._asking(keeper) as connection:
                whole = connection.call("verifyFile", file.name, file.client, file.version, deadline_s=deadline_s)
            if not whole:
                raise RpclabError(f"{keeper.node}'s copy is damaged: {extra.node} keeps its own")
        with self._asking(extra) as connection:
            connection.call("dropFile", file.name, file.client, file.version, reason)

    def _bury(self, work: Bury) -> None:
        with self._asking(work.server) as connection:
            connection.call("deleteFile", work.name, work.client, work.version)
        self._count(buried=1)

    # ---- balance

    def _even_out(self, ratio: float) -> None:
        reason = "it ended before its time"
        try:
            reason = self._move_while_it_helps(ratio)
        finally:
            with self._own:
                assert self._balance is not None
                self._balance.update(over=True, reason=reason)

    def _move_while_it_helps(self, ratio: float) -> str:
        """Move copy after copy; returns why it ended."""
        while not self._stopping:
            with self._lock:
                move = next_move(self._directory, ratio)
                if move is not None:
                    self._directory.upkeep.hold((move.file.client, move.file.name))
            if move is None:
                return "nothing more can be evened out"
            try:
                self._move(move)
            except RpclabError as error:
                self._failed(move, error)
                return f"a copy could not be moved: {error}"
        return "the manager is stopping"

    def _move(self, move: Move) -> None:
        """Copy first, then remove: there are never fewer copies than wanted."""
        file, upload = move.file, self._world.nonce(16).hex()
        key = (file.client, file.name)
        try:
            with self._lock:
                self._directory.placing.reserve(upload, [move.target.address], key, file.size, self._world.clock.now())
            self._send(file, [move.source], move.target, upload, "balance")
            self._trim(file, [*move.others, move.target], move.source, "balance")
        finally:
            with self._lock:
                self._directory.placing.release(upload)
                self._directory.upkeep.let_go(key, self._world.clock.now())
            with self._own:
                self._running.pop(upload, None)
        self._count(moved=1)
        with self._own:
            assert self._balance is not None
            self._balance["moved"] += 1
            self._balance["moved_bytes"] += file.size

    # ---- small things

    @contextmanager
    def _asking(self, server: ServerRecord, *others: ServerRecord) -> Iterator[Connection]:
        """A connection to a server, which ends at `stop`, and when it or one of the others that it needs is gone."""
        needed = [server, *others]
        with self._pools.to(server.address).take() as connection:
            with self._own:
                self._active[connection] = frozenset(each.address for each in needed)
                stopping = self._stopping
            try:
                if stopping or not all(map(self._is_here, needed)):
                    connection.channel.stream.shutdown()
                yield connection
            finally:
                with self._own:
                    del self._active[connection]

    def _is_here(self, server: ServerRecord) -> bool:
        with self._lock:
            return server.address in self._directory

    def _count(self, **more: int) -> None:
        with self._own:
            for what, number in more.items():
                self._done[what] += number
