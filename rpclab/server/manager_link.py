"""A server's link to its manager: registers, keeps registering when the manager comes back, reports, asks for other servers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from ..config import Address, Limits, address_text
from ..errors import PlacementError, RpclabError
from ..records import Advice, FileRecord, Placement, ServerRecord, pages
from ..rpc.connection import Connection
from ..rpc.document import DocumentConnection
from ..rpc.handshake import Identity
from ..rpc.listener import Say
from ..rpc.opening import open_connection
from ..rpc.pool import Pool
from ..trace import Tracer
from ..world.base import Task, World
from .store import Store

__all__ = ["DocumentManagerLink", "Link", "ManagerLink"]

_IDLE_S = 10.0  # a connection costs its manager a thread; to open another, a millisecond


class Link(Protocol):
    """What a server needs of its manager, whatever wire the manager speaks."""

    advice: Advice

    def start(self, own: Address, store: Store) -> None: ...

    def report(
        self,
        report: tuple[int, int],
        stored: Iterable[FileRecord] = (),
        removed: Iterable[FileRecord] = (),
        upload: str = "",
    ) -> bool: ...

    def release(self, upload: str) -> None: ...

    def next_version(self) -> int: ...

    def more_servers(self, file: FileRecord, upload: str, count: int, exclude: set[Address]) -> list[ServerRecord]: ...

    def stop(self) -> None: ...


class ManagerLink:
    """The link over our own wire. One connection stays open and means "I am here"; others carry the calls of other tasks.

    What cannot be told to the manager because it is away is no loss: registering again tells it everything.
    """

    def __init__(
        self, world: World, identity: Identity, manager: Address, tracer: Tracer, limits: Limits, say: Say
    ) -> None:
        self._world, self._manager, self._limits, self._say = world, manager, limits, say
        self._connect: Callable[[], Connection] = lambda: open_connection(
            world, manager, identity, tracer, expected=("manager",), limits=limits
        )
        self._node = identity.node
        self._pool = Pool(world, self._connect, limits=limits, patient=True)
        self._changed = world.tasks.condition()  # guards what follows
        self._presence: Connection | None = None
        self._registered = self._stopping = False
        self._reported = 0  # the highest number that the manager was to be told
        self._told = 0  # the number of the inventory that it was told last: it has all up to that
        self._task: Task | None = None
        self._own: Address = ("", 0)
        self.advice = Advice(heartbeat_s=limits.heartbeat_s)

    def start(self, own: Address, store: Store) -> None:
        """Begin to register, and never give up: the manager may start later, or again."""
        self._own = own
        self._task = self._world.tasks.spawn(lambda: self._stay_registered(store), f"{self._node}-register")

    def wait_registered(self, seconds: float) -> bool:
        with self._changed:
            until = self._world.clock.now() + seconds
            while not self._registered and (left := until - self._world.clock.now()) > 0:
                self._changed.wait(left)
            return self._registered

    def _stay_registered(self, store: Store) -> None:
        told = ""
        while not self._stopping:
            try:
                with self._connect() as connection:
                    self._register(connection, store)
                    told = ""
                    while not self._stopping:
                        connection.notify("heartbeat", [self._own])
                        connection.stay(self.advice.heartbeat_s)
                        self._pool.let_go(_IDLE_S)
            except RpclabError as error:
                if error.message != told and not self._stopping:
                    told = error.message
                    self._say(f"no manager at {address_text(self._manager)} yet, trying on: {error}")
            with self._changed:
                self._registered = False
                if not self._stopping:
                    self._changed.wait(self._limits.retry_s)

    def _register(self, connection: Connection, store: Store) -> None:
        with self._changed:
            self._presence = connection
        self.advice = connection.call("getSettings", returns=Advice)
        store.keep_epoch(connection.call("joinEpoch", store.epoch, returns=int))
        while True:
            report, stored_bytes, files = store.inventory()
            for page in pages(files):
                connection.call("addFiles", self._own, page)
            connection.call("addServer", self._own, stored_bytes, self._node, store.quota_bytes, report)
            with self._changed:
                if self._reported <= report:  # else the manager may have missed a report that came meanwhile
                    self._registered, self._told = True, report
                    self._changed.notify_all()
                    break
        self._say(
            f"registered with the manager at {address_text(self._manager)}: {len(files)} files, {stored_bytes:,} bytes"
        )

    def report(
        self,
        report: tuple[int, int],
        stored: Iterable[FileRecord] = (),
        removed: Iterable[FileRecord] = (),
        upload: str = "",
    ) -> bool:
        """Tell what is stored now; `report` is its number and the bytes. Returns whether the manager has heard it."""
        number, stored_bytes = report
        with self._changed:
            self._reported = max(self._reported, number)
        try:
            known = self._pool.call(
                "updateServer",
                self._own,
                stored_bytes,
                number,
                list(stored),
                list(removed),
                upload or None,
                patience_s=0.0,  # registering again tells it too, and somebody waits for the acknowledgement
            )
        except RpclabError as error:
            self._say(f"the manager could not be told, it will hear it when it is back: {error}")
            self._register_anew(number)
            return False
        if not known:
            self._register_anew(number)
        return True

    def _register_anew(self, missed: int) -> None:
        """The manager missed a report: end the connection that means "I am here", so that it is told everything, unless it was
        told since."""
        with self._changed:
            if self._registered and self._presence is not None and missed > self._told:
                self._presence.channel.stream.shutdown()

    def release(self, upload: str) -> None:
        """Tell that an upload has ended: what is still reserved for it, also by `more_servers`, is free again."""
        try:
            for name in (upload, _further(upload)):
                self._pool.call("releaseUpload", name, patience_s=0.0)
        except RpclabError as error:
            self._say(f"the manager could not be told that an upload has ended; its reservation will expire: {error}")

    def next_version(self) -> int:
        """A version for a file that no manager has placed; 0, the store's own choice, while the manager is away."""
        try:
            return int(self._pool.call("nextVersion", returns=int))
        except RpclabError as error:
            self._say(f"the manager could not be asked for a version: {error}")
            return 0

    def more_servers(self, file: FileRecord, upload: str, count: int, exclude: set[Address]) -> list[ServerRecord]:
        """Up to `count` other servers for copies of a file. Errors: CommunicationError; none to be had is an empty list."""
        try:
            placement = self._pool.call(
                "placeFile",
                file.client,
                file.name,
                file.size,
                _further(upload),
                count,
                sorted(exclude),
                returns=Placement,
            )
        except PlacementError:
            return []
        return list(placement.servers)

    def stop(self) -> None:
        """Leave: the manager forgets a server whose connection ends. May be called twice."""
        with self._changed:
            self._stopping = True
            presence = self._presence
            self._changed.notify_all()
        self._pool.close()  # nobody waits any longer for a manager that is away
        if presence is not None:
            presence.channel.stream.shutdown()
        if self._task is not None:
            self._task.join(self._limits.stop_s)


def _further(upload: str) -> str:
    """The name under which more room is reserved for an upload, beside what its client was given."""
    return f"{upload}+"


class DocumentManagerLink:
    """The link to a manager that speaks the document's wire, such as the original: one connection, one task at a time."""

    def __init__(self, world: World, manager: Address, tracer: Tracer, limits: Limits, say: Say) -> None:
        self._world, self._manager, self._tracer, self._limits, self._say = world, manager, tracer, limits, say
        self._lock = world.tasks.lock()  # guards the connection, which the original shared without one
        self._connection: DocumentConnection | None = None
        self._own: Address = ("", 0)
        self.advice = Advice()

    def start(self, own: Address, store: Store) -> None:
        """Register once, as the original does. Errors: ConnectFailed."""
        self._own = own
        self._call("addServer", own, store.report()[1])

    def wait_registered(self, seconds: float) -> bool:
        return self._connection is not None

    def _call(self, method: str, *params: object) -> object:
        with self._lock:
            if self._connection is None or self._connection.closed:
                self._connection = DocumentConnection(self._world, self._manager, self._tracer, self._limits)
            return self._connection.call(method, *params)

    def report(
        self,
        report: tuple[int, int],
        stored: Iterable[FileRecord] = (),
        removed: Iterable[FileRecord] = (),
        upload: str = "",
    ) -> bool:
        try:
            self._call("updateServer", self._own, report[1])
        except RpclabError as error:
            self._say(f"the manager could not be told: {error}")
        return True  # of which files there are this wire tells nothing

    def release(self, upload: str) -> None:
        """This wire knows no reservations."""

    def next_version(self) -> int:
        """This wire knows no versions: the store counts its own."""
        return 0

    def more_servers(self, file: FileRecord, upload: str, count: int, exclude: set[Address]) -> list[ServerRecord]:
        """The second server, asked for as the document says: only if there is more than one, and never ourselves."""
        quantity = self._call("getQuantity")
        if not isinstance(quantity, int) or quantity < 2:
            return []
        answer = self._call("getServer", self._own)
        if not (
            isinstance(answer, list) and len(answer) == 2 and isinstance(answer[0], str) and isinstance(answer[1], int)
        ):
            self._say(f"the manager gave no address but {answer!r}")
            return []
        address = (answer[0], answer[1])
        return [] if address in exclude else [ServerRecord(address_text(address), address, 0, wire="document")]

    def stop(self) -> None:
        try:
            self._call("removeServer", self._own)
        except RpclabError as error:
            self._say(f"the manager could not be told that this server leaves: {error}")
        with self._lock:
            if self._connection is not None:
                self._connection.close()
