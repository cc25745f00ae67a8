"""Replication: how a copy gets from one server to the next.

`after`     the primary stores the file, then sends it on from its own disk, to one server after the other (the document's way).
`pipeline`  each server sends every piece on to the next while it arrives, as HDFS does: all copies are there at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack

from ..config import Address, Limits, address_text
from ..errors import RpclabError
from ..records import FileRecord, Receipt, ServerRecord, file_key
from ..rpc.document import FILE_RECEIVED, DocumentConnection
from ..rpc.files import FileSender, Progress, send_file
from ..rpc.handshake import Identity
from ..rpc.opening import open_connection
from ..rpc.pool import Pools
from ..trace import Tracer
from ..world.base import World
from .manager_link import Link
from .store import Store

__all__ = ["Copies", "Forward", "Replication"]

_ROUNDS = 3  # times that the manager is asked for another server when one fails


class Copies:
    """Which other servers have acknowledged their copy, and what went wrong with the rest."""

    def __init__(self) -> None:
        self.nodes: list[str] = []
        self.problems: list[str] = []


class Replication:
    """Sends copies of stored files to other servers, over connections that it keeps."""

    def __init__(
        self, world: World, identity: Identity, store: Store, link: Link, tracer: Tracer, limits: Limits
    ) -> None:
        self._world, self._store, self._link, self._tracer, self._limits = world, store, link, tracer, limits
        self._pools = Pools(
            world,
            lambda address: open_connection(world, address, identity, tracer, expected=("server",), limits=limits),
        )
        self.own: Address = ("", 0)

    def copy_after(
        self,
        file: FileRecord,
        upload: str,
        count: int,
        route: Sequence[ServerRecord],
        passed_over: AbstractSet[str] = frozenset(),
        *,
        keep: int | None = None,
    ) -> Copies:
        """Copy a stored file to `count` other servers: those of the route, and others where one of them fails; never to the
        nodes that are `passed_over`. They keep so many versions of it."""
        copies, targets, tried, asked = Copies(), list(route), {self.own}, False
        for _ in range(_ROUNDS):
            for target in targets:
                tried.add(target.address)
                if len(copies.nodes) < count and target.node not in passed_over:
                    self._attempt(copies, file, upload, target, keep)
            missing = count - len(copies.nodes)
            asked = asked or missing > 0
            targets = self._others(copies, file, upload, missing, tried) if missing > 0 else []
            if not targets:
                break
        if len(copies.nodes) < count and not copies.problems:
            copies.problems.append("no other server is connected, or has room")
        if asked:  # not every server that room was kept at has taken its copy
            self._link.release(upload)
        return copies

    def _others(
        self, copies: Copies, file: FileRecord, upload: str, count: int, tried: set[Address]
    ) -> list[ServerRecord]:
        try:
            return self._link.more_servers(file, upload, count, tried)
        except RpclabError as error:
            copies.problems.append(f"no other server could be asked for: {error}")
            return []

    def _attempt(self, copies: Copies, file: FileRecord, upload: str, target: ServerRecord, keep: int | None) -> None:
        try:
            copies.nodes += self.copy(file, upload, target, keep=keep)
        except RpclabError as error:
            copies.problems.append(f"{target.node}: {error}")

    def copy(
        self,
        file: FileRecord,
        upload: str,
        target: ServerRecord,
        *,
        copy: str = "replica",
        keep: int | None = None,
        progress: Progress | None = None,
    ) -> list[str]:
        """Send one copy of a stored version from our disk; returns the nodes that have it when it is acknowledged as durable.
        Errors: NoSuchFile; DigestMismatch when ours is damaged; what the target says."""
        stored, reader = self._store.open(file.client, file.name, file.version or None)
        try:
            if target.wire == "document":
                return self._copy_by_document(stored, reader, target)
            pool = self._pools.to(target.address)
            named = _announcement(stored, upload, copy, keep)
            with pool.begin("sendFilename", named=named) as (connection, _):
                key = file_key(file.client, file.name)
                send_file(connection, reader, key, copy, expected=stored.digest, progress=progress)
                answer = connection.ask("confirmFile", upload, deadline_s=self._limits.transfer_s, returns=Receipt)
                return self._confirmed(answer, stored, copy)
        finally:
            reader.close()

    def _copy_by_document(self, file: FileRecord, reader: object, target: ServerRecord) -> list[str]:
        with DocumentConnection(self._world, target.address, self._tracer, self._limits) as connection:
            answer = connection.send_file(reader, file.name, backup=True)  # type: ignore[arg-type]
        if answer != FILE_RECEIVED:
            raise RpclabError(f"{address_text(target.address)} answered {answer!r}")
        self._trace_replicated(file, target.node, "", "replica")
        return [target.node]

    def _confirmed(self, receipt: Receipt, sent: FileRecord, copy: str = "replica") -> list[str]:
        """Those that have what was sent, or a later version in its place: of which the receipt tells that of its first alone."""
        for node in receipt.servers:
            self._trace_replicated(sent if sent.version else receipt.file, node, receipt.upload, copy)
        return receipt.servers

    def _trace_replicated(self, file: FileRecord, node: str, upload: str, copy: str) -> None:
        key = file_key(file.client, file.name)
        detail = {"upload": upload, "version": file.version}
        self._tracer.event("replicated", peer=node, file=key, bytes=file.size, copy=copy, detail=detail)

    def forward(self, file: FileRecord, upload: str, route: Sequence[ServerRecord], keep: int | None) -> Forward:
        """Begin to send a file on while it arrives, along the route."""
        return Forward(self, file, upload, route, keep)

    def close(self) -> None:
        self._pools.close()


class Forward:
    """One file on its way along a pipeline. When the next server fails, the rest is skipped, and `copies` says so."""

    def __init__(
        self,
        replication: Replication,
        file: FileRecord,
        upload: str,
        route: Sequence[ServerRecord],
        keep: int | None,
    ) -> None:
        self.copies = Copies()
        self._replication, self._file, self._upload, self._target = replication, file, upload, route[0]
        self._held = ExitStack()
        self._working = True
        self._step(lambda: self._begin(file, route[1:], keep))

    def _begin(self, file: FileRecord, route: Sequence[ServerRecord], keep: int | None) -> None:
        pool = self._replication._pools.to(self._target.address)
        announcement = _announcement(file, self._upload, "replica", keep) | {
            "route": list(route),
            "replication": "pipeline",
            "wanted": len(route) + 1,
        }
        self._connection, _ = self._held.enter_context(pool.begin("sendFilename", named=announcement))
        self._sender = FileSender(self._connection, file_key(file.client, file.name), "replica")

    def send(self, pieces: Sequence[memoryview]) -> None:
        self._step(lambda: self._sender.send_pieces(pieces))

    def end(self, digest: str) -> None:
        self._step(lambda: self._sender.end(bytes.fromhex(digest)))

    def abort(self, reason: str) -> None:
        """The file will not be complete: the next server is to forget it too."""
        self._step(lambda: self._sender.abort(reason))
        self._held.close()

    def confirm(self) -> Copies:
        """Wait until the servers down the line have stored their copies."""
        self._step(self._ask)
        self._held.close()
        return self.copies

    def _ask(self) -> None:
        limit = self._replication._limits.transfer_s
        receipt = self._connection.ask("confirmFile", self._upload, deadline_s=limit, returns=Receipt)
        self.copies.nodes += self._replication._confirmed(receipt, self._file)
        self.copies.problems += receipt.problems

    def _step(self, step: Callable[[], None]) -> None:
        if not self._working:
            return
        try:
            step()
        except RpclabError as error:
            self._working = False
            self.copies.problems.append(f"{self._target.node}: {error}")
            if hasattr(self, "_connection"):
                self._connection.close()
            self._held.close()


def _announcement(file: FileRecord, upload: str, copy: str, keep: int | None) -> dict[str, object]:
    return {
        "filename": file.name,
        "client": file.client,
        "size": file.size,
        "upload": upload,
        "version": file.version,
        "copy": copy,
        "replicas": file.wanted,
        "saved": file.saved,
        "keep": keep,
    }
