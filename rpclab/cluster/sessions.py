"""A cluster's connections from this process: clients in the notebook, and what tells the parts what to do."""

from __future__ import annotations

import copy
import pathlib
import threading
from collections.abc import Callable, Iterable
from typing import Any

from ..client.document import DocumentClient
from ..client.session import Client
from ..config import Address, Limits
from ..errors import UsageError
from ..own import OURS, Own
from ..rpc.connection import Connection
from ..rpc.handshake import Identity, Role
from ..rpc.opening import open_connection
from ..rpc.pool import Pool
from ..staging import put_on_stage
from ..trace import Tracer
from ..world.real import RealWorld
from .hub import Hub
from .own_node import OwnNode
from .stage import Direction

__all__ = ["Sessions"]


class Sessions:
    """Opens clients and control connections, remembers them, and closes them all at the end."""

    def __init__(
        self,
        world: RealWorld,
        secret: bytes,
        events: pathlib.Path | None,
        certificates: pathlib.Path | None,
        direction: Direction,
        own: Own = OURS,
    ) -> None:
        self._world, self._secret, self._events, self._certificates = world, secret, events, certificates
        self._own = own
        self._lock = threading.Lock()  # guards what follows
        self._tracers: dict[str, Tracer] = {}
        self._clients: list[Client | DocumentClient] = []
        self._served: list[OwnNode] = []
        self._pools: dict[str, Pool] = {}
        self._worlds: dict[str, RealWorld] = {}
        self._staged: dict[str, RealWorld] = {}
        self._direction = direction
        self.texts = False  # whether events of messages carry their beginning

    def _identity(self, name: str, role: Role = "client") -> Identity:
        return Identity(name, role, self._secret, self._own)

    def client(self, name: str, manager: Address, wire: str, limits: Limits | None = None) -> Client | DocumentClient:
        """A client in this process, traced under its name. Errors: UsageError, CommunicationError."""
        client: Client | DocumentClient
        if wire == "document":
            if self._certificates is not None:
                raise UsageError("the description's own wire knows no certificates, and this cluster asks for them")
            world = self._node_world(name, "client")
            client = DocumentClient(world, name, manager, tracer=self.tracer(name), limits=limits)
        elif wire == "rpclab":
            world, identity = self._node_world(name, "client"), self._identity(name)
            client = Client(world, identity, manager, tracer=self.tracer(name), limits=limits)
        else:
            raise UsageError(f"wire={wire!r} is not known: choose 'rpclab' or 'document'")
        with self._lock:
            self._clients.append(client)
        return client.connect()

    def hub(self) -> Hub:
        """Where the processes follow the stage."""
        return Hub(self._world_of("looking"), Identity("looking", "client", self._secret), self._direction)

    def looking(self, manager: Address) -> Client:
        """A client that is not traced: looking must not change the picture. Its caller closes it."""
        identity = self._identity("looking")
        return Client(self._world_of("looking"), identity, manager, limits=Limits(patience_s=0.0))

    def serve(self, name: str, functions: Iterable[Callable[..., Any]], limits: Limits | None) -> OwnNode:
        """A node in this process that serves these functions. Errors: UsageError."""
        world, identity = self._node_world(name, "server"), self._identity(name, "server")
        node = OwnNode(world, identity, functions, tracer=self.tracer(name), limits=limits)
        with self._lock:
            self._served.append(node)
        return node

    def _world_of(self, name: str, role: Role = "client") -> RealWorld:
        """The world of one of our names: with certificates each has its own, which shows this name's. Errors: UsageError."""
        if self._certificates is None:
            return self._world
        from ..certificates import made_if_missing  # here: TLS takes a moment to load

        with self._lock:
            if name not in self._worlds:
                files = made_if_missing(self._certificates, name, role)
                self._worlds[name] = RealWorld(certificates=files)
            return self._worlds[name]

    def _node_world(self, name: str, role: Role) -> RealWorld:
        """The world of a node in this process, which follows the stage."""
        plain, tracer = self._world_of(name, role), self.tracer(name)
        with self._lock:
            if name not in self._staged:
                world = self._staged[name] = copy.copy(plain)
                self._direction.joined(put_on_stage(world, tracer, lambda message: self._direction.ask(world, message)))
            return self._staged[name]

    def control(self, node: str, address: Address) -> Pool:
        """Connections to a part, for what the notebook tells it; these calls are not traced."""

        def connect() -> Connection:
            tracer = Tracer(self._world, "control")
            return open_connection(
                self._world_of("control"),
                address,
                self._identity("control"),
                tracer,
                expected=("manager", "client"),
            )

        with self._lock:
            if node not in self._pools:
                self._pools[node] = Pool(self._world, connect)
            return self._pools[node]

    def forget(self, node: str) -> None:
        """A part is started anew: connections to the old one are of no use."""
        with self._lock:
            pool = self._pools.pop(node, None)
        if pool is not None:
            pool.close()

    def tracer(self, node: str) -> Tracer:
        """The event log of a node in this process: one, however often it connects."""
        with self._lock:
            if node not in self._tracers:
                log = self._world.disk.open_log(str(self._events / f"{node}.jsonl")) if self._events else None
                self._tracers[node] = Tracer(self._world, node, log)
                self._tracers[node].texts = self.texts
            return self._tracers[node]

    def close(self) -> None:
        """Close all connections, but not the event logs: what ends the cluster may still be written."""
        with self._lock:
            clients, served, pools = list(self._clients), list(self._served), list(self._pools.values())
        for client in clients:
            client.disconnect()
        for node in served:
            node.stop()
        for pool in pools:
            pool.close()

    def close_logs(self) -> None:
        with self._lock:
            tracers = list(self._tracers.values())
        for tracer in tracers:
            tracer.close()
