"""What the tests of rpc share: nodes that serve a registry in this process, callers, and peers that speak by hand."""

from __future__ import annotations

import concurrent.futures
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rpclab.config import Address, Limits
from rpclab.rpc.connection import Connection
from rpclab.rpc.handshake import Identity
from rpclab.rpc.listener import Listener
from rpclab.rpc.opening import open_connection
from rpclab.rpc.registry import Registry
from rpclab.trace import Tracer
from rpclab.world.real import RealWorld

SECRET = bytes(range(32))
NONCE = "0f" * 32


class Service:
    """A listener in this process, and what it said."""

    def __init__(self, world: RealWorld, registry: Registry, options: dict[str, Any]) -> None:
        self.said: list[str] = []
        self.registry = registry
        node = options.pop("node", "server1")
        tracer = options.pop("tracer", None) or Tracer(world, node)
        address = options.pop("address", ("127.0.0.1", 0))
        when_bound = options.pop("when_bound", lambda address: None)
        self.listener = Listener(
            world, registry, Identity(node, "server", SECRET), tracer, say=self.said.append, **options
        )
        self.address = self.listener.start(address, when_bound)

    def stop(self, within_s: float = 0.0) -> None:
        self.listener.stop(within_s)


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.register_method(lambda value: value, "echo")
    return registry


@pytest.fixture
def serve(world: RealWorld, registry: Registry) -> Iterator[Callable[..., Service]]:
    """Serve the registry on a free port until the test ends."""
    services: list[Service] = []

    def start(**options: Any) -> Service:
        services.append(Service(options.pop("world", world), registry, options))
        return services[-1]

    yield start
    for service in services:
        service.stop()


@pytest.fixture
def connect(world: RealWorld) -> Iterator[Callable[..., Connection]]:
    """Open connections as `client1`; they are closed at the end of the test."""
    connections: list[Connection] = []

    def open_one(
        address: Address,
        *,
        secret: bytes = SECRET,
        role: Any = "client",
        node: str = "client1",
        expected: tuple[str, ...] = ("server",),
        limits: Limits | None = None,
        world: RealWorld = world,
    ) -> Connection:
        identity = Identity(node, role, secret)
        connections.append(
            open_connection(world, address, identity, Tracer(world, node), expected=expected, limits=limits)
        )
        return connections[-1]

    yield open_one
    for connection in connections:
        connection.close()


class ByHand:
    """A peer that speaks packets over a bare socket: written from docs/protocol.md, with nothing of ours in it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(10)

    def send_bytes(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send(self, message: object, kind: bytes = b"M") -> None:
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.send_bytes(kind + len(payload).to_bytes(3, "big") + payload)

    def receive_packet(self) -> tuple[bytes, bytes]:
        head = self._exactly(4)
        return head[:1], self._exactly(int.from_bytes(head[1:], "big"))

    def receive(self) -> Any:
        kind, payload = self.receive_packet()
        assert kind == b"M", (kind, payload)
        return json.loads(payload)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise EOFError(data)
            data += piece
        return data

    def rest(self) -> bytes:
        """All that still comes until the other side closes."""
        data = b""
        try:
            while piece := self.sock.recv(65_536):
                data += piece
        except ConnectionResetError:
            pass
        return data

    def call(self, method: str, params: object, id: object = 1) -> Any:
        self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        return self.receive()

    def hello(self, *, role: str = "client", version: int = 1, node: str = "client1", nonce: str = NONCE) -> Any:
        """The first step of the handshake, and the responder's answer."""
        self.mine = {"version": version, "role": role, "node": node, "nonce": nonce}
        return self.call("hello", self.mine)

    def prove(self, theirs: object, secret: bytes = SECRET) -> Any:
        return self.call("prove", {"proof": proof(secret, "initiator", self.mine, theirs)}, 2)

    def shake_hands(self, secret: bytes = SECRET, **hello: Any) -> ByHand:
        theirs = self.hello(**hello)["result"]["hello"]
        assert self.prove(theirs, secret)["result"] is True
        return self

    def close(self) -> None:
        self.sock.close()


def proof(secret: bytes, side: str, initiator: object, responder: object) -> str:
    said = json.dumps(["rpclab", side, initiator, responder], separators=(",", ":"), ensure_ascii=False)
    return hmac.new(secret, said.encode(), hashlib.sha256).hexdigest()


@pytest.fixture
def by_hand() -> Iterator[Callable[[Address], ByHand]]:
    """Connect a peer that speaks by hand to an address."""
    peers: list[ByHand] = []

    def connect(address: Address) -> ByHand:
        peers.append(ByHand(socket.create_connection(address, 10)))
        return peers[-1]

    yield connect
    for peer in peers:
        peer.close()


@pytest.fixture
def answer_by_hand() -> Iterator[Callable[[Callable[[ByHand], object]], Address]]:
    """Be the responder: accept one connection after another on a free port and hand each to a function."""
    listening: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(answer: Callable[[ByHand], object]) -> Address:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)

        def accept() -> None:
            while True:
                try:
                    sock, _ = server.accept()
                except OSError:
                    return
                with sock:
                    try:
                        answer(ByHand(sock))
                    except (EOFError, OSError):
                        continue  # the caller went away

        threads.append(threading.Thread(target=accept, name="by-hand"))
        threads[-1].start()
        address: Address = server.getsockname()
        return address

    yield start
    for server in listening:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def respond(peer: ByHand, secret: bytes = SECRET, role: str = "server", node: str = "server1") -> ByHand:
    """The responder's half of the handshake, by hand."""
    first = peer.receive()
    theirs, own = first["params"], {"version": 1, "role": role, "node": node, "nonce": "ab" * 32}
    answer = {"hello": own, "proof": proof(secret, "responder", theirs, own)}
    peer.send({"jsonrpc": "2.0", "id": first["id"], "result": answer})
    second = peer.receive()
    assert hmac.compare_digest(second["params"]["proof"], proof(secret, "initiator", theirs, own))
    peer.send({"jsonrpc": "2.0", "id": second["id"], "result": True})
    return peer


@pytest.fixture
def responder() -> Callable[..., ByHand]:
    return respond


@pytest.fixture
def in_task() -> Iterator[Callable[[Callable[[], Any]], concurrent.futures.Future[Any]]]:
    """Run a function beside the test; gives its future."""
    with concurrent.futures.ThreadPoolExecutor(16) as tasks:
        yield tasks.submit
