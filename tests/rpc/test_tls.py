"""TLS: who has a certificate of the cluster, in the name and role that it says, is let in; all others hear nothing more."""

from __future__ import annotations

import contextlib
import datetime
import pathlib
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rpclab import authority
from rpclab.config import Address, Limits
from rpclab.errors import ConnectFailed, ConnectionLost, HandshakeError, PacketError, TooManyConnections, UsageError
from rpclab.rpc.connection import Connection
from rpclab.world.real import RealWorld
from rpclab.world.real_certificates import Certificates

OTHER = bytes(range(1, 33))
DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.UTC)
ALERT_BYTES = 7  # what TLS says to a stranger: a header of five bytes, "fatal", and the number of the fault


def world_of(folder: pathlib.Path, node: str) -> RealWorld:
    return RealWorld(certificates=Certificates.in_folder(folder, node))


def said_one_line(service: Any) -> str:
    assert len(service.said) == 1, service.said
    line: str = service.said[0]
    assert "please report it" not in line and "\n" not in line and "_ssl.c" not in line, line
    return line


@pytest.fixture
def service(serve: Callable[..., Any], keys: pathlib.Path) -> Any:
    """server1 with its certificate."""
    return serve(world=world_of(keys, "server1"))


@pytest.fixture
def client(connect: Callable[..., Connection], keys: pathlib.Path) -> Callable[..., Connection]:
    """Connect as client1 with its certificate."""

    def open_one(address: Address, **options: Any) -> Connection:
        return connect(address, **{"world": world_of(keys, "client1"), **options})

    return open_one


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory, keys: pathlib.Path) -> dict[str, pathlib.Path]:
    """Folders with certificates of server1 and client1 that nobody should take."""
    nodes: list[tuple[str, Any]] = [("server1", "server"), ("client1", "client")]
    folders = {}
    for fault in ("authority", "expired", "not yet valid", "name", "role"):
        folder = folders[fault] = tmp_path_factory.mktemp("wrong")
        if fault == "authority":
            authority.make_authority(folder)
            authority.issue(folder, nodes)
            shutil.copy(keys / "ca.pem", folder / "ca.pem")
            continue
        for file in ("ca.pem", "ca.key"):
            shutil.copy(keys / file, folder)
        if fault == "expired":
            authority.issue(folder, nodes, begin=NOW - 3 * DAY, days=2)
        elif fault == "not yet valid":
            authority.issue(folder, nodes, begin=NOW + 3 * DAY)
        elif fault == "name":
            authority.issue(folder, [("server2", "server"), ("client2", "client")])
            for node in ("server", "client"):
                for ending in ("pem", "key"):
                    (folder / f"{node}2.{ending}").rename(folder / f"{node}1.{ending}")
        else:
            authority.issue(folder, [("server1", "client"), ("client1", "server")])
    return folders


# ---- who is let in


def test_two_nodes_with_certificates_talk(service: Any, client: Callable[..., Connection]) -> None:
    connection = client(service.address)
    assert connection.call("echo", "hi") == "hi"
    assert (connection.peer.node, connection.peer.role) == ("server1", "server")
    assert connection.channel.stream.certified == {"server/server1"}
    assert isinstance(connection.channel.stream._tls, ssl.SSLObject)
    assert connection.channel.stream._tls.version() == "TLSv1.3"
    assert service.said == []


def test_a_name_of_any_letters_is_proved(
    serve: Callable[..., Any], connect: Callable[..., Connection], keys: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    for file in ("ca.pem", "ca.key"):
        shutil.copy(keys / file, tmp_path)
    node = "Übersicht 日本, 100% & #1;x=y"
    authority.issue(tmp_path, [(node, "client")])
    service = serve(world=world_of(keys, "server1"))
    assert connect(service.address, node=node, world=world_of(tmp_path, node)).call("echo", 1) == 1


def test_a_certificate_does_not_replace_the_secret(service: Any, client: Callable[..., Connection]) -> None:
    with pytest.raises(HandshakeError, match="does not know this cluster's secret"):
        client(service.address, secret=OTHER)


# ---- who is not

REFUSED = {
    "authority": "not of this cluster's authority",
    "expired": "the certificate has expired",
    "not yet valid": "the certificate is not valid yet",
    "name": "the peer says it is {role}/{role}1, its certificate is that of {role}/{role}2",
    "role": "the peer says it is {role}/{role}1, its certificate is that of {other}/{role}1",
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_client_with_a_wrong_certificate_is_refused(
    fault: str,
    service: Any,
    client: Callable[..., Connection],
    wrong: dict[str, pathlib.Path],
    eventually: Callable[..., None],
) -> None:
    with pytest.raises(HandshakeError) as caught:
        client(service.address, world=world_of(wrong[fault], "client1"))
    assert "_ssl.c" not in caught.value.message
    eventually(lambda: service.said)
    assert REFUSED[fault].format(role="client", other="server") in said_one_line(service)
    assert client(service.address).call("echo", 1) == 1


@pytest.mark.parametrize("fault", REFUSED)
def test_a_server_with_a_wrong_certificate_is_refused(
    fault: str,
    serve: Callable[..., Any],
    client: Callable[..., Connection],
    wrong: dict[str, pathlib.Path],
    eventually: Callable[..., None],
) -> None:
    service = serve(world=world_of(wrong[fault], "server1"))
    with pytest.raises(HandshakeError) as caught:
        client(service.address)
    assert REFUSED[fault].format(role="server", other="client") in caught.value.message
    eventually(lambda: service.said)
    said_one_line(service)


def test_a_client_of_the_cluster_cannot_pass_for_a_server(
    serve: Callable[..., Any], client: Callable[..., Connection], keys: pathlib.Path
) -> None:
    """It knows the secret and has a certificate: its own."""
    impostor = serve(world=world_of(keys, "mallory"))
    with pytest.raises(HandshakeError, match="says it is server/server1, its certificate is that of client/mallory"):
        client(impostor.address)


def test_a_client_of_the_cluster_cannot_pass_for_another(
    service: Any, client: Callable[..., Connection], keys: Any
) -> None:
    with pytest.raises(HandshakeError, match="says it is client/client1, its certificate is that of client/mallory"):
        client(service.address, world=world_of(keys, "mallory"))


def test_a_plain_client_is_refused_by_a_node_with_tls(
    service: Any, connect: Callable[..., Connection], eventually: Callable[..., None]
) -> None:
    with pytest.raises(HandshakeError, match="It speaks TLS: start both nodes with --certificates, or neither"):
        connect(service.address)
    eventually(lambda: service.said)
    assert "it does not speak TLS" in said_one_line(service)


def test_a_client_with_tls_is_refused_by_a_plain_node(
    serve: Callable[..., Any], client: Callable[..., Connection], eventually: Callable[..., None]
) -> None:
    service = serve()
    with pytest.raises(ConnectFailed, match="closed the connection in the TLS handshake: if it has no --certificates"):
        client(service.address)
    eventually(lambda: service.said)
    assert PacketError.__name__ in said_one_line(service) and "It speaks TLS" in service.said[0]


GARBAGE = {
    "random": bytes(range(200, 256)) * 4,
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "our own hello, plain": b'M\x00\x00\x10{"jsonrpc":"2.0"',
    "half a TLS header": b"\x16\x03",
    "half a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    "a TLS alert": bytes.fromhex("15 0303 0002 02 50"),
    "the document's wire": b'["string", ["hi"], {}]',
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_tls_costs_one_line_and_is_told_an_alert_at_most(
    garbage: bytes,
    service: Any,
    by_hand: Callable[..., Any],
    client: Callable[..., Connection],
    eventually: Callable[..., None],
) -> None:
    stranger = by_hand(service.address)
    stranger.send_bytes(garbage)
    stranger.sock.shutdown(socket.SHUT_WR)
    assert len(stranger.rest()) <= ALERT_BYTES
    eventually(lambda: service.said)
    said_one_line(service)
    assert client(service.address).call("echo", 1) == 1


def stranger_context(**options: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in options.items():
        setattr(context, name, value)
    return context


def tls_by_hand(address: Address, context: ssl.SSLContext, send: bytes = b"") -> bytes:
    """All that a stranger with TLS of its own hears inside it."""
    heard = b""
    with (
        contextlib.suppress(ssl.SSLError, ConnectionError),
        socket.create_connection(address, 10) as sock,
        context.wrap_socket(sock) as tls,
    ):
        tls.sendall(send)
        while piece := tls.recv(65_536):
            heard += piece
    return heard


def test_a_stranger_with_tls_and_no_certificate_hears_nothing(service: Any, eventually: Callable[..., None]) -> None:
    assert tls_by_hand(service.address, stranger_context(), b"M\x00\x00\x02{}") == b""
    eventually(lambda: service.said)
    assert "it showed no certificate" in said_one_line(service)


def test_an_older_tls_is_refused(service: Any, keys: pathlib.Path, eventually: Callable[..., None]) -> None:
    context = stranger_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    context.load_cert_chain(keys / "client1.pem", keys / "client1.key")
    assert tls_by_hand(service.address, context) == b""
    eventually(lambda: service.said)
    assert "not TLS 1.3" in said_one_line(service)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03", GARBAGE["half a TLS hello"]])
def test_a_tls_handshake_that_stops_half_way_ends_after_its_time_and_others_are_served(
    sent: bytes,
    serve: Callable[..., Any],
    keys: pathlib.Path,
    by_hand: Callable[..., Any],
    client: Callable[..., Connection],
    eventually: Callable[..., None],
) -> None:
    service = serve(world=world_of(keys, "server1"), limits=Limits(handshake_s=0.5))
    stranger = by_hand(service.address)
    stranger.send_bytes(sent)
    assert client(service.address).call("echo", 1) == 1
    assert stranger.rest() == b""
    eventually(lambda: service.said)
    assert "DeadlineExceeded" in said_one_line(service)


def test_a_stranger_is_not_read_for_ever(
    service: Any, by_hand: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    """A hello of 120,000 bytes would still be one to OpenSSL."""
    stranger = by_hand(service.address)
    hello = b"\x01\x01\xd4\xc0\x03\x03" + bytes(120_000)
    with contextlib.suppress(ConnectionError):
        for start in range(0, len(hello), 8192):
            piece = hello[start : start + 8192]
            stranger.send_bytes(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece)
    assert len(stranger.rest()) <= ALERT_BYTES
    eventually(lambda: service.said)
    assert "sent more than 32,768 bytes and proved nothing" in said_one_line(service)


def test_a_node_at_its_limit_says_so_also_with_tls(
    serve: Callable[..., Any], keys: pathlib.Path, client: Callable[..., Connection], eventually: Callable[..., None]
) -> None:
    service = serve(world=world_of(keys, "server1"), limits=Limits(connections=1))
    first = client(service.address)
    with pytest.raises(TooManyConnections, match="can serve no more connections now"):
        client(service.address)
    first.close()

    def served() -> bool:
        try:
            return bool(client(service.address).call("echo", True))
        except TooManyConnections:
            return False

    eventually(served)


# ---- who stands between


class Between:
    """Passes bytes on between a caller and a node, keeps a copy, and may change those that go to the caller."""

    def __init__(self, target: Address) -> None:
        self.seen = bytearray()
        self.flip = False
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address: Address = self._server.getsockname()
        self._target = target
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="between")]
        self._threads[0].start()

    def _accept(self) -> None:
        caller, _ = self._server.accept()
        node = socket.create_connection(self._target)
        self._sockets += [caller, node]
        self._threads.append(threading.Thread(target=self._pass_on, args=(caller, node, False), name="between"))
        self._threads[-1].start()
        self._pass_on(node, caller, True)

    def _pass_on(self, source: socket.socket, target: socket.socket, change: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                self.seen += piece
                if change and self.flip:
                    piece = piece[:-1] + bytes([piece[-1] ^ 1])
                target.sendall(piece)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for sock in (*self._sockets, self._server):
            sock.close()


@pytest.fixture
def between() -> Iterator[Callable[[Address], Between]]:
    started: list[Between] = []

    def start(target: Address) -> Between:
        started.append(Between(target))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.mark.parametrize("tls", [True, False])
def test_who_listens_reads_no_name_and_no_content(
    tls: bool,
    serve: Callable[..., Any],
    service: Any,
    client: Callable[..., Connection],
    connect: Callable[..., Connection],
    between: Callable[[Address], Between],
) -> None:
    wire = between(service.address if tls else serve().address)
    connection = (client if tls else connect)(wire.address)
    assert connection.call("echo", "very private " * 100) == "very private " * 100
    for word in (b"private", b"client1", b"server1", b"jsonrpc"):
        assert (word in wire.seen) is not tls, word
    connection.close()


def test_a_byte_that_is_changed_on_its_way_is_found(
    service: Any, client: Callable[..., Connection], between: Callable[[Address], Between]
) -> None:
    wire = between(service.address)
    connection = client(wire.address)
    assert connection.call("echo", 1) == 1
    wire.flip = True
    with pytest.raises(ConnectionLost, match="what came was changed on its way"):
        connection.call("echo", 1)


# ---- certificates that cannot be used


def test_files_that_cannot_be_used_are_a_clear_error_at_the_start(
    keys: pathlib.Path, wrong: dict[str, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(UsageError, match=r"server9\.key cannot be read: No such file.*rpclab certificates makes"):
        world_of(keys, "server9")
    for file in ("ca.pem", "client1.pem", "client1.key"):
        shutil.copy(keys / file, tmp_path)
    (tmp_path / "client1.key").chmod(0o600)
    shutil.copy(keys / "mallory.pem", tmp_path / "client1.pem")
    with pytest.raises(UsageError, match="the key is another certificate's"):
        world_of(tmp_path, "client1")
    (tmp_path / "client1.pem").write_text("hello")
    with pytest.raises(UsageError, match="it is no PEM file"):
        world_of(tmp_path, "client1")
    (tmp_path / "ca.pem").write_text("")
    with pytest.raises(UsageError, match=r"ca\.pem cannot be used: it is no PEM file"):
        world_of(tmp_path, "client1")
