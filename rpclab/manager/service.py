"""The manager: answers who the servers are, where a file is to go, and where it lies. It stores nothing of its own.

All it knows it was told by the servers: each registers over a connection that it keeps open, reports its inventory, and then
every change. When that connection ends, or falls silent for too long, the server is gone and no longer chosen. A manager that was
killed and started again knows everything as soon as its servers have registered again. What it has done about copies that are
missing, or too many, is in repair.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..config import Address, Limits, is_loopback
from ..errors import ClusterError, NotAllowed, UsageError
from ..names import check_client, check_name
from ..records import Deletion, Placement, file_key, pages
from ..rpc import document
from ..rpc.channel import Channel
from ..rpc.handshake import Identity
from ..rpc.listener import Listener, Say, WhenBound
from ..rpc.own_registry import registry_of
from ..rpc.registry import Call, Registry
from ..trace import Tracer
from ..world.base import World
from ..world.repeating import Repeating
from .decisions import Decisions
from .directory import Directory
from .enrolment import Enrolment
from .looking import look
from .queries import Queries
from .repair import Repair
from .settings import Settings

__all__ = ["Manager"]

_SHOWN = 50  # servers, files, reservations: with names of 255 bytes still one message


class Manager:
    """One manager: `start` it on an address, `stop` it at the end.

    Its remote methods are the description's (`string`, `addServer`, `removeServer`, `getServer`, `updateServer`, `getQuantity`)
    and those that the project adds (`placeFile`, `findFile`, `listFiles`, ...). More can be registered at `registry`.
    """

    def __init__(
        self,
        world: World,
        identity: Identity,
        *,
        settings: Settings | None = None,
        tracer: Tracer | None = None,
        limits: Limits | None = None,
        document_wire: bool = False,
        say: Say = lambda line: None,
        show_messages: bool = False,
    ) -> None:
        self.settings = settings or Settings()
        self._world, self._say = world, say
        self._tracer = tracer or Tracer(world, identity.node)
        limits = limits or Limits()
        self.directory = Directory(
            policy=self.settings.policy,
            policy_name=self.settings.policy_name,
            reservation_s=limits.reservation_s,
            replicas=self.settings.replicas,
            keep=self.settings.keep,
            dead_s=self.settings.dead_s,
            own=identity.own,
        )
        if not self._tracer.enabled:
            self.directory.placing.shown = 0
        self._lock = world.tasks.lock()  # guards the directory
        self._watching = Repeating(world, self._watch, self.settings.heartbeat_s / 2, f"{identity.node}-watch")
        self._decisions = Decisions(self._tracer, self.settings.policy_name)
        self._repair = Repair(
            world, identity, self.directory, self._lock, self.settings, self._tracer, limits, say, self._decisions
        )
        self._enrolment = Enrolment(
            world, self.directory, self._lock, self.settings, self._tracer, say, self._repair.gone, identity.own
        )
        self._queries = Queries(self.directory, self._lock, self._enrolment.wait_until_known)
        self.registry = registry_of(identity.own)
        self._register()
        self._show = show_messages
        self._listener = Listener(
            world,
            self.registry,
            identity,
            self._tracer,
            limits=limits,
            document=self._converse_document if document_wire else None,
            say=say,
            show_messages=show_messages,
        )

    def _register(self) -> None:
        reading: list[Callable[..., Any]] = [
            string,
            self._queries.get_quantity,
            self.get_settings,
            self.next_version,  # each is used once, and none is missed
            self._queries.find_file,
            self._queries.list_versions,
            self._queries.list_files,
            self._queries.list_servers,
            self.get_upkeep,
        ]
        for function in reading:
            self.registry.register_method(function, _wire_name(function), reads=True)
        self.registry.register_method(self.balance)
        for function in (
            self._enrolment.join_epoch,
            self._enrolment.add_files,
            self._enrolment.add_server,
            self._enrolment.remove_server,
            self._enrolment.update_server,
            self._enrolment.heartbeat,
            self.get_server,
            self.place_file,
            self.release_upload,
            self.note_version,
            self.prepare_delete,
        ):
            self.registry.register_method(function, _wire_name(function), with_call=True)

    def start(self, address: Address, when_bound: WhenBound = lambda address: None) -> Address:
        """Serve at an address; returns it with its real port, once `when_bound` was told it. Errors: PortInUse, UsageError."""
        real = self._listener.start(address, when_bound)
        self._enrolment.begin()
        self._watching.start()
        return real

    def stop(self, within_s: float = 0.0) -> None:
        """Serve nobody any more, once what is under way has ended or so many seconds have passed. May be called twice."""
        self._watching.stop()
        self._repair.stop()
        self._listener.stop(within_s)

    # ---- remote methods: the description's

    def get_server(self, call: Call, address: Address | None = None) -> Address:
        """The address of the server that the placement policy chooses; `address` must not be chosen."""
        wire = None if call.peer.wire == "document" else "rpclab"
        with self._lock:
            decision = self.directory.placing.choose(
                now=self._world.clock.now(),
                random=self._world.random,
                exclude=frozenset({address} if address else ()),
                wire=wire,
            )
            self._decisions.placed([decision], [decision.server], file="", size=0, request=call.event)
        return decision.server.address

    # ---- remote methods: the project's

    def get_settings(self) -> dict[str, Any]:
        """How this cluster keeps files."""
        return self.settings.told()

    def place_file(
        self,
        call: Call,
        client: str,
        name: str,
        size: int,
        upload: str,
        replicas: int | None = None,
        exclude: list[Address] | None = None,
        version: int = 0,
    ) -> Placement:
        """Where a file is to go, the primary first, with its bytes reserved there until the upload ends. A backup that is tried
        again gives the `version` that it was given before."""
        client, name = check_client(client), check_name(name)
        _own_files_only(call, client)
        if size < 0:
            raise UsageError(f"a file of {size} bytes cannot be")
        wanted = self.settings.replicas if replicas is None else replicas
        with self._lock:
            plan = self.directory.placing.place(
                client,
                name,
                size,
                wanted=wanted,
                now=self._world.clock.now(),
                random=self._world.random,
                upload=upload,
                exclude=frozenset(exclude or ()),
                version=version,
            )
            self._decisions.placed(
                plan.decisions,
                plan.servers,
                file_key(client, name),
                size,
                upload=upload,
                version=plan.version,
                request=call.event,
            )
        settings = self.settings
        return Placement(
            upload, plan.version, list(plan.servers), wanted, settings.replication, settings.acknowledge, settings.keep
        )

    def release_upload(self, call: Call, upload: str) -> bool:
        """An upload ended without being stored: its reserved bytes are free again."""
        with self._lock:
            self.directory.placing.release(upload)
        return True

    def note_version(self, call: Call, client: str, name: str, version: int) -> bool:
        """A client was promised a version by a server that could not tell: no older one is given for the newest any more."""
        _own_files_only(call, client)
        with self._lock:
            self.directory.note_version(check_client(client), check_name(name), version)
        return True

    def prepare_delete(self, call: Call, client: str, name: str, keep: int = 0) -> Deletion:
        """How to delete a file, or all but its `keep` newest versions: up to which version, and the servers to tell, those with
        a copy first. Version 0 means that there is nothing to do."""
        _own_files_only(call, client)
        if keep < 0:
            raise UsageError(f"keep={keep}: the number of versions that stay, 0 or more")
        self._enrolment.wait_until_known()
        with self._lock:
            version, servers = self.directory.delete(client, check_name(name), keep)
        return Deletion(version, next(pages(servers), []))

    def get_upkeep(self) -> dict[str, Any]:
        """What is done about copies: repairs that wait, run and are done, servers that went and are still waited for, whether
        copies are moved for balance, who is suspected, and whether the manager still waits for its servers (safe mode)."""
        known = {"safe_mode": self._enrolment.safe_mode, "suspected": self._enrolment.suspected}
        return {**known, **self._repair.progress()}

    def balance(self, ratio: float = 1.2) -> bool:
        """Begin to move copies from the fullest server to the emptiest, until the one stores no more than `ratio` times the
        other; `getUpkeep` tells how far it is. Returns False if that is under way already."""
        if not ratio >= 1:
            raise UsageError(
                f"ratio={ratio}: the fullest server cannot hold less than the emptiest; give 1 or more, as 1.2"
            )
        if self._enrolment.safe_mode:
            raise ClusterError(
                "the manager has just started and does not know all its servers yet: try again in a while"
            )
        return self._repair.balance(ratio)

    def next_version(self) -> int:
        """A version for a file that a server was given without asking the manager where to."""
        with self._lock:
            return self.directory.next_version()

    def look(self) -> dict[str, Any]:
        """What it knows, for people: not more than one message holds."""
        with self._lock:
            return look(self.directory, _SHOWN)

    # ---- inside

    def _watch(self) -> None:
        """Look who is silent, then see to copies, if enough is known."""
        if self._enrolment.watch() and self.settings.repair:
            self._repair.look()

    def _converse_document(self, channel: Channel) -> None:
        if not is_loopback(channel.stream.peer):
            raise NotAllowed("the document's wire is for loopback only")
        document.converse(channel, self._document_registry(), self._tracer, self._say, shown=self._show)

    def _document_registry(self) -> Registry:
        """What a program of the document's wire may call: its six methods, nothing that we added."""
        registry = Registry()
        for name in ("string", "addServer", "removeServer", "getServer", "updateServer", "getQuantity"):
            registry.take_over(self.registry, name)
        return registry


def string(text: str) -> str:
    """Return the text that was given: a test of the connection."""
    return text


def _wire_name(function: Callable[..., Any]) -> str:
    """The remote name of a method: the description's camelCase."""
    first, *rest = function.__name__.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _own_files_only(call: Call, client: str) -> None:
    if call.peer.role == "client" and client != call.peer.node:
        raise NotAllowed(f"{call.peer.node} may change its own files, not those of {client}")
