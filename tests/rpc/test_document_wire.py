"""The document's own wire: programs of the original with ours, in every pairing; its faults, visible there and impossible here.

`original.py` holds the original's programs; the tests below that speak raw bytes are written from the description too.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rpclab.client.document import DocumentClient
from rpclab.cluster.local import LocalCluster
from rpclab.config import Address
from rpclab.errors import ConnectionBusy, MessageError, NameRefused, NoServer, RpclabError, TooFewCopies, UsageError
from rpclab.rpc.document import DocumentConnection, decode_request, encode_request
from rpclab.secret import new_secret
from rpclab.trace import Tracer
from rpclab.world.real import RealWorld

ORIGINAL = str(pathlib.Path(__file__).with_name("original.py"))
RECEIVED = ["Filename received.", "File received successfully!"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Our manager and two servers, which also serve programs of the document's wire."""
    data = tmp_path_factory.mktemp("document-wire") / "data"
    with LocalCluster(servers=2, clients=0, ports="free", data=data, document_wire=True) as cluster:
        yield cluster


class Original:
    """A program of the original as a process: its first line is its port, the rest is what it said."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen([sys.executable, ORIGINAL, *arguments], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.said: list[str] = []
        self._reader = threading.Thread(target=lambda: self.said.extend(map(str.strip, self.process.stdout)))  # type: ignore[arg-type]
        self._reader.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def original() -> Iterator[Callable[..., Original]]:
    started: list[Original] = []

    def start(*arguments: object) -> Original:
        started.append(Original(*map(str, arguments)))
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def original_server(
    original: Callable[..., Original], tmp_path: pathlib.Path
) -> Callable[[int], tuple[Original, pathlib.Path]]:
    count = iter(range(1, 9))

    def start(manager_port: int) -> tuple[Original, pathlib.Path]:
        folder = tmp_path / f"original{next(count)}"
        folder.mkdir()
        return original("server", manager_port, folder), folder

    return start


@pytest.fixture
def our_server(tmp_path: pathlib.Path, eventually: Callable[..., None]) -> Iterator[Callable[..., pathlib.Path]]:
    """Our server as a process, with a manager of the original; gives the folder where a client's file lies."""
    started: list[subprocess.Popen[bytes]] = []

    def start(manager_port: int, *options: str) -> pathlib.Path:
        folder, ready = tmp_path / "ours", tmp_path / "ready.json"
        secret = new_secret(tmp_path / "secret")
        command = [sys.executable, "-m", "rpclab.server", "1", "--port", "0", "--quiet", "--lifeline", *options]
        command += ["--manager", f"127.0.0.1:{manager_port}", "--manager-wire", "document"]
        command += ["--folder", str(folder), "--secret-file", str(secret), "--ready-file", str(ready)]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))
        eventually(ready.exists)
        return folder / "Backups" / "document"

    yield start
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


def run_client(port: int, path: pathlib.Path) -> list[str]:
    """Run the original's client to its end; what it printed."""
    done = subprocess.run(
        [sys.executable, ORIGINAL, "client", str(port), str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def contents(folder: pathlib.Path, name: str) -> bytes | None:
    path = folder / name
    return path.read_bytes() if path.exists() else None


def folders(cluster: LocalCluster) -> list[pathlib.Path]:
    """Where the servers of a cluster keep files whose sender has no name."""
    return [cluster.data / "servers" / name / "Backups" / "document" for name in cluster.servers]


class Raw:
    """One bare socket that speaks the document's wire, a step at a time."""

    def __init__(self, address: Address) -> None:
        self.sock = socket.create_connection(address, 10)
        self.sock.settimeout(10)

    def call(self, name: str, *args: object, mark: object = None) -> Any:
        self.send(json.dumps([name, args, {} if mark is None else mark]).encode())
        return self.reply()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reply(self) -> Any:
        return json.loads(self.sock.recv(65_536))


@pytest.fixture
def raw() -> Iterator[Callable[[Address], Raw]]:
    made: list[Raw] = []

    def connect(address: Address) -> Raw:
        made.append(Raw(address))
        return made[-1]

    yield connect
    for each in made:
        each.sock.close()


# ---- programs of the original with ours


FILES = {
    "notes.txt": b"hello",
    "empty.txt": b"",
    "Übersicht-日本.txt": b"\x00\xff" * 9,
    "large.bin": os.urandom(300_000),
    "full.bin": bytes(131_072),
}


@pytest.mark.parametrize(("name", "data"), FILES.items(), ids=["small", "empty", "unicode", "large", "full"])
def test_the_originals_client_stores_byte_for_byte_on_two_of_our_servers(
    name: str, data: bytes, cluster: LocalCluster, make_file: Any, eventually: Any
) -> None:
    path = make_file(name, data)
    assert run_client(cluster.addresses["manager"][1], path) == ["Connection test.", *RECEIVED]
    eventually(lambda: [contents(folder, name) for folder in folders(cluster)] == [data, data])


def test_the_originals_client_and_servers_work_with_our_manager(
    start_cluster: Any, original_server: Any, make_file: Any, eventually: Any
) -> None:
    cluster = start_cluster(servers=0, document_wire=True)
    port = cluster.addresses["manager"][1]
    (first, first_folder), (second, second_folder) = original_server(port), original_server(port)
    path = make_file("notes.txt", 200_000)
    assert run_client(port, path) == ["Connection test.", *RECEIVED]
    eventually(lambda: contents(first_folder, "notes.txt") == contents(second_folder, "notes.txt") == path.read_bytes())
    eventually(lambda: sorted(line for each in (first, second) for line in each.said if line.startswith("received")) == [
        "received notes.txt from a client", "received notes.txt from a server"])  # fmt: skip
    with cluster.connect() as client:
        eventually(lambda: [server.stored_bytes for server in client.list_servers()] == [200_000, 200_000])
        assert {server.wire for server in client.list_servers()} == {"document"}


def test_our_client_works_with_the_originals_manager_and_servers(
    original: Any, original_server: Any, make_file: Any, world: RealWorld, eventually: Any
) -> None:
    manager = original("manager")
    kept = [original_server(manager.port)[1] for _ in range(2)]
    path = make_file("notes.txt", 200_000)
    with DocumentClient(world, "client1", ("127.0.0.1", manager.port)) as client:
        client.connect()
        assert client.is_connected()
        assert client.send_file(str(path.parent), "notes.txt")
        assert client.manager.getQuantity() == 2
        eventually(lambda: [contents(folder, "notes.txt") for folder in kept] == [path.read_bytes()] * 2)
    manager.kill()
    assert not client.is_connected()


def test_our_server_registers_with_the_originals_manager_and_replicates_to_the_originals_server(
    original: Any, original_server: Any, our_server: Any, make_file: Any, eventually: Any
) -> None:
    manager = original("manager")
    ours = our_server(manager.port, "--document-wire")  # the first of those with equally few bytes is chosen
    theirs, their_folder = original_server(manager.port)
    path = make_file("notes.txt", 200_000)
    assert run_client(manager.port, path) == ["Connection test.", *RECEIVED]
    eventually(lambda: contents(ours, "notes.txt") == contents(their_folder, "notes.txt") == path.read_bytes())
    eventually(lambda: theirs.said == ["received notes.txt from a server"])


def test_the_originals_server_replicates_to_ours(
    original: Any, original_server: Any, our_server: Any, make_file: Any, eventually: Any
) -> None:
    manager = original("manager")
    theirs, their_folder = original_server(manager.port)
    ours = our_server(manager.port, "--document-wire")
    path = make_file("notes.txt", 200_000)
    assert run_client(manager.port, path) == ["Connection test.", *RECEIVED]
    eventually(lambda: contents(ours, "notes.txt") == contents(their_folder, "notes.txt") == path.read_bytes())
    eventually(lambda: theirs.said == ["received notes.txt from a client", *RECEIVED])  # ours did not send it on again


def test_our_server_leaves_the_originals_manager_politely(
    original: Any, our_server: Any, raw: Any, tmp_path: pathlib.Path
) -> None:
    manager = original("manager")
    our_server(manager.port, "--document-wire")
    asking = raw(("127.0.0.1", manager.port))
    assert asking.call("getQuantity") == 1
    address = json.loads((tmp_path / "ready.json").read_text())["address"]
    assert asking.call("getServer") == address
    assert raw(tuple(address)).call("string", "hi") == "hi"


def test_without_the_option_the_documents_wire_is_refused(
    original: Any, our_server: Any, start_cluster: Any, raw: Any, tmp_path: pathlib.Path, make_file: Any
) -> None:
    our_server(original("manager").port)
    address = json.loads((tmp_path / "ready.json").read_text())["address"]
    cluster = start_cluster(servers=1)
    for each in (tuple(address), *cluster.addresses.values()):
        stranger = raw(each)
        stranger.send(b'["string", ["hi"], {}]')
        assert stranger.sock.recv(100) == b""
    done = subprocess.run(
        [sys.executable, ORIGINAL, "client", str(cluster.addresses["manager"][1]), str(make_file("x"))],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode != 0


def test_files_of_our_wire_are_not_sent_to_servers_of_the_originals(
    start_cluster: Any, original_server: Any, make_file: Any
) -> None:
    cluster = start_cluster(servers=1, document_wire=True)
    _, folder = original_server(cluster.addresses["manager"][1])
    with cluster.connect("client1") as client:
        assert len(client.list_servers()) == 2
        with pytest.raises(TooFewCopies):
            client.backup(make_file("notes.txt"))
        assert client.backup(make_file("more.txt"), replicas=1).servers == ["server1"]
    assert list(folder.iterdir()) == []


def test_the_documents_methods_are_all_there_with_arguments_by_place_and_by_name(
    cluster: LocalCluster, raw: Any
) -> None:
    manager = raw(cluster.addresses["manager"])
    assert manager.call("string", "Connection test.") == "Connection test."
    assert manager.call("string", mark={"text": "named"}) == "named"
    assert manager.call("getQuantity") == 2
    first = manager.call("getServer")
    assert manager.call("getServer", first) not in (first, None)
    assert manager.call("getServer", mark={"address": first}) != first
    assert manager.call("addServer", ["127.0.0.1", 9], mark={"capacity": 10**15}) is True
    assert manager.call("getQuantity") == 3
    assert manager.call("updateServer", ["127.0.0.1", 9], 2 * 10**15) is True
    assert manager.call("removeServer", ["127.0.0.1", 9]) is True
    assert manager.call("getQuantity") == 2
    server = raw(cluster.addresses["server1"])
    assert server.call("string", "hi") == "hi"
    assert server.call("sendPath") == str(cluster.data / "servers" / "server1")


def test_what_we_added_is_not_on_the_documents_wire(cluster: LocalCluster, raw: Any) -> None:
    manager, server = raw(cluster.addresses["manager"]), raw(cluster.addresses["server1"])
    for method in ("placeFile", "listFiles", "findFile", "addFiles", "__init__"):
        assert "no remote method" in manager.call(method)
    for method in ("getFile", "deleteFile", "confirmFile"):
        assert "no remote method" in server.call(method)


@pytest.mark.parametrize(
    "data",
    [
        b"[",
        b"[]",
        b"[1,2,3]",
        b'["string"]',
        b'["string","hi",{}]',
        b'["string",["hi"],5]',
        b"[NaN]",
        b"[" * 5_000,  # more could arrive in two receives, and so be two requests
        b"[\xff",
    ],
)
def test_what_is_no_request_is_answered_with_text_and_the_conversation_goes_on(
    data: bytes, cluster: LocalCluster, raw: Any
) -> None:
    peer = raw(cluster.addresses["manager"])
    peer.send(data)
    assert "are no request [name, args, kwargs]" in peer.reply()
    assert peer.call("string", "hi") == "hi"


def test_requests_are_encoded_as_the_document_says() -> None:
    assert encode_request("sendFilename", ["a.txt"], {}) == b'["sendFilename",["a.txt"],{}]'
    assert encode_request("sendFilename", ["a.txt"], "backup") == b'["sendFilename",["a.txt"],"backup"]'
    request = decode_request(b'["sendFilename", ["a.txt"], "backup"]')
    assert (request.name, request.args, request.kwargs, request.mark) == ("sendFilename", ["a.txt"], {}, "backup")
    with pytest.raises(MessageError, match="no request"):
        decode_request(b'["sendFilename", ["a.txt"]')


def test_a_sender_that_vanishes_before_eof_leaves_nothing(cluster: LocalCluster, raw: Any, eventually: Any) -> None:
    peer = raw(cluster.addresses["server1"])
    assert peer.call("sendFilename", "half.bin") == RECEIVED[0]
    peer.send(bytes(100_000))
    incoming = cluster.data / "servers" / "server1" / "Incoming"
    eventually(lambda: any(incoming.iterdir()))
    peer.sock.close()
    eventually(lambda: not any(incoming.iterdir()))
    assert [contents(folder, "half.bin") for folder in folders(cluster)] == [None, None]


def test_a_file_over_the_quota_is_answered_with_the_reason(start_cluster: Any, raw: Any) -> None:
    cluster = start_cluster(servers=1, document_wire=True, quota_bytes=100_000)
    peer = raw(cluster.addresses["server1"])
    assert peer.call("sendFilename", "large.bin") == RECEIVED[0]
    for _ in range(20):
        peer.send(bytes(50_000))
    peer.send(b"EOF")
    assert "quota" in peer.reply()
    assert peer.call("string", "and on") == "and on"


@pytest.mark.parametrize("reply", [b"late", b"", b"{", b'"a""b"'])
def test_our_caller_gives_a_connection_up_whose_answer_it_did_not_get(
    reply: bytes, world: RealWorld, answer_by_hand: Any
) -> None:
    def answer(peer: Any) -> None:
        peer.sock.recv(65_536)
        if reply == b"late":
            peer.sock.recv(65_536)
        elif reply:
            peer.send_bytes(reply)
            peer.rest()

    from rpclab.config import Limits

    limits = Limits(transfer_s=0.2)
    with DocumentConnection(world, answer_by_hand(answer), Tracer(world, "client1"), limits) as connection:
        with pytest.raises(RpclabError):
            connection.call("string", "hi")
        assert connection.closed


def test_our_caller_speaks_it_on_loopback_only(world: RealWorld) -> None:
    with pytest.raises(UsageError, match=r"loopback only, not for 192\.0\.2\.1:5"):
        DocumentConnection(world, ("192.0.2.1", 5), Tracer(world, "client1"))


# ---- its faults, one by one: visible there, impossible here


@pytest.fixture
def ours(cluster: LocalCluster) -> Iterator[Any]:
    with cluster.connect("client1") as client:
        yield client


def eof_at_every_packet() -> bytes:
    return (b"x" * 65_533 + b"EOF") * 3 + b"the rest EOF"


def test_there_a_file_is_cut_where_a_receive_ends_with_eof(cluster: LocalCluster, raw: Any) -> None:
    peer = raw(cluster.addresses["server1"])
    peer.call("sendFilename", "cut.bin")
    peer.send(b"x" * 997 + b"EOF")
    assert peer.reply() == RECEIVED[1]  # although more was to come
    assert contents(folders(cluster)[0], "cut.bin") == b"x" * 997


def test_here_a_file_that_contains_eof_arrives_whole(ours: Any, make_file: Any, tmp_path: pathlib.Path) -> None:
    path = make_file("eof.bin", eof_at_every_packet())
    ours.backup(path)
    ours.restore("eof.bin", tmp_path / "restored")
    assert contents(tmp_path / "restored", "eof.bin") == eof_at_every_packet()


def test_there_the_last_piece_and_its_mark_are_two_small_writes_under_nagles_algorithm(
    cluster: LocalCluster, world: RealWorld, make_file: Any, tmp_path: pathlib.Path
) -> None:
    log = tmp_path / "client1.jsonl"
    tracer = Tracer(world, "client1", world.disk.open_log(str(log)))
    reader = world.disk.open(str(make_file("small.bin", 4096)))
    with DocumentConnection(world, cluster.addresses["server1"], tracer) as connection:
        sock = connection._channel.stream._socket  # type: ignore[attr-defined]
        assert not sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connection.send_file(reader, "small.bin") == RECEIVED[1]
    reader.close()
    tracer.close()
    sent = [event["bytes"] for event in map(json.loads, log.read_text().splitlines()) if event["kind"] == "send"]
    assert sent[1:] == [4096, 3]


def test_here_nagles_algorithm_is_off_on_both_sides(serve: Any, connect: Any, registry: Any) -> None:
    def option(stream: Any) -> bool:
        return bool(stream._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    registry.register_method(lambda call: option(call.connection.channel.stream), "nodelay", with_call=True)
    connection = connect(serve().address)
    assert option(connection.channel.stream)
    assert connection.call("nodelay")


def test_there_two_requests_at_once_on_one_socket_are_one_that_nobody_understands(
    cluster: LocalCluster, raw: Any
) -> None:
    peer = raw(cluster.addresses["manager"])
    peer.send(b'["string", ["one"], {}]["string", ["two"], {}]')
    assert "are no request" in peer.reply()


def test_here_tasks_that_share_a_session_get_each_its_own_answers(ours: Any) -> None:
    def ask(task: int) -> bool:
        return all(ours.manager.string(f"{task} {number}") == f"{task} {number}" for number in range(50))

    with concurrent.futures.ThreadPoolExecutor(8) as tasks:
        assert all(tasks.map(ask, range(8)))


def test_here_a_shared_connection_is_refused_not_crossed(cluster: LocalCluster, ours: Any) -> None:
    with ours._manager.take() as connection, connection.taken(), pytest.raises(ConnectionBusy):
        connection.call("string", "mine")


def test_there_an_error_is_a_text_like_any_result(cluster: LocalCluster, raw: Any) -> None:
    manager = raw(cluster.addresses["manager"])
    assert isinstance(manager.call("string"), str)
    assert isinstance(manager.call("nonsense"), str)
    assert manager.call("string", "there is no remote method") == "there is no remote method"


def test_there_is_no_way_back_and_here_there_is(
    cluster: LocalCluster, ours: Any, raw: Any, make_file: Any, tmp_path: pathlib.Path
) -> None:
    path = make_file("back.txt", b"give me back")
    run_client(cluster.addresses["manager"][1], path)
    assert "no remote method 'getFile'" in raw(cluster.addresses["server1"]).call("getFile", "back.txt")
    with cluster.connect("simple", wire="document") as client, pytest.raises(UsageError, match="no way to restore"):
        client.restore("back.txt", str(tmp_path))
    ours.backup(path)
    ours.restore("back.txt", tmp_path / "restored")
    assert contents(tmp_path / "restored", "back.txt") == b"give me back"


def test_there_a_name_is_anybodys_and_here_each_clients_own(
    cluster: LocalCluster, make_file: Any, eventually: Any, tmp_path: pathlib.Path
) -> None:
    port = cluster.addresses["manager"][1]
    first, second = make_file("one/same.txt", b"the first"), make_file("two/same.txt", b"the second")
    run_client(port, first)
    eventually(lambda: [contents(folder, "same.txt") for folder in folders(cluster)] == [b"the first"] * 2)
    run_client(port, second)
    eventually(lambda: [contents(folder, "same.txt") for folder in folders(cluster)] == [b"the second"] * 2)
    for name, path in (("anna", first), ("bert", second)):
        with cluster.connect(name) as client:
            client.backup(path)
    for name, path in (("anna", first), ("bert", second)):
        with cluster.connect(name) as client:
            client.restore("same.txt", tmp_path / name)
        assert contents(tmp_path / name, "same.txt") == path.read_bytes()


@pytest.mark.parametrize("wire", ["document", "rpclab"])
def test_a_file_that_is_sent_twice_counts_once(wire: str, start_cluster: Any, make_file: Any, eventually: Any) -> None:
    cluster = start_cluster(servers=2, document_wire=True, keep=1 if wire == "rpclab" else 5)
    path = make_file("twice.bin", 50_000)
    for _ in range(3):
        with cluster.connect("client1", wire=wire) as client:
            client.backup(str(path))
        eventually(lambda: cluster.stored_bytes() == {"server1": 50_000, "server2": 50_000})
    make_file("twice.bin", 20_000)
    with cluster.connect("client1", wire=wire) as client:
        client.backup(str(path))
    eventually(lambda: cluster.stored_bytes() == {"server1": 20_000, "server2": 20_000})


@pytest.mark.parametrize(
    "name", ["../escaped.txt", "../../escaped.txt", "/tmp/escaped.txt", "a/../../escaped.txt", "", "x\0y"]
)
def test_a_name_that_leaves_the_folder_is_refused_on_both_wires(
    name: str, cluster: LocalCluster, ours: Any, raw: Any, make_file: Any
) -> None:
    peer = raw(cluster.addresses["server1"])
    assert "name" in peer.call("sendFilename", name)
    assert peer.call("string", "still here") == "still here"
    with pytest.raises(NameRefused):
        ours.backup(make_file("escaped.txt"), name)
    assert not list(cluster.data.rglob("escaped.txt"))


def test_a_name_that_is_none_is_refused_there(cluster: LocalCluster, raw: Any) -> None:
    peer = raw(cluster.addresses["server1"])
    for args in ([], [5], [["x"]], [None]):
        assert "name" in peer.call("sendFilename", *args)


def test_a_dead_server_is_no_longer_chosen_on_either_wire(
    start_cluster: Any, original_server: Any, raw: Any, make_file: Any, eventually: Any
) -> None:
    cluster = start_cluster(servers=2, document_wire=True)
    theirs, _ = original_server(cluster.addresses["manager"][1])
    manager = raw(cluster.addresses["manager"])
    assert manager.call("getQuantity") == 3
    theirs.kill()  # without a word, as the power goes
    eventually(lambda: manager.call("getQuantity") == 2)
    cluster.kill("server1")
    eventually(lambda: manager.call("getQuantity") == 1)
    assert {tuple(manager.call("getServer")) for _ in range(10)} == {cluster.addresses["server2"]}
    with cluster.connect("client1") as client:
        assert client.backup(make_file("one.txt"), replicas=1).servers == ["server2"]


def test_without_a_server_there_is_an_error_here_and_a_text_there(start_cluster: Any, raw: Any, make_file: Any) -> None:
    cluster = start_cluster(servers=0, document_wire=True)
    assert isinstance(
        raw(cluster.addresses["manager"]).call("getServer"), str
    )  # the original's client takes it for an address
    with cluster.connect("simple", wire="document") as client:
        with pytest.raises(RpclabError, match="gave no server's address but"):
            client.backup(make_file("one.txt"))
        assert not client.send_file(str(make_file("one.txt").parent), "one.txt")
    with cluster.connect("client1") as client:
        with pytest.raises(NoServer, match="said manager"):
            client.backup(make_file("one.txt"))
        with pytest.raises(NoServer):
            client.manager.getServer()


def test_a_manager_that_is_killed_has_its_port_again_at_once(
    start_cluster: Any, raw: Any, make_file: Any, tmp_path: pathlib.Path
) -> None:
    cluster = start_cluster(servers=2, document_wire=True)
    address = cluster.addresses["manager"]
    with cluster.connect("client1") as client:
        client.backup(make_file("kept.txt", b"kept"))
        raw(address).call("string", "a connection that lingers")
        for _ in range(2):
            cluster.kill("manager")
            cluster.restart("manager")
            assert cluster.addresses["manager"] == address
        client.restore("kept.txt", tmp_path / "restored")
    assert contents(tmp_path / "restored", "kept.txt") == b"kept"
