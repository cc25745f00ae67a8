"""A manager, servers and clients in this process, with event logs: real in all but the part that a test breaks."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

from rpclab.client.session import Client
from rpclab.config import Address, Limits
from rpclab.manager.service import Manager
from rpclab.manager.settings import Settings
from rpclab.rpc.handshake import Identity
from rpclab.server.service import Server
from rpclab.study.check import Report, check
from rpclab.study.history import History
from rpclab.trace import Tracer
from rpclab.world.real import RealWorld

__all__ = ["Stage"]

SECRET = bytes(32)
ANYWHERE: Address = ("127.0.0.1", 0)
LIMITS = Limits(heartbeat_s=0.05, retry_s=0.01)


class Stage:
    """`breaking` is given each server before it starts, and the manager: what it does to them is the planted violation."""

    def __init__(
        self,
        folder: pathlib.Path,
        *,
        servers: int = 3,
        settings: Settings | None = None,
        break_server: Callable[[Server], object] = lambda server: None,
        break_manager: Callable[[Manager], object] = lambda manager: None,
    ) -> None:
        self.folder, self.events = folder, folder / "events"
        self.events.mkdir(parents=True)
        self._tracers: list[Tracer] = []
        self._clients: list[Client] = []
        self.manager = Manager(
            RealWorld(1),
            Identity("manager", "manager", SECRET),
            settings=settings or Settings(),
            tracer=self._tracer("manager", "manager"),
            limits=LIMITS,
        )
        break_manager(self.manager)
        address = self.address = self.manager.start(ANYWHERE)
        self.servers: dict[str, Server] = {}
        for number in range(1, servers + 1):
            node = f"server{number}"
            place = folder / "servers" / node
            place.mkdir(parents=True)
            server = Server(
                RealWorld(number),
                Identity(node, "server", SECRET),
                str(place),
                address,
                tracer=self._tracer(node, "server"),
                limits=LIMITS,
            )
            self.servers[node] = server
            break_server(server)
            server.start(ANYWHERE)
            assert server.link.wait_registered(20)  # type: ignore[attr-defined]

    def _tracer(self, node: str, role: str) -> Tracer:
        world = RealWorld()
        tracer = Tracer(world, node, world.disk.open_log(str(self.events / f"{node}.jsonl")))
        tracer.event("started", detail={"role": role})
        self._tracers.append(tracer)
        return tracer

    def client(self, name: str = "ann", **options: Any) -> Client:
        client = Client(
            RealWorld(9), Identity(name, "client", SECRET), self.address, tracer=self._tracer(name, "client"), **options
        )
        self._clients.append(client)
        return client

    def file(self, name: str, contents: bytes) -> str:
        path = self.folder / "source" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(contents)
        return str(path)

    def stop(self) -> None:
        for client in self._clients:
            client.close()
        for server in self.servers.values():
            server.stop(5)
        self.manager.stop(5)
        for tracer in self._tracers:
            tracer.event("stopped")
            tracer.close()

    def report(self) -> Report:
        """Stop everything, and have it judged."""
        self.stop()
        folders = {node: self.folder / "servers" / node for node in self.servers}
        return check(History.read(self.events), folders)
