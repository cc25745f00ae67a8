"""A manager and servers in this process, one of them on a disk that fails: what its clients, copies and manager are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rpclab.client.session import Client
from rpclab.config import Address, Limits
from rpclab.errors import ConnectionLost, NoSuchFile, StorageError, SyncFailed, UploadUnknown
from rpclab.manager.service import Manager
from rpclab.manager.settings import Settings
from rpclab.records import FileRecord
from rpclab.rpc.handshake import Identity
from rpclab.rpc.opening import open_connection
from rpclab.server.service import Server
from rpclab.trace import Tracer
from rpclab.world.real import RealWorld

SECRET = bytes(32)
ANYWHERE: Address = ("127.0.0.1", 0)
LIMITS = Limits(heartbeat_s=0.05, retry_s=0.01)


class Network:
    """A manager, and the servers and clients that a test starts beside it."""

    def __init__(self, folder: Callable[[], str]) -> None:
        self._folder = folder
        self.manager = Manager(RealWorld(), Identity("manager", "manager", SECRET), settings=Settings(), limits=LIMITS)
        self.address = self.manager.start(ANYWHERE)
        self.servers: dict[str, Server] = {}
        self._clients: list[Client] = []

    def server(self, node: str, world: RealWorld | None = None) -> Server:
        identity = Identity(node, "server", SECRET)
        server = Server(world or RealWorld(), identity, self._folder(), self.address, limits=LIMITS)
        server.start(ANYWHERE)
        assert server.link.wait_registered(20)  # type: ignore[attr-defined]
        self.servers[node] = server
        return server

    def client(self, name: str = "ann") -> Client:
        client = Client(RealWorld(), Identity(name, "client", SECRET), self.address, limits=LIMITS)
        self._clients.append(client)
        return client

    def books(self) -> dict[str, int]:
        with self.manager._lock:
            return {server.node: server.stored_bytes for server in self.manager.directory.servers()}

    def reserved(self) -> dict[str, int]:
        with self.manager._lock:
            return {server.node: server.reserved_bytes for server in self.manager.directory.servers()}

    def stop(self) -> None:
        for client in self._clients:
            client.close()
        for server in self.servers.values():
            server.stop(5)
            server.stop()
        self.manager.stop(5)


@pytest.fixture
def network(new_folder: Callable[[], str]) -> Iterator[Network]:
    made = Network(new_folder)
    yield made
    made.stop()


def fail_at(world: Any, step: str) -> None:
    """Let the next step of that name fail, once."""
    steps = world.steps
    before = steps.step

    def watch(what: str, path: str, halfway: Any = lambda: None) -> None:
        before(what, path, halfway)
        if steps.steps[-1] == step and not steps.failed:
            steps.failed = step
            raise SyncFailed(f"the disk failed: {step}")

    steps.step = watch


@pytest.mark.parametrize("replication", ["after", "pipeline"])
@pytest.mark.parametrize("step", ["sync incoming", "sync journal.jsonl", "rename to a"])
def test_a_file_that_its_primary_could_not_store_goes_to_others_and_nothing_of_it_stays_there(
    network: Network, step_world: Callable[..., Any], make_file: Callable, replication: str, step: str
) -> None:
    world = step_world()
    first = network.server("server1", world)
    network.server("server2"), network.server("server3")
    client = network.client()
    old = client.backup(make_file("old", b"old"), "a", replication=replication)
    assert old.servers[0] == "server1"
    fail_at(world, step)
    receipt = client.backup(make_file("new", 100_000), "a", replication=replication)
    assert receipt.copies == 2 and "server1" not in receipt.servers
    assert first.store.files() == [old.file] and client.find("a").file == receipt.file
    assert network.books() == {"server1": 3, "server2": 100_003, "server3": 100_000}


def test_a_file_that_has_its_name_without_a_promise_is_in_the_managers_books(
    network: Network, step_world: Callable[..., Any], make_file: Callable
) -> None:
    world = step_world()
    server = network.server("server1", world)
    client = network.client()
    client.backup(make_file("old", b"old"), "a", replicas=1)
    fail_at(world, "sync folder ann")
    with pytest.raises(SyncFailed):
        client.backup(make_file("new", b"newer"), "a", replicas=1)
    assert client.find("a").file == server.store.get("ann", "a")
    assert network.books() == {"server1": server.store.report()[1]}


@pytest.mark.parametrize("replication", ["after", "pipeline"])
def test_a_second_server_that_cannot_store_is_made_up_for_by_a_third(
    network: Network, step_world: Callable[..., Any], make_file: Callable, replication: str
) -> None:
    worlds = {node: step_world() for node in ("server1", "server2", "server3")}
    for node, world in worlds.items():
        network.server(node, world)
    client = network.client()
    fail_at(worlds["server2"], "sync incoming")
    receipt = client.backup(make_file("a", 100_000), "a", replication=replication, replicas=2)
    assert receipt.servers == ["server1", "server3"] and "server2: the disk failed" in receipt.problems[0]
    assert network.books() == {"server1": 100_000, "server2": 0, "server3": 100_000}
    assert network.reserved() == {"server1": 0, "server2": 0, "server3": 0}


def test_a_report_that_the_manager_missed_is_made_good(network: Network, eventually: Callable) -> None:
    server = network.server("server1")
    pool = server.link._pool  # type: ignore[attr-defined]

    def lost(*args: Any, **named: Any) -> None:
        raise ConnectionLost("the report got lost on the way")

    pool.call, call = lost, pool.call
    incoming = server.store.begin("ann", "a", 0)
    file = incoming.commit("0" * 64)
    server.link.report(server.store.report(), stored=[file])
    pool.call = call
    eventually(
        lambda: [each.file for each in network.client().list_files()] == [file], what="the inventory is told again"
    )


def test_a_file_stored_while_its_server_registers_is_not_forgotten(network: Network) -> None:
    """The inventory was made, the manager not yet told: what is stored in between must reach it."""
    server = network.server("server1")
    link: Any = server.link
    inventory, stored = server.store.inventory, []

    def meanwhile() -> tuple[int, int, list[FileRecord]]:
        made = inventory()
        if not stored:
            stored.append(server.store.begin("ann", "a", 0).commit("0" * 64))
            link.report(server.store.report(), stored=stored)
        return made

    link.stop()
    link._stopping = link._registered = False
    link._pool._closed = False
    server.store.inventory = meanwhile  # type: ignore[method-assign]
    link.start(server._address, server.store)
    assert link.wait_registered(20)
    assert [each.file for each in network.client().list_files()] == stored


def test_a_copy_that_is_removed_before_it_is_reported_stays_out_of_the_managers_books(
    network: Network, make_file: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = network.server("server1").store
    report_on, dropped = store.report_on, []

    def meanwhile(files: list[FileRecord]) -> Any:
        if not dropped:
            dropped.append(store.drop("ann", "a", files[0].version))
        return report_on(files)

    monkeypatch.setattr(store, "report_on", meanwhile)
    network.client().backup(make_file("a", b"12345"), "a", replicas=1)
    assert dropped[0] is not None
    assert list(network.client().list_files()) == []
    assert network.books() == {"server1": 0}


def test_a_server_is_there_with_all_of_its_files_or_not_at_all(network: Network) -> None:
    """Pages of an inventory count when `addServer` follows on the same connection, and are forgotten otherwise."""
    files = [FileRecord("ann", f"{number}", 1, "0" * 64, 1) for number in range(4)]
    world, me, own = RealWorld(), Identity("server9", "server", SECRET), ("127.0.0.1", 9)
    manager: Any = {"expected": ("manager",), "limits": LIMITS}
    client = network.client()
    with open_connection(world, network.address, me, Tracer(world, "server9"), **manager) as cut_short:
        cut_short.call("addFiles", own, files[:2])
        assert list(client.list_files()) == []
    with open_connection(world, network.address, me, Tracer(world, "server9"), **manager) as connection:
        connection.call("addFiles", own, files[2:3])
        connection.call("addFiles", own, files[3:])
        assert list(client.list_files()) == [] and client.list_servers() == []
        connection.call("addServer", own, 2, "server9", None, 1)
        assert [each.file for each in client.list_files()] == files[2:]


def test_an_upload_that_nobody_knows_is_told(network: Network) -> None:
    server = network.server("server1")
    with pytest.raises(UploadUnknown, match="send the file again"):
        network.client().server(server._address).confirmFile("never announced")


def test_a_version_that_made_way_before_it_could_be_looked_at_is_no_fault(network: Network) -> None:
    """A restore found it damaged, a backup came, then the server looked (seed 103934)."""
    checks = network.server("server1")._checks
    gone = FileRecord("ann", "a", 1, "", 3)
    with pytest.raises(NoSuchFile):
        checks.check(gone)
    checks.later(gone)


def test_a_newer_version_on_the_server_is_no_success_for_the_sender(network: Network, make_file: Callable) -> None:
    """A manager that was started anew may hand out a version that is too low: that must not pass for stored."""
    server = network.server("server1")
    high = 1 << 50
    incoming = server.store.begin("ann", "a", 0, version=high)  # the manager has not heard of it
    newer = incoming.commit("0" * 64)
    client = network.client()
    with pytest.raises(StorageError, match="newer version"):
        client.backup(make_file("a", b"mine"), "a", replicas=1)
    assert server.store.get("ann", "a") == newer
    assert client.backup(make_file("a", b"mine"), "a", replicas=1).file.version > high
