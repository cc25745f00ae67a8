"""The peers of the echo benchmark: six ways to ask another process for the same 100 characters back.

A peer is a pair of functions: ``serve`` runs in a process of its own and announces its port in one printed line;
``connect`` takes that port and returns a call without arguments that makes one round trip and returns the answer.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import PIPE, Popen

from benchmarks.harness import end_with_parent

__all__ = ["PEERS", "TEXT", "Peer", "running"]

HOST = "127.0.0.1"
TEXT = "x" * 100
PACKET = 65536

Call = Callable[[], object]


@dataclass(frozen=True)
class Peer:
    """How one library serves an echo and how it calls it."""

    serve: Callable[[], None]
    connect: Callable[[int], Call]


def announce(port: int) -> None:
    print(port, flush=True)


def accept_one() -> socket.socket:
    """Wait for the one connection of the benchmark."""
    with socket.create_server((HOST, 0)) as listener:
        announce(listener.getsockname()[1])
        connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def dial(port: int) -> socket.socket:
    connection = socket.create_connection((HOST, port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def serve_bare() -> None:
    """No RPC at all: bytes come, bytes go back. Nothing in Python over TCP can be faster than this."""
    connection = accept_one()
    while data := connection.recv(PACKET):
        connection.sendall(data)


def connect_bare(port: int) -> Call:
    connection, message = dial(port), TEXT.encode()

    def call() -> object:
        connection.sendall(message)
        return connection.recv(PACKET).decode()

    return call


def serve_document() -> None:
    """The document's wire: the bare JSON text of [name, args, kwargs], one recv a message."""
    connection, methods = accept_one(), {"string": lambda text: text}
    while data := connection.recv(PACKET):
        name, args, kwargs = json.loads(data)
        connection.sendall(json.dumps(methods[name](*args, **kwargs)).encode())


def connect_document(port: int) -> Call:
    connection = dial(port)

    def call() -> object:
        connection.sendall(json.dumps(["string", [TEXT], {}]).encode())
        return json.loads(connection.recv(PACKET))

    return call


def serve_pyro() -> None:
    import Pyro5.api

    class Echo:
        @Pyro5.api.expose
        def string(self, text: str) -> str:
            return text

    daemon = Pyro5.api.Daemon(host=HOST, port=0)
    daemon.register(Echo(), "echo")
    announce(int(daemon.locationStr.rpartition(":")[2]))
    daemon.requestLoop()


def connect_pyro(port: int) -> Call:
    import Pyro5.api

    proxy = Pyro5.api.Proxy(f"PYRO:echo@{HOST}:{port}")
    return lambda: proxy.string(TEXT)


def serve_rpyc() -> None:
    import rpyc
    from rpyc.utils.server import ThreadedServer

    class Echo(rpyc.Service):  # type: ignore[misc]
        def exposed_string(self, text: str) -> str:
            return text

    server = ThreadedServer(Echo, hostname=HOST, port=0)
    announce(server.port)
    server.start()


def connect_rpyc(port: int) -> Call:
    import rpyc

    connection = rpyc.connect(HOST, port)
    string = connection.root.string  # looked up once: looked up at each call it would be two round trips

    def call(_keep: object = connection) -> object:  # the connection closes when nobody holds it
        return string(TEXT)

    return call


def serve_xmlrpc() -> None:
    from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

    class KeepAlive(SimpleXMLRPCRequestHandler):
        protocol_version = "HTTP/1.1"

    server = SimpleXMLRPCServer((HOST, 0), requestHandler=KeepAlive, logRequests=False)
    server.register_function(lambda text: text, "string")
    announce(server.server_address[1])
    server.serve_forever()


def connect_xmlrpc(port: int) -> Call:
    from xmlrpc.client import ServerProxy

    proxy = ServerProxy(f"http://{HOST}:{port}")
    return lambda: proxy.string(TEXT)


def serve_grpc() -> None:
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    # Generic handlers without serialisers pass bytes: gRPC's own cost, with no protobuf in it.
    echo = grpc.unary_unary_rpc_method_handler(lambda request, _context: request)
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Echo", {"string": echo}),))
    announce(server.add_insecure_port(f"{HOST}:0"))
    server.start()
    server.wait_for_termination()


def connect_grpc(port: int) -> Call:
    import grpc

    string, message = grpc.insecure_channel(f"{HOST}:{port}").unary_unary("/Echo/string"), TEXT.encode()
    return lambda: string(message).decode()


PEERS = {
    "bare socket": Peer(serve_bare, connect_bare),
    "document's JSON": Peer(serve_document, connect_document),
    "Pyro5": Peer(serve_pyro, connect_pyro),
    "RPyC": Peer(serve_rpyc, connect_rpyc),
    "xmlrpc": Peer(serve_xmlrpc, connect_xmlrpc),
    "gRPC": Peer(serve_grpc, connect_grpc),
}


@contextmanager
def running(name: str) -> Iterator[Call]:
    """Start a peer's server process, connect to it, and end it afterwards."""
    server = Popen([sys.executable, "-m", "benchmarks.peers", name], stdin=PIPE, stdout=PIPE, text=True)
    try:
        assert server.stdout is not None
        yield PEERS[name].connect(int(server.stdout.readline()))
    finally:
        server.kill()
        server.communicate()


if __name__ == "__main__":
    end_with_parent()
    PEERS[sys.argv[1]].serve()
