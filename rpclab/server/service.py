"""A server: takes files in, keeps them, copies them on, gives them back. What it stores is the store's business, how a file comes
in is that of uploads.py, how copies travel that of replication.py, the document's own wire that of document.py; here is what it
answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..config import Address, Limits
from ..errors import ClusterError, DigestMismatch, StorageError, UsageError
from ..names import check_client, check_name
from ..records import FileRecord, Receipt, ServerRecord, file_key, pages
from ..rpc.document import FILENAME_RECEIVED
from ..rpc.files import send_file
from ..rpc.handshake import Identity
from ..rpc.listener import Listener, Say, WhenBound
from ..rpc.own_registry import registry_of
from ..rpc.registry import Call, Then
from ..trace import Tracer
from ..world.base import World
from .callers import manager_only, owner_of
from .checks import Checks
from .document import DocumentWire
from .manager_link import Link, ManagerLink
from .own_replication import replication_of
from .own_store import store_of
from .pace import Pace
from .removing import Removing
from .scrub import Scrub
from .uploads import Upload, Uploads

__all__ = ["Server"]


class Server:
    """One server: `start` it on an address, `stop` it at the end. Errors at construction: FolderNotUsable.

    Remote methods: the description's `string`, `sendPath`, `sendFilename`, and `confirmFile`, `getFile`, `verifyFile`,
    `deleteFile`, `listStored`, and for the manager `copyFile`, `dropFile`. More can be registered at `registry`.
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
        self._world, self._identity, self._say = world, identity, say
        self._tracer = tracer or Tracer(world, identity.node)
        self._limits = limits or Limits()
        self.store = store_of(identity.own, world, folder, quota_bytes=quota_bytes, say=say)
        self.link = link or ManagerLink(world, identity, manager, self._tracer, self._limits, say)
        self._replication = replication_of(world, identity, self.store, self.link, self._tracer, self._limits)
        self._uploads = Uploads(
            world, identity.node, self.store, self.link, self._replication, self._tracer, self._limits, say
        )
        self._removing = Removing(self.store, self.link, self._tracer)
        self._checks = Checks(self.store, self.link, self._tracer, say)
        self._scrub = Scrub(
            world,
            identity.node,
            self.store,
            self._checks.check,
            lambda: self.link.advice,
            self._tracer,
            say,
        )
        self._pace = Pace(world)
        self._address: Address = ("", 0)
        self.registry = registry_of(identity.own)
        self._register()
        wire = DocumentWire(
            world,
            self.store,
            self.link,
            self._uploads,
            self._replication,
            self.registry,
            self._tracer,
            say,
            show_messages,
        )
        self._listener = Listener(
            world,
            self.registry,
            identity,
            self._tracer,
            limits=self._limits,
            document=wire.converse if document_wire else None,
            say=say,
            show_messages=show_messages,
        )

    def _register(self) -> None:
        register = self.registry.register_method
        register(string, reads=True)
        register(self.send_path, "sendPath", reads=True)
        register(self.send_filename, "sendFilename", with_call=True)
        register(self.confirm_file, "confirmFile", reads=True)
        register(self.get_file, "getFile", with_call=True, reads=True)
        register(self.verify_file, "verifyFile", reads=True)
        register(self._removing.delete_file, "deleteFile", with_call=True)
        register(self.copy_file, "copyFile", with_call=True)
        register(self._removing.drop_file, "dropFile", with_call=True)
        register(self.list_stored, "listStored", reads=True)

    def start(self, address: Address, when_bound: WhenBound = lambda address: None) -> Address:
        """Serve at an address and register with the manager; returns the address with its real port, once `when_bound` was
        told it. Errors: PortInUse."""
        self._address = self._replication.own = self._listener.start(address, when_bound)
        self.link.start(self._address, self.store)
        self._scrub.start()
        return self._address

    def stop(self, within_s: float = 0.0) -> None:
        """Leave the cluster: finish what is under way within so many seconds. May be called twice."""
        self._scrub.stop()
        self._pace.stop()
        self.link.stop()
        self._listener.stop(within_s)
        self._uploads.stop(within_s)
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
        replicas: int = 0,
        saved: float = 0.0,
        keep: int | None = None,
    ) -> Then:
        """Announce a file: when this returns, its packets may come; then `confirmFile` tells what became of it.

        `wanted` copies are to be made from here, along the `route`; `replicas` is what its owner wants in all and `saved` when it
        was backed up: both are kept with it. Of its versions, the `keep` newest stay.
        """
        if size < 0 or wanted < 1 or replicas < 0 or (keep is not None and keep < 1):
            raise UsageError(f"a file of {size} bytes in {wanted} copies and {keep} versions cannot be")
        owner = owner_of(call, client)
        incoming = self.store.begin(owner, filename, size, version, wanted=replicas, saved=saved, keep=keep)
        upload = upload or self._world.nonce(8).hex()
        attempt = self._uploads.begin(upload)
        job = Upload(upload, attempt, incoming, wanted, list(route or []), replication, acknowledge, copy)
        connection = call.connection
        assert connection is not None  # only our own wire, which has one, calls this
        return _then(
            call,
            FILENAME_RECEIVED,
            lambda: self._uploads.take_in(connection, job),
            otherwise=lambda: self._uploads.never_came(call, job),
            asked_after=True,  # confirmFile: a stop ends no upload between its last byte and its acknowledgement
        )

    def confirm_file(self, upload: str) -> Receipt:
        """What became of an upload: its receipt, or the error that it ended with."""
        return self._uploads.outcome(upload)

    def get_file(self, call: Call, filename: str, client: str, version: int | None = None) -> Then:
        """Give a stored file back, its newest version or the given one: its record first, then its packets."""
        file, reader = self.store.open(check_client(client), check_name(filename), version)
        connection = call.connection
        assert connection is not None

        def go_on() -> None:
            try:
                send_file(connection, reader, file_key(file.client, file.name), "restore", expected=file.digest)
            except StorageError as error:  # the receiver was told, and turns to another copy
                self._say(f"could not give back {file_key(file.client, file.name)}: {error}")
                detail = {"error": type(error).__name__, "message": error.message}
                self._tracer.event("failed", peer=call.peer.node, file=file_key(file.client, file.name), detail=detail)
                self._uploads.spawn(lambda: self._checks.later(file), f"{self._identity.node}-checks")
            finally:
                reader.close()

        return _then(call, file, go_on, otherwise=reader.close)

    def verify_file(self, filename: str, client: str, version: int | None = None) -> bool:
        """Read a stored file again: whether it still has the digest that it was stored with. If not, it no longer counts as a
        copy and is put aside."""
        return self._checks.check(self.store.get(check_client(client), check_name(filename), version))

    def copy_file(
        self,
        call: Call,
        filename: str,
        client: str,
        version: int,
        target: ServerRecord,
        upload: str,
        bytes_s: int,
    ) -> bool:
        """Send a copy of one stored version to another server, at most so many bytes a second; True once it is durable there."""
        manager_only(call, "copyFile")
        file = self.store.get(client, filename, version)
        pace = self._pace.at(max(1, bytes_s))

        def progress(done: int, total: int) -> None:
            if not pace(done):
                raise ClusterError(f"{self._identity.node} is stopping")

        try:
            self._replication.copy(file, upload, target, copy="repair", progress=progress)
        except DigestMismatch:
            self._checks.check(file)
            raise
        return True

    def list_stored(self, after: tuple[str, str] | tuple[str, str, int] | None = None) -> list[FileRecord]:
        """A page of the versions stored here; the next page comes `after` the last (client, name, version) of this one."""
        last = None if after is None else (after[0], after[1], after[2] if len(after) > 2 else math.inf)
        found = [file for file in self.store.files() if last is None or (file.client, file.name, file.version) > last]
        return next(pages(found), [])


def _then(
    call: Call, result: Any, go_on: Callable[[], None], *, otherwise: Callable[[], None], asked_after: bool = False
) -> Then:
    """Send the result, then go on; `otherwise` is done if the peer has gone before it could be sent."""
    call.at_end.append(otherwise)

    def after() -> None:
        call.at_end.remove(otherwise)
        go_on()

    return Then(result, after, asked_after)


def string(text: str) -> str:
    """Return the text that was given: a test of the connection."""
    return text
