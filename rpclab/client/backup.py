"""One backup: ask the manager where to, send the file to the primary, hear how many durable copies there are."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..config import ACKNOWLEDGE, REPLICATION, Limits
from ..errors import (
    CommunicationError,
    ConnectFailed,
    DiskFull,
    FolderNotUsable,
    HandshakeError,
    NoServer,
    QuotaExceeded,
    RpclabError,
    StorageError,
    TooFewCopies,
    UsageError,
)
from ..records import Placement, Receipt, ServerRecord, file_key
from ..rpc.connection import Connection
from ..rpc.files import Progress, send_file
from ..rpc.pool import Pool, Pools
from ..trace import Tracer
from ..world.base import Reader, World

__all__ = ["Backup", "Wish", "too_few"]

_NOT_TAKEN = (CommunicationError, HandshakeError, DiskFull, FolderNotUsable, QuotaExceeded)
"""What a server may answer before anything of the file was sent, such that another server may take it."""

_TRIES = 3  # servers that a file is offered to: each that is paused takes seconds to find out


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the caller wants otherwise than the cluster does it; None is "as the cluster does"."""

    replicas: int | None = None
    replication: str | None = None
    acknowledge: str | None = None

    def __post_init__(self) -> None:
        if self.replicas is not None and self.replicas < 1:
            raise UsageError(f"replicas={self.replicas}: a file needs at least one copy")
        for value, known, what in (
            (self.replication, REPLICATION, "replication"),
            (self.acknowledge, ACKNOWLEDGE, "acknowledge"),
        ):
            if value is not None and value not in known:
                raise UsageError(f"{what}={value!r} is not known: choose {' or '.join(known)}")


class _Try(NamedTuple):
    """A server that a file was offered to, and why it did not take it."""

    server: ServerRecord
    error: RpclabError


class Backup:
    """Backs files of one client up, one at a time or several from several tasks."""

    def __init__(
        self, world: World, client: str, manager: Pool, servers: Pools, tracer: Tracer, limits: Limits
    ) -> None:
        self._world, self._client, self._manager, self._servers = world, client, manager, servers
        self._tracer, self._limits = tracer, limits

    def run(self, path: str, name: str, wish: Wish, progress: Progress | None) -> Receipt:
        """See `Client.backup`."""
        reader = self._world.disk.open(path)
        try:
            receipt = self._offer(reader, name, wish, progress)
        finally:
            reader.close()
        self._trace(receipt)
        if not receipt.complete:
            raise too_few(receipt)
        return receipt

    def _offer(self, reader: Reader, name: str, wish: Wish, progress: Progress | None) -> Receipt:
        """Offer the file to the server that the manager chooses, and to another one if that one does not take it."""
        upload = self._world.nonce(16).hex()
        tries: list[_Try] = []
        while True:
            placement = self._place(name, reader.size, upload, wish.replicas, tries)
            primary = placement.servers[0]
            announcement = self._announcement(placement, name, reader.size, wish)
            try:
                with ExitStack() as held:
                    try:
                        begun = self._servers.to(primary.address).begin("sendFilename", named=announcement)
                        connection, _ = held.enter_context(begun)
                    except _NOT_TAKEN as error:
                        tries.append(_Try(primary, error))
                        if len(tries) == _TRIES:
                            raise _refused(tries) from None
                        continue
                    digest = send_file(connection, reader, file_key(self._client, name), "original", progress=progress)
                    return self._receipt(connection, upload, digest)
            except BaseException:
                self._release(upload)
                raise

    def _place(self, name: str, size: int, upload: str, replicas: int | None, tries: list[_Try]) -> Placement:
        exclude = [each.server.address for each in tries]
        try:
            placement = self._manager.call(
                "placeFile", self._client, name, size, upload, replicas, exclude, returns=Placement
            )
        except NoServer as error:
            if tries:
                raise _refused(tries, f"; {error.message}") from None
            raise
        assert isinstance(placement, Placement)
        return placement

    def _announcement(self, placement: Placement, name: str, size: int, wish: Wish) -> dict[str, Any]:
        return {
            "filename": name,
            "client": self._client,
            "size": size,
            "upload": placement.upload,
            "version": placement.version,
            "wanted": placement.wanted,
            "route": placement.servers[1:],
            "replication": wish.replication or placement.replication,
            "acknowledge": wish.acknowledge or placement.acknowledge,
        }

    def _receipt(self, connection: Connection, upload: str, digest: str) -> Receipt:
        receipt = connection.ask("confirmFile", upload, deadline_s=self._limits.transfer_s, returns=Receipt)
        assert isinstance(receipt, Receipt)
        if receipt.file.digest != digest:
            raise StorageError(
                f"{file_key(self._client, receipt.file.name)} was not stored: {receipt.servers[0]} holds a newer version "
                f"({receipt.file.version}) with other contents; send it again if yours is to replace it"
            )
        return receipt

    def _release(self, upload: str) -> None:
        try:
            self._manager.call("releaseUpload", upload)
        except RpclabError:
            return  # the reservation ends by itself in a while

    def _trace(self, receipt: Receipt) -> None:
        file = receipt.file
        detail = {
            "upload": receipt.upload,
            "copies": receipt.copies,
            "wanted": receipt.wanted,
            "pending": receipt.pending,
            "servers": receipt.servers,
            "digest": file.digest,
            "version": file.version,
        }
        self._tracer.event("acknowledged", file=file_key(file.client, file.name), bytes=file.size, detail=detail)


def _refused(tries: list[_Try], more: str = "") -> RpclabError:
    """No server took the file: the last one's error, with every server's reason. Nothing is stored, whatever the error."""
    last = tries[-1].error
    kind = type(last) if last.definite else ConnectFailed
    return kind("; ".join(f"{server.node}: {error.message}" for server, error in tries) + more)


def too_few(receipt: Receipt) -> TooFewCopies:
    reasons = "; ".join(receipt.problems) or "no other server is connected, or has room"
    error = TooFewCopies(
        f"{file_key(receipt.file.client, receipt.file.name)} has {receipt.copies} of {receipt.wanted} copies, "
        f"on {', '.join(receipt.servers)}: {reasons}. Back it up again when more servers are there"
    )
    error.receipt = receipt
    return error
