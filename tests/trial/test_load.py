"""Load: many connections, many clients at once, a node at its limit, and memory that stays flat.

Short by default; with RPCLAB_SOAK=1 (`make soak`) ten times as long, a file of 10 GiB among it (it needs 32 GiB of free disk).
RPCLAB_LOAD_SEED=N repeats the contents.
"""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.config import Limits
from rpclab.errors import NoSuchFile, TooManyConnections
from rpclab.rpc.connection import Connection
from rpclab.rpc.handshake import Identity
from rpclab.rpc.opening import open_connection
from rpclab.secret import load_secret
from rpclab.trace import Tracer
from rpclab.world.real import RealWorld

from .memory import Memory, open_sockets, sockets_allowed

SOAK = bool(os.environ.get("RPCLAB_SOAK"))
CONNECTIONS = 500
CLIENTS = 200
FILES = 10 if SOAK else 1  # a client
CALLS = 100_000 if SOAK else 20_000
FILE_BYTES = (10 << 30) if SOAK else (256 << 20)
FLAT_MIB = 4  # more than this over all those calls is a leak: it would be 40 bytes a call in the long form
FILE_MIB = 96  # what a process may take, whatever the file's size: Python and its imports are 30 of them
PATIENT = Limits(connect_s=60, handshake_s=60, call_s=60, transfer_s=300)  # two cores for all of them

Start = Callable[..., LocalCluster]


@pytest.fixture
def seed(capsys: pytest.CaptureFixture[str]) -> int:
    seed = int(os.environ.get("RPCLAB_LOAD_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"RPCLAB_LOAD_SEED={seed}")
    return seed


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Say what was measured, also where the tests' output is caught."""

    def say(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", flush=True)

    return say


@pytest.fixture
def connect(world: RealWorld) -> Iterator[Callable[..., Connection]]:
    """Open connections as a client of the cluster; those that are open at the end are closed."""
    made: list[Connection] = []

    def one(cluster: LocalCluster, node: str, limits: Limits = PATIENT) -> Connection:
        me = Identity("loader", "client", load_secret(str(cluster.secret_file)))
        expected = ("manager", "server")
        address = cluster.addresses[node]
        connection = open_connection(world, address, me, Tracer(world, "loader"), expected=expected, limits=limits)
        made.append(connection)
        return connection

    yield one
    for connection in made:
        connection.close()


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Do it in so many threads that all begin together; raises the first error that any of them raised."""
    together = threading.Barrier(count)

    def begin(number: int) -> Any:
        together.wait(60)
        return work(number)

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


# ---- many connections


@pytest.mark.parametrize("node", ["manager", "server1"])
def test_five_hundred_connections_at_once(
    node: str, start_cluster: Start, connect: Any, eventually: Any, tell: Any
) -> None:
    with sockets_allowed(256):  # what macOS gives a process that does not ask for more
        cluster = start_cluster(servers=1, replicas=1, trace=False)
    with sockets_allowed(8192):
        pid = cluster.processes()[node]
        before, sockets = Memory(pid), open_sockets(pid)
        connections = at_once(CONNECTIONS, lambda number: connect(cluster, node))
        assert open_sockets(pid) >= sockets + CONNECTIONS
        answers = at_once(CONNECTIONS, lambda number: connections[number].call("string", f"hello {number}"))
        assert answers == [f"hello {number}" for number in range(CONNECTIONS)]
        during = Memory(pid)
        for connection in connections:
            connection.close()
        # A few may come and go: what looks at the cluster, and the server's own with its manager.
        eventually(lambda: open_sockets(pid) <= sockets + 3 and Memory(pid).threads <= before.threads + 3)
    each = (during.mib - before.mib) * 1024 / CONNECTIONS
    tell(f"{CONNECTIONS} connections to {node}: {during.mib:.0f} MiB, {each:.0f} KiB a connection")
    assert each < 300


def test_a_server_at_its_limit_refuses_clearly_and_recovers(
    start_cluster: Start, connect: Any, make_file: Any, eventually: Any, tmp_path: pathlib.Path
) -> None:
    limit = Limits().connections
    with sockets_allowed(8192):
        cluster = start_cluster(servers=2)
        client = cluster.connect("client1")
        connections: list[Connection] = []
        with pytest.raises(
            TooManyConnections, match=r"server1 can serve no more than .* connections now: try again later"
        ):
            while len(connections) <= limit:
                connections.append(connect(cluster, "server1"))
        assert limit - 10 <= len(connections) <= limit
        assert connections[0].call("string", "still here") == "still here"
        assert len(cluster.files()) == 0  # the manager is another node: it serves on
        receipt = client.backup(make_file("meanwhile.txt", b"hello"), replicas=1)
        assert receipt.copies == 1  # on the server that has room
        for connection in connections[10:]:
            connection.close()
        eventually(lambda: client.server("server1").string("there is room") == "there is room")
        for number in range(4):
            assert client.backup(make_file(f"after{number}.bin", 1000)).copies == 2
        client.restore("after0.bin", tmp_path / "restored")


# ---- many clients


def test_two_hundred_clients_send_at_once(start_cluster: Start, tmp_path: pathlib.Path, seed: int, tell: Any) -> None:
    chance = random.Random(seed)
    contents = {
        (number, file): chance.randbytes(chance.choice([0, 1, 1000, 65_536, 100_000]))
        for number in range(CLIENTS)
        for file in range(FILES)
    }
    for (number, file), data in contents.items():
        path = tmp_path / "from" / str(number) / f"{file}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with sockets_allowed(8192):
        cluster = start_cluster(servers=3)
        sessions = [cluster.connect(f"loader{number}") for number in range(CLIENTS)]

        def send(number: int) -> list[int]:
            folder = tmp_path / "from" / str(number)
            return [sessions[number].backup(folder / f"{file}.bin").copies for file in range(FILES)]

        began = cluster._world.clock.now()
        copies = at_once(CLIENTS, send)
        took = cluster._world.clock.now() - began
        assert [each for some in copies for each in some] == [2] * len(contents)

        def fetch(number: int) -> None:
            for file in range(FILES):
                restored = sessions[number].restore(f"{file}.bin", tmp_path / "to" / str(number))
                assert pathlib.Path(restored.path).read_bytes() == contents[number, file]

        at_once(CLIENTS, fetch)
        reserved = [server.reserved_bytes for server in sessions[0].list_servers()]
        assert reserved == [0, 0, 0], "bytes are still reserved although every file is stored"
    tell(f"{len(contents)} files of {CLIENTS} clients at once, two copies each: {took:.1f} s")


# ---- memory


def test_memory_stays_flat_over_many_calls(start_cluster: Start, tell: Any) -> None:
    cluster = start_cluster(servers=1, replicas=1, trace=False)
    client = cluster.connect("client1")
    address = cluster.addresses["server1"]

    def place(number: int) -> None:
        client.manager.placeFile("client1", f"{number}.txt", 5, f"upload{number}")
        client.manager.releaseUpload(f"upload{number}")

    def calls(count: int) -> None:
        for number in range(count // 10):
            for _ in range(5):
                assert client.manager.string("hello") == "hello"
            assert len(client.list_servers()) == 1
            with pytest.raises(NoSuchFile):
                client.manager.findFile("client1", f"{number}.txt")
            place(number)
            assert client.server(address).string("x") == "x"

    for number in range(2000):  # tables that are bounded fill, and Python's own caches
        place(number)
    calls(CALLS // 10)
    before = {name: Memory(pid) for name, pid in cluster.processes().items()} | {"this one": Memory(os.getpid())}
    calls(CALLS)
    grown = {name: Memory(memory.pid).mib - memory.mib for name, memory in before.items()}
    said = ", ".join(f"{name} {before[name].mib:.1f} {more:+.2f} MiB" for name, more in grown.items())
    tell(f"{CALLS} calls: {said}")
    assert max(grown.values()) < FLAT_MIB, said


def test_memory_stays_flat_over_a_large_file(start_cluster: Start, tmp_path: pathlib.Path, tell: Any) -> None:
    if shutil.disk_usage(tmp_path).free < 3.2 * FILE_BYTES:
        pytest.skip(f"{3.2 * FILE_BYTES / 2**30:.0f} GiB of free disk are needed")
    source = tmp_path / "large.bin"
    with source.open("wb") as file:  # nothing but a hole and a few bytes: a sparse file
        file.truncate(FILE_BYTES)
        for place in (0, FILE_BYTES // 2 + 7, FILE_BYTES - 5):
            file.seek(place)
            file.write(b"here!")
    cluster = start_cluster(servers=2, clients=1, trace=False)
    agent = cluster.clients["client1"]
    agent.folder.mkdir(parents=True, exist_ok=True)
    source.rename(agent.folder / source.name)
    with Memory.watching(cluster.processes()) as peaks:
        began = cluster._world.clock.now()
        receipt = agent.backup("large.bin")
        stored = cluster._world.clock.now()
        agent.restore("large.bin", tmp_path / "restored")
        restored = cluster._world.clock.now()
    assert (receipt.copies, receipt.file.size) == (2, FILE_BYTES)
    back = tmp_path / "restored" / "large.bin"
    assert back.stat().st_size == FILE_BYTES
    with back.open("rb") as file:
        for place in (0, FILE_BYTES // 2 + 7, FILE_BYTES - 5):
            file.seek(place)
            assert file.read(5) == b"here!"
    back.unlink()
    (agent.folder / source.name).unlink()
    cluster.stop()
    shutil.rmtree(cluster.data / "servers")
    said = ", ".join(f"{node} {mib:.0f}" for node, mib in peaks.items())
    tell(
        f"{FILE_BYTES / 2**30:g} GiB: two copies in {stored - began:.1f} s, restored in {restored - stored:.1f} s; "
        f"peak MiB: {said}"
    )
    assert max(peaks.values()) < FILE_MIB, said
