"""One backup: ask the manager where to, send the file to the primary, hear how many durable copies there are.

A server that does not take the file, or fails in the middle of it, is passed over for another one: under the same upload's
name and with the same version, so that a file that was stored after all is stored once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..config import ACKNOWLEDGE, REPLICATION, Limits
from ..errors import (
    CommunicationError,
    ConnectFailed,
    ConnectionLost,
    DiskFull,
    FolderNotUsable,
    HandshakeError,
    NoServer,
    QuotaExceeded,
    RpclabError,
    StorageError,
    SyncFailed,
    TooFewCopies,
    UploadUnknown,
    UsageError,
)
from ..records import FileRecord, Placement, Receipt, ServerRecord, file_key
from ..rpc.files import Progress, send_file
from ..rpc.pool import Pool, Pools
from ..trace import Tracer
from ..world.base import Reader, World

__all__ = ["Backup", "Wish", "too_few"]

_PASSED_OVER = (CommunicationError, HandshakeError, DiskFull, FolderNotUsable, QuotaExceeded, SyncFailed, UploadUnknown)
"""What may come of one server such that another one may take the file."""

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
    """A server that a file was offered to, why it did not take it, and whether it was sent all of it."""

    server: ServerRecord
    error: RpclabError
    sent: bool = False

    @property
    def may_be_stored(self) -> bool:
        """Whether the server had all of the file and has not said what became of it."""
        silent = isinstance(self.error, CommunicationError | HandshakeError)
        return self.sent and (silent or not self.error.definite)


class Backup:
    """Backs files of one client up, one at a time or several from several tasks."""

    def __init__(
        self, world: World, client: str, manager: Pool, servers: Pools, tracer: Tracer, limits: Limits
    ) -> None:
        self.world, self.client, self.manager, self.servers = world, client, manager, servers
        self.tracer, self.limits = tracer, limits

    def run(self, path: str, name: str, wish: Wish, progress: Progress | None) -> Receipt:
        """See `Client.backup`."""
        receipt = _Sending(self, path, name, wish, progress).run()
        file = receipt.file
        if not receipt.told:
            self._tell(file)
        detail = {
            "upload": receipt.upload,
            "copies": receipt.copies,
            "wanted": receipt.wanted,
            "pending": receipt.pending,
            "servers": receipt.servers,
            "digest": file.digest,
            "version": file.version,
        }
        self.tracer.event("acknowledged", file=file_key(file.client, file.name), bytes=file.size, detail=detail)
        if not receipt.complete:
            raise too_few(receipt)
        return receipt

    def _tell(self, file: FileRecord) -> None:
        """The server could not tell the manager, who would give an older version to who asks."""
        try:
            self.manager.call("noteVersion", file.client, file.name, file.version)
        except RpclabError:
            return  # nobody reaches it: it will hear of this version when the server is back


class _Sending:
    """One backup, over as many servers as it takes."""

    def __init__(self, backup: Backup, path: str, name: str, wish: Wish, progress: Progress | None) -> None:
        self._backup, self._path, self._name, self._wish, self._progress = backup, path, name, wish, progress
        self._key = file_key(backup.client, name)
        self._upload = backup.world.nonce(16).hex()
        self._saved = backup.world.clock.wall()
        self._version = 0  # once it is placed
        self._digest = ""  # once all of it was sent: another attempt must send the same
        self._tries: list[_Try] = []

    def run(self) -> Receipt:
        try:
            while True:
                reader = self._backup.world.disk.open(self._path)
                try:
                    return self._offer(reader)
                except _Failed as failed:
                    self._tries.append(failed.attempt)
                    if len(self._tries) == _TRIES:
                        raise self._refused() from None
                finally:
                    reader.close()
        except RpclabError as error:
            self._release()
            if error.definite and self._may_be_stored:
                raise ConnectionLost(f"{self._reasons()}; then: {error.message}") from None
            raise
        except BaseException:
            self._release()
            raise

    def _offer(self, reader: Reader) -> Receipt:
        """Offer the file to the server that the manager chooses. Errors: _Failed, when another server may take it."""
        placement = self._place(reader.size)
        self._version, primary = placement.version, placement.servers[0]
        pool = self._backup.servers.to(primary.address)
        sent = False
        try:
            with pool.begin("sendFilename", named=self._announcement(placement, reader.size)) as (connection, _):
                digest = send_file(
                    connection, reader, self._key, "original", expected=self._digest, progress=self._progress
                )
                sent = True
                self._sent(digest, reader.size)
                try:
                    receipt = connection.ask("confirmFile", self._upload, deadline_s=self._patience(), returns=Receipt)
                except ConnectionLost as error:
                    if error.node is not None:
                        raise
                    receipt = pool.call("confirmFile", self._upload, deadline_s=self._patience(), returns=Receipt)
        except _PASSED_OVER as error:
            raise _Failed(_Try(primary, error, sent)) from None
        return self._checked(receipt, digest)

    def _sent(self, digest: str, size: int) -> None:
        self._digest = digest
        detail = {"upload": self._upload, "version": self._version, "digest": digest}
        self._backup.tracer.event("sent", file=self._key, bytes=size, detail=detail)

    def _patience(self) -> float:
        return self._backup.limits.transfer_s

    def _place(self, size: int) -> Placement:
        exclude = [each.server.address for each in self._tries]
        named = {
            "client": self._backup.client,
            "name": self._name,
            "size": size,
            "upload": self._upload,
            "replicas": self._wish.replicas,
            "exclude": exclude,
            "version": self._version,
        }
        try:
            placement = self._backup.manager.call("placeFile", named=named, returns=Placement)
        except NoServer as error:
            if self._tries:
                raise self._refused(f"; {error.message}") from None
            raise
        assert isinstance(placement, Placement)
        return placement

    def _announcement(self, placement: Placement, size: int) -> dict[str, Any]:
        return {
            "filename": self._name,
            "client": self._backup.client,
            "size": size,
            "upload": placement.upload,
            "version": placement.version,
            "wanted": placement.wanted,
            "route": placement.servers[1:],
            "replication": self._wish.replication or placement.replication,
            "acknowledge": self._wish.acknowledge or placement.acknowledge,
            "replicas": placement.wanted,
            "saved": self._saved,
            "keep": placement.keep,
        }

    def _checked(self, receipt: Receipt, digest: str) -> Receipt:
        if receipt.newest or receipt.file.digest != digest:
            how = "was not stored" if receipt.file.digest != digest else "was stored as an earlier version"
            raise StorageError(
                f"{self._key} {how}: {receipt.servers[0]} holds a newer version with other contents, which somebody else sent; "
                "send it again if yours is to be the newest"
            )
        return receipt

    def _release(self) -> None:
        try:
            self._backup.manager.call("releaseUpload", self._upload, patience_s=0.0)
        except RpclabError:
            return  # the reservation ends by itself in a while

    def _refused(self, more: str = "") -> RpclabError:
        """No server took the file: the last one's error, with every server's reason. It may be stored only if one that was sent
        all of it has not said what became of it."""
        last = self._tries[-1]
        kind: type[RpclabError] = type(last.error) if last.error.definite else ConnectFailed
        if self._may_be_stored:
            kind = SyncFailed if last.may_be_stored and isinstance(last.error, SyncFailed) else ConnectionLost
        return kind(self._reasons() + more)

    @property
    def _may_be_stored(self) -> bool:
        return any(each.may_be_stored for each in self._tries)

    def _reasons(self) -> str:
        return "; ".join(
            f"{each.server.node}{' may have stored it' if each.may_be_stored else ''}: {each.error.message}"
            for each in self._tries
        )


class _Failed(Exception):
    """One attempt has failed, and another may succeed."""

    def __init__(self, attempt: _Try) -> None:
        self.attempt = attempt


def too_few(receipt: Receipt) -> TooFewCopies:
    reasons = "; ".join(receipt.problems) or "no other server is connected, or has room"
    error = TooFewCopies(
        f"{file_key(receipt.file.client, receipt.file.name)} has {receipt.copies} of {receipt.wanted} copies, "
        f"on {', '.join(receipt.servers)}: {reasons}. Back it up again when more servers are there"
    )
    error.receipt = receipt
    return error
