"""Asking: what servers are asked to do about copies: send one to another server, read one again, remove one.

A call ends as soon as the server that is asked, or one that its answer depends on, is gone, and when the manager stops.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..config import Address, Limits
from ..errors import (
    CommunicationError,
    DiskFull,
    FolderNotUsable,
    HandshakeError,
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
from ..world.base import Lock, World
from .directory import Directory
from .progress import Progress
from .settings import Settings
from .works import Bury

__all__ = ["Asking"]

_NOT_TAKEN = (CommunicationError, HandshakeError, DiskFull, FolderNotUsable, QuotaExceeded, SyncFailed)
"""What a source tells of a target that would not take another copy either."""

_SLOWEST_DISK = 10_000_000  # bytes a second that any disk reads


class Asking:
    """Asks servers, over connections that it keeps. `lock` guards the directory."""

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
        progress: Progress,
    ) -> None:
        self._world, self._directory, self._lock, self._settings = world, directory, lock, settings
        self._tracer, self._limits, self._say, self._progress = tracer, limits, say, progress
        self._pools = Pools(
            world,
            lambda address: open_connection(world, address, identity, tracer, expected=("server",), limits=limits),
        )
        self._own = world.tasks.lock()  # guards what follows; never held together with the directory's
        self._active: dict[Connection, frozenset[Address]] = {}  # with the servers that each answer depends on
        self.stopping = False
        """Whether nobody is asked any more."""

    # ---- what is asked

    def copy(
        self, file: FileRecord, sources: list[ServerRecord], target: ServerRecord, upload: str, purpose: str
    ) -> None:
        """Have one of the sources send its copy to the target. Errors: that of the last source."""
        key = file_key(file.client, file.name)
        bytes_s = max(1, self._settings.repair_bytes_s // self._settings.repairs)
        deadline_s = self._limits.transfer_s + 2 * file.size / bytes_s
        facts = {"file": key, "bytes": file.size, "from": "", "to": target.node, "purpose": purpose}
        self._progress.begin(upload, facts)
        for place, source in enumerate(sources, 1):
            detail = {"version": file.version, "source": source.node, "upload": upload, "purpose": purpose}
            facts["from"] = source.node
            self._tracer.event("repairing", peer=target.node, file=key, bytes=file.size, detail=detail)
            try:
                with self._connection(source, target) as connection:
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

    def trim(self, file: FileRecord, keepers: list[ServerRecord], extra: ServerRecord, reason: str) -> None:
        """Have one copy removed, once all those that stay have been read and found whole. Errors: RpclabError if one is not."""
        for keeper in keepers:
            deadline_s = self._limits.call_s + file.size / _SLOWEST_DISK
            with self._connection(keeper) as connection:
                whole = connection.call("verifyFile", file.name, file.client, file.version, deadline_s=deadline_s)
            if not whole:
                raise RpclabError(f"{keeper.node}'s copy is damaged: {extra.node} keeps its own")
        with self._connection(extra) as connection:
            connection.call("dropFile", file.name, file.client, file.version, reason)

    def bury(self, work: Bury) -> None:
        """Have a server remove the versions that are deleted, or that newer ones have taken the place of."""
        with self._connection(work.server) as connection:
            connection.call("deleteFile", work.name, work.client, work.version)

    # ---- how long

    def gone(self, address: Address) -> None:
        """A server is gone: nobody waits any longer for what it was to send, take or answer."""
        with self._own:
            active = [connection for connection, servers in self._active.items() if address in servers]
        for connection in active:
            connection.channel.stream.shutdown()

    def stop(self) -> None:
        """End what is under way, which leaves every copy that there is. May be called twice."""
        with self._own:
            self.stopping = True
            active = list(self._active)
        for connection in active:
            connection.channel.stream.shutdown()

    def close(self) -> None:
        """Close the connections, once nobody asks any more."""
        self._pools.close()

    @contextmanager
    def _connection(self, server: ServerRecord, *others: ServerRecord) -> Iterator[Connection]:
        """A connection to a server, which ends at `stop`, and when it or one of the others that it needs is gone."""
        needed = [server, *others]
        with self._pools.to(server.address).take() as connection:
            with self._own:
                self._active[connection] = frozenset(each.address for each in needed)
                stopping = self.stopping
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
