"""Bad input to a manager and a server that run as processes: each ends its connection at most; the node serves on."""

from __future__ import annotations

import json
import os
import pathlib
import random
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.config import PACKET_BYTES, Limits
from rpclab.errors import HandshakeError, MessageTooLarge, NameRefused, RpclabError
from rpclab.rpc.connection import Connection
from rpclab.rpc.handshake import Identity
from rpclab.rpc.opening import open_connection
from rpclab.secret import load_secret
from rpclab.trace import Tracer
from rpclab.world.real import RealWorld

NODES = ["manager", "server1"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    data = tmp_path_factory.mktemp("bad-input") / "data"
    with LocalCluster(servers=2, clients=0, ports="free", data=data) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def nodes_go_on_serving(cluster: LocalCluster, tmp_path: pathlib.Path) -> Iterator[None]:
    """After each test the same processes back a file up and give it back, and none reported a fault of its own."""
    before = cluster.processes()
    yield
    source = tmp_path / "after.txt"
    source.write_bytes(os.urandom(1000))
    with cluster.connect("good") as client:
        assert len(client.backup(source).servers) == 2
        client.restore("after.txt", tmp_path / "restored")
    assert (tmp_path / "restored" / "after.txt").read_bytes() == source.read_bytes()
    assert cluster.processes() == before
    for node in ("manager", "server1", "server2"):
        assert "please report" not in cluster.log(node)
        assert "Traceback" not in cluster.log(node)


@pytest.fixture
def stranger(cluster: LocalCluster, by_hand: Any) -> Callable[[str], Any]:
    """Somebody who does not know the secret, connected to a node."""
    return lambda node: by_hand(cluster.addresses[node])


@pytest.fixture
def known(cluster: LocalCluster, by_hand: Any) -> Callable[[str], Any]:
    """A peer that has shaken hands by hand."""
    secret = load_secret(str(cluster.secret_file))
    return lambda node: by_hand(cluster.addresses[node]).shake_hands(secret)


@pytest.fixture
def connection(cluster: LocalCluster, world: RealWorld) -> Iterator[Callable[[str], Connection]]:
    made: list[Connection] = []
    me = Identity("client1", "client", load_secret(str(cluster.secret_file)))

    def connect(node: str) -> Connection:
        expected = ("manager", "server")
        made.append(open_connection(world, cluster.addresses[node], me, Tracer(world, "client1"), expected=expected))
        return made[-1]

    yield connect
    for each in made:
        each.close()


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_of_a_stranger(node: str, seed: int, stranger: Any) -> None:
    print(f"seed {seed}")
    peer = stranger(node)
    peer.send_bytes(random.Random(seed).randbytes(5000))
    assert peer.rest() == b""


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_of_a_known_peer(node: str, seed: int, known: Any) -> None:
    print(f"seed {seed}")
    peer = known(node)
    peer.send_bytes(b"\xff" + random.Random(seed).randbytes(5000))
    assert peer.rest()[:1] in (b"A", b"")  # the reason, unless the rest of the bytes made the system forget it


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize(
    "header", [b"M\xff\xff\xff", b"M\x01\x00\x01", b"D\x7f\x00\x00", b"E\x01\x00\x01", b"\x00\x00\x00\x00"]
)
def test_a_packet_whose_length_lies(node: str, header: bytes, stranger: Any, known: Any) -> None:
    unknown = stranger(node)
    unknown.send_bytes(header)
    assert unknown.rest() == b""
    peer = known(node)
    peer.send_bytes(header)
    kind, reason = peer.receive_packet()
    assert kind == b"A"
    assert reason


@pytest.mark.parametrize("node", NODES)
def test_a_length_that_promises_more_than_comes(node: str, known: Any) -> None:
    peer = known(node)
    peer.send_bytes(b"M\x00\x10\x00{}")
    peer.sock.shutdown(socket.SHUT_WR)
    assert peer.rest() == b""


@pytest.mark.parametrize("node", NODES)
def test_a_message_over_64_kib_is_refused_by_us_and_by_the_node(node: str, connection: Any, known: Any) -> None:
    ours = connection(node)
    with pytest.raises(MessageTooLarge, match="at most 65,536 bytes"):
        ours.call("string", "x" * PACKET_BYTES)
    assert ours.call("string", "hi") == "hi"
    peer = known(node)
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "string", "params": ["x" * PACKET_BYTES]}).encode()
    peer.send(message)
    kind, reason = peer.receive_packet()
    assert (kind, b"at most 65,536 are allowed" in reason) == (b"A", True)
    assert peer.rest() == b""


@pytest.mark.parametrize("node", NODES)
def test_a_stranger_without_the_secret(node: str, cluster: LocalCluster, world: RealWorld, stranger: Any) -> None:
    me = Identity("client1", "client", bytes(32))
    with pytest.raises(HandshakeError, match="does not know this cluster's secret"):
        open_connection(world, cluster.addresses[node], me, Tracer(world, "client1"), expected=("manager", "server"))
    peer = stranger(node)
    theirs = peer.hello()["result"]["hello"]
    assert peer.prove(theirs, bytes(32))["error"]["code"] == 122
    assert peer.rest() == b""


@pytest.mark.parametrize("node", NODES)
def test_a_stranger_of_the_documents_wire_where_it_is_off(node: str, stranger: Any) -> None:
    peer = stranger(node)
    peer.send_bytes(b'["string", ["hi"], {}]')
    assert peer.rest() == b""


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("count", [0, 1, 3, 20])
def test_a_connection_that_is_closed_half_way(node: str, count: int, stranger: Any, known: Any) -> None:
    whole = b'M\x00\x00\x40{"jsonrpc":"2.0","id":1,"method":"string","params":["hello"]}   '
    for peer in (stranger(node), known(node)):
        peer.send_bytes(whole[:count])
        peer.close()


@pytest.mark.parametrize("node", NODES)
def test_a_connection_that_is_reset(node: str, known: Any) -> None:
    peer = known(node)
    peer.send({"jsonrpc": "2.0", "id": 1, "method": "string", "params": ["x" * 60_000]})
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize(
    ("payload", "closed"),
    [
        (b"[]", True),
        (b"hello", True),
        (b"[" * 60_000, True),
        (b'{"a":' * 10_000, False),
        (b'{"jsonrpc":"2.0","id":1,"method":"string","params":[NaN]}', False),
        (b'{"jsonrpc":"2.0","id":1,"method":"string","params":["\\ud800"]}', False),
        (b'{"jsonrpc":"2.0","id":1,"method":"nonsense"}', False),
        (b'{"jsonrpc":"2.0","id":1,"method":"string","params":[1, 2]}', False),
        (b'{"jsonrpc":"2.0","id":1,"method":"__init__","params":[]}', False),
        (b'{"jsonrpc":"2.0","id":{},"method":"string","params":["x"]}', False),
    ],
    ids=["array", "text", "deep array", "deep object", "NaN", "surrogate", "method", "arguments", "dunder", "id"],
)  # fmt: skip
def test_a_message_that_is_none(node: str, payload: bytes, closed: bool, known: Any) -> None:
    peer = known(node)
    peer.send(payload)
    answer = peer.receive()
    assert answer["error"]["message"]
    if closed:
        assert peer.rest() == b""
    else:
        assert peer.call("string", ["hi"], 2)["result"] == "hi"


def test_one_byte_a_second_holds_up_nobody(cluster: LocalCluster, stranger: Any, known: Any) -> None:
    """That its time runs out is tested with shorter limits in test_listener.py and test_handshake.py."""
    slow = [peer for node in NODES for peer in (stranger(node), known(node))]
    for peer in slow:
        peer.send_bytes(b"M")
    with cluster.connect("quick") as client:
        assert client.is_connected()
    assert Limits().packet_s == 10.0


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/x",
        "a/../../x",
        "x\0y",
        "CON",
        "a" * 300,
        "",
        ".",
        "..",
        "a\\b",
        "C:x",
        "a\nb",
        "tail.",
        "\u202e/..",
    ],
)
def test_a_name_that_leaves_the_folder(name: str, connection: Any, cluster: LocalCluster) -> None:
    server = connection("server1")
    for method, params in (
        ("sendFilename", {"filename": name, "size": 1}),
        ("verifyFile", {"filename": name, "client": "x"}),
    ):
        with pytest.raises(NameRefused):
            server.call(method, named=params)
    with pytest.raises(NameRefused):
        connection("manager").call("placeFile", "client1", name, 1, "upload")
    if "/" not in name and name:
        with pytest.raises(RpclabError):
            server.call("getFile", "x", f"../{name}")
    outside = [path for path in cluster.data.rglob("*") if path.is_file() and path.name == "x"]
    assert outside == []


def test_a_client_that_vanishes_in_the_middle_of_a_file_leaves_nothing(
    cluster: LocalCluster, connection: Any, eventually: Any
) -> None:
    folder = pathlib.Path(connection("server1").call("sendPath"))
    sender = connection("server1")
    sender.call("sendFilename", named={"filename": "half.bin", "size": 10_000_000, "upload": "half"})
    sender.channel.send_packet(ord("D"), bytes(60_000), None)
    eventually(lambda: any(folder.joinpath("Incoming").iterdir()))
    sender.close()
    eventually(lambda: not any(folder.joinpath("Incoming").iterdir()))
    assert not list(folder.joinpath("Backups").rglob("half.bin"))
    with cluster.connect("other") as client:
        assert "half.bin" not in [location.file.name for location in client.list_files()]


@pytest.mark.parametrize("size", [-1, 2**53, 2**62, 2**70, "5", 1.5, None])
def test_a_file_of_an_impossible_size(size: object, connection: Any) -> None:
    with pytest.raises(RpclabError):
        connection("server1").call("sendFilename", named={"filename": "size.bin", "size": size})
    if not (isinstance(size, int) and size > 0):
        with pytest.raises(RpclabError):
            connection("manager").call("placeFile", "client1", "size.bin", size, "upload")


@pytest.mark.parametrize("packets", [1, 100])
def test_more_bytes_than_were_announced_are_not_stored(packets: int, connection: Any, cluster: LocalCluster) -> None:
    server = connection("server1")
    server.call("sendFilename", named={"filename": "more.bin", "size": 5, "upload": "more"})
    for _ in range(packets):
        server.channel.send_packet(ord("D"), bytes(PACKET_BYTES), None)
    server.channel.send_packet(ord("E"), bytes(32), None)
    with pytest.raises(RpclabError, match="announced with 5 bytes"):
        server.call("confirmFile", "more")
    assert not list(cluster.data.rglob("more.bin"))


def test_a_wrong_digest_is_not_stored(connection: Any, cluster: LocalCluster) -> None:
    server = connection("server1")
    server.call("sendFilename", named={"filename": "wrong.bin", "size": 5, "upload": "wrong"})
    server.channel.send_packet(ord("D"), b"hello", None)
    server.channel.send_packet(ord("E"), bytes(32), None)
    with pytest.raises(RpclabError, match="other contents than were sent"):
        server.call("confirmFile", "wrong")
    assert not list(cluster.data.rglob("wrong.bin"))


def test_a_file_without_an_announcement(known: Any) -> None:
    peer = known("server1")
    peer.send(b"data", b"D")
    assert peer.receive_packet()[0] == b"A"


def test_a_message_where_a_files_packets_should_come(known: Any, cluster: LocalCluster) -> None:
    peer = known("server1")
    assert peer.call("sendFilename", {"filename": "mixed.bin", "size": 5, "upload": "mixed"})["result"]
    peer.send({"jsonrpc": "2.0", "id": 5, "method": "string", "params": ["hi"]})
    assert peer.receive_packet()[0] == b"A"
    assert not list(cluster.data.rglob("mixed.bin"))


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("addServer", [["127.0.0.1", 1], 5]),
        ("removeServer", [["127.0.0.1", 1]]),
        ("updateServer", [["127.0.0.1", 1], 5]),
        ("addFiles", [["127.0.0.1", 1], []]),
        ("placeFile", ["somebody-else", "x", 1, "upload"]),
    ],
)
def test_a_client_may_not_do_what_is_for_servers_or_for_others(
    method: str, params: Any, connection: Any, cluster: LocalCluster
) -> None:
    from rpclab.errors import NotAllowed

    with pytest.raises(NotAllowed, match="client1"):
        connection("manager").call(method, *params)
    with cluster.connect("other") as client:
        assert len(client.list_servers()) == 2
