"""A server: takes files in, keeps them, copies them on, gives them back. What it stores is the store's business, how copies
travel is replication's; here is what it answers, and the path of one file from its announcement to its receipt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from blake3 import blake3

from ..config import Address, Limits, is_loopback
from ..errors import (
    CommunicationError,
    ConnectionLost,
    NoSuchFile,
    NotAllowed,
    PacketError,
    RpclabError,
    StorageError,
    UsageError,
)
from ..names import check_client, check_name
from ..records import FileRecord, Receipt, ServerRecord, file_key, pages
from ..rpc import document
from ..rpc.channel import Channel
from ..rpc.connection import Connection
from ..rpc.document import DocumentRequest
from ..rpc.files import FileReceiver, send_file
from ..rpc.handshake import Identity
from ..rpc.listener import Listener, Say
from ..rpc.registry import Call, Registry, Then
from ..trace import Tracer
from ..world.base import Task, World
from .manager_link import Link, ManagerLink
from .outcomes import Outcomes
from .replication import Copies, Forward, Replication
from .store import Incoming, Store

__all__ = ["Server"]


@dataclass(frozen=True, slots=True)
class Upload:
    """One announced file: where its bytes go, and what its sender wants."""

    id: str
    incoming: Incoming
    wanted: int
    route: list[ServerRecord]
    replication: str
    acknowledge: str
    copy: str

    @property
    def file(self) -> FileRecord:
        incoming = self.incoming
        return FileRecord(incoming.client, incoming.name, incoming.size, "", incoming.version)

    @property
    def key(self) -> str:
        return file_key(self.incoming.client, self.incoming.name)


class Server:
    """One server: `start` it on an address, `stop` it at the end. Errors at construction: FolderNotUsable.

    Remote methods: the description's `string`, `sendPath`, `sendFilename`, and `confirmFile`, `getFile`, `verifyFile`,
    `deleteFile`, `listStored`. More can be registered at `registry`.
    """

    def __init__(
        self,
        world: World,
        identity: Identity,
        folder: str,
        manager: Address,
        *,
        quota_bytes: int | None = None,
        tracer: Tracer | None = None,
        limits: Limits | None = None,
        document_wire: bool = False,
        link: Link | None = None,
        say: Say = lambda line: None,
        show_messages: bool = False,
    ) -> None:
        self._world, self._identity, self._say, self._show = world, identity, say, show_messages
        self._tracer = tracer or Tracer(world, identity.node)
        self._limits = limits or Limits()
        self.store = Store(world, folder, quota_bytes=quota_bytes, say=say)
        self.link = link or ManagerLink(world, identity, manager, self._tracer, self._limits, say)
        self._replication = Replication(world, identity, self.store, self.link, self._tracer, self._limits)
        self._outcomes = Outcomes(world, self._limits.outcomes)
        self._lock = world.tasks.lock()  # guards _background
        self._background: list[Task] = []
        self._address: Address = ("", 0)
        self.registry = Registry()
        self._register()
        self._listener = Listener(
            world,
            self.registry,
            identity,
            self._tracer,
            limits=self._limits,
            document=self._converse_document if document_wire else None,
            say=say,
            show_messages=show_messages,
        )

    def _register(self) -> None:
        register = self.registry.register_method
        register(string)
        register(self.send_path, "sendPath")
        register(self.send_filename, "sendFilename", with_call=True)
        register(self.confirm_file, "confirmFile")
        register(self.get_file, "getFile", with_call=True)
        register(self.verify_file, "verifyFile")
        register(self.delete_file, "deleteFile", with_call=True)
        register(self.list_stored, "listStored")

    def start(self, address: Address) -> Address:
        """Serve at an address and register with the manager; returns the address with its real port. Errors: PortInUse."""
        self._address = self._replication.own = self._listener.start(address)
        self.link.start(self._address, self.store)
        return self._address

    def stop(self, within_s: float = 0.0) -> None:
        """Leave the cluster: finish what is under way within so many seconds. May be called twice."""
        self.link.stop()
        self._listener.stop(within_s)
        with self._lock:
            tasks, self._background = self._background, []
        for task in tasks:
            task.join(within_s)
        self._replication.close()
        self.store.close()

    # ---- remote methods

    def send_path(self) -> str:
        """The folder that this server keeps its files in."""
        return self.store.folder

    def send_filename(
        self,
        call: Call,
        filename: str,
        client: str = "",
        size: int = 0,
        upload: str = "",
        version: int = 0,
        wanted: int = 1,
        route: list[ServerRecord] | None = None,
        replication: str = "after",
        acknowledge: str = "all",
        copy: str = "original",
    ) -> Then:
        """Announce a file: when this returns, its packets may come; then `confirmFile` tells what became of it."""
        if size < 0 or wanted < 1:
            raise UsageError(f"a file of {size} bytes in {wanted} copies cannot be")
        owner = _owner(call, client)
        incoming = self.store.begin(owner, filename, size, version, keep=1)
        job = Upload(
            upload or self._world.nonce(8).hex(), incoming, wanted, list(route or []), replication, acknowledge, copy
        )
        self._outcomes.begin(job.id)
        connection = call.connection
        assert connection is not None  # only our own wire, which has one, calls this
        gone = ConnectionLost(f"{call.peer.node} went away before it sent {job.key}")
        return _then(
            call,
            document.FILENAME_RECEIVED,
            lambda: self._take_in(connection, job),
            otherwise=lambda: self._give_up(call.peer.node, job, None, gone),
        )

    def confirm_file(self, upload: str) -> Receipt:
        """What became of an upload: its receipt, or the error that it ended with."""
        return self._outcomes.wait(upload, self._limits.transfer_s)

    def get_file(self, call: Call, filename: str, client: str) -> Then:
        """Give a stored file back: its record first, then its packets."""
        file, reader = self.store.open(check_client(client), check_name(filename))
        connection = call.connection
        assert connection is not None

        def go_on() -> None:
            try:
                send_file(connection, reader, file_key(file.client, file.name), "restore", expected=file.digest)
            except StorageError as error:  # the receiver was told, and turns to another copy
                self._say(f"could not give back {file_key(file.client, file.name)}: {error}")
                detail = {"error": type(error).__name__, "message": error.message}
                self._tracer.event("failed", peer=call.peer.node, file=file_key(file.client, file.name), detail=detail)
            finally:
                reader.close()

        return _then(call, file, go_on, otherwise=reader.close)

    def verify_file(self, filename: str, client: str) -> bool:
        """Read a stored file again: whether it still has the digest that it was stored with."""
        file, digest = self.store.verify(check_client(client), check_name(filename))
        return file.digest == digest

    def delete_file(self, call: Call, filename: str, client: str = "", version: int = 0) -> FileRecord | None:
        """Remove a stored file, and remember up to which version, so that an older copy is not stored again. Returns what
        was removed; with a version it is no error if there was nothing."""
        tombstone, removed = self.store.delete(_owner(call, client), check_name(filename), version)
        file = removed[-1] if removed else None
        report = self.store.report()
        key = file_key(tombstone.client, tombstone.name)
        detail = {"stored_bytes": report[1], "version": tombstone.version}
        self._tracer.event("deleted", file=key, bytes=file.size if file else 0, detail=detail)
        self.link.report(report, stored=[tombstone], removed=removed)
        return file

    def list_stored(self, after: tuple[str, str] | None = None) -> list[FileRecord]:
        """A page of the files stored here; the next page comes `after` the last (client, name) of this one."""
        found = [file for file in self.store.files() if after is None or (file.client, file.name) > after]
        return next(pages(found), [])

    # ---- the path of a file

    def _take_in(self, connection: Connection, job: Upload) -> None:
        forward = self._begin_forward(job)
        try:
            file = self._receive(connection, job, forward)
        except RpclabError as error:
            self._give_up(connection.peer.node, job, forward, error)
            if isinstance(error, CommunicationError | PacketError):
                raise  # this connection can't be used on
            return
        self._stored(file, job.copy, job.id)
        if job.acknowledge == "primary" and job.wanted > 1:
            receipt = Receipt(job.id, file, [self._identity.node], job.wanted, pending=job.wanted - 1)
            self._outcomes.end(job.id, receipt)
            self._spawn(lambda: self._make_copies(file, job, forward), f"{self._identity.node}-copies")
        else:
            self._outcomes.end(job.id, self._make_copies(file, job, forward))

    def _begin_forward(self, job: Upload) -> Forward | None:
        if job.replication == "pipeline" and job.route:
            return self._replication.forward(job.file, job.id, job.route)
        return None

    def _receive(self, connection: Connection, job: Upload, forward: Forward | None) -> FileRecord:
        receiver = FileReceiver(connection, job.key, job.copy)
        try:
            for pieces in receiver:
                job.incoming.write(pieces)
                if forward is not None:
                    forward.send(pieces)
        except StorageError:
            if not receiver.ended:
                receiver.drain()
            raise
        file = job.incoming.commit(receiver.digest)
        if forward is not None:  # only now: no copy of a file that its sender is told was not stored
            forward.end(receiver.digest)
        return file

    def _give_up(self, sender: str, job: Upload, forward: Forward | None, error: RpclabError) -> None:
        job.incoming.discard()
        if forward is not None:
            forward.abort(error.message)
        detail = {"error": type(error).__name__, "message": error.message, "upload": job.id}
        self._tracer.event("failed", peer=sender, file=job.key, detail=detail)
        self._say(f"{job.key} from {sender} was not stored: {error.message}")
        self._report_leftover(job)
        self._outcomes.end(job.id, error)
        if job.copy == "original":
            self.link.release(job.id)

    def _report_leftover(self, job: Upload) -> None:
        """When the very last step of storing failed, the file has its name though nobody vouches for it: say so."""
        try:
            file = self.store.get(job.incoming.client, job.incoming.name)
        except NoSuchFile:
            return
        if file.version == job.incoming.version:
            self.link.report(self.store.report(), stored=[file])

    def _stored(self, file: FileRecord, copy: str, upload: str) -> None:
        report = self.store.report()
        detail = {"digest": file.digest, "version": file.version, "stored_bytes": report[1], "upload": upload}
        self._tracer.event("stored", file=file_key(file.client, file.name), bytes=file.size, copy=copy, detail=detail)
        self._say(f"stored {file_key(file.client, file.name)}, {file.size:,} bytes ({copy})")
        self.link.report(report, stored=[file], upload=upload)

    def _make_copies(self, file: FileRecord, job: Upload, forward: Forward | None) -> Receipt:
        if forward is not None:
            copies = forward.confirm()
            missing = job.wanted - 1 - len(copies.nodes)
            if missing > 0:
                copies.nodes += self._others(file, job, missing, copies)
        elif job.wanted > 1:
            copies = self._replication.copy_after(file, job.id, job.wanted - 1, job.route)
        else:
            copies = Copies()
        for problem in copies.problems:
            self._say(f"a copy of {job.key} failed: {problem}")
        return Receipt(job.id, file, [self._identity.node, *copies.nodes], job.wanted, problems=copies.problems)

    def _others(self, file: FileRecord, job: Upload, missing: int, copies: Copies) -> list[str]:
        """A pipeline broke: what is missing is copied afterwards, first to those behind the server that failed."""
        passed_over = {job.route[0].node, *copies.nodes}  # the next server has a copy, or it has failed
        later = self._replication.copy_after(file, job.id, missing, job.route, passed_over)
        copies.problems += later.problems
        return later.nodes

    def _spawn(self, function: Callable[[], Any], name: str) -> None:
        with self._lock:
            self._background = [task for task in self._background if not task.join(0)]
            self._background.append(self._world.tasks.spawn(function, name))

    # ---- the document's wire

    def _converse_document(self, channel: Channel) -> None:
        if not is_loopback(channel.stream.peer):
            raise NotAllowed("the document's wire is for loopback only")
        registry = Registry()
        for name in ("string", "sendPath"):
            registry.take_over(self.registry, name)
        document.converse(channel, registry, self._tracer, self._say, self._take_document_file, self._show)

    def _take_document_file(self, channel: Channel, request: DocumentRequest) -> None:
        """Store a file that a program of the document's wire sends, confirm it, then copy it on, in that order."""
        name = request.args[0] if request.args and isinstance(request.args[0], str) else ""
        incoming = self.store.begin(document.CLIENT, name, -1, self.link.next_version(), keep=1)
        try:
            document.send_reply(channel, self._tracer, document.FILENAME_RECEIVED)
            file = incoming.commit(_write_pieces(incoming, document.file_pieces(channel)))
        finally:
            incoming.discard()
        backup = request.mark == document.BACKUP
        upload = self._world.nonce(8).hex()
        self._stored(file, "replica" if backup else "original", upload)
        document.send_reply(channel, self._tracer, document.FILE_RECEIVED)
        if not backup:
            for problem in self._replication.copy_after(file, upload, 1, []).problems:
                self._say(f"a copy of {file_key(file.client, file.name)} failed: {problem}")


def _then(call: Call, result: Any, go_on: Callable[[], None], *, otherwise: Callable[[], None]) -> Then:
    """Send the result, then go on; `otherwise` is done if the peer has gone before it could be sent."""
    call.at_end.append(otherwise)

    def after() -> None:
        call.at_end.remove(otherwise)
        go_on()

    return Then(result, after)


def _write_pieces(incoming: Incoming, pieces: Iterator[bytes]) -> str:
    """Write a file of the document's wire as it comes; returns the digest of what came."""
    hasher = blake3()
    try:
        for piece in pieces:
            hasher.update(piece)
            incoming.write([memoryview(piece)])
    except StorageError:
        for _ in pieces:  # the sender does not listen before EOF: its bytes must not be taken for requests
            continue
        raise
    return hasher.hexdigest()


def string(text: str) -> str:
    """Return the text that was given: a test of the connection."""
    return text


def _owner(call: Call, client: str) -> str:
    """Whose file a call is about. A client has only its own; servers and the manager act for any."""
    if call.peer.role != "client":
        return client
    if client not in ("", call.peer.node):
        raise NotAllowed(f"{call.peer.node} may change its own files, not those of {client}")
    return call.peer.node
