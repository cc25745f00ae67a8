"""What goes wrong on the way: each time a clear error, nothing half stored, and the cluster goes on."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.errors import (
    CommunicationError,
    ConnectionLost,
    FileChanged,
    NoServer,
    PortInUse,
    RpclabError,
    StorageError,
    TooFewCopies,
)

MEBIBYTE = 1 << 20


def incoming(cluster: LocalCluster) -> list[str]:
    """The servers at which a file is arriving."""
    root = cluster.data / "servers"
    return [server for server in cluster.servers if any((root / server / "Incoming").iterdir())]


def placed(cluster: LocalCluster) -> list[str]:
    """Where the last file was placed, the primary first."""
    return [event for event in cluster.history if event.kind == "placed"][-1].detail["servers"]


def reserved(cluster: LocalCluster) -> int:
    with cluster._looking() as session:
        return sum(server.reserved_bytes for server in session.list_servers())


# ---- servers that die


def test_a_killed_server_is_no_longer_chosen_and_its_files_come_from_the_others(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, eventually: Callable, tmp_path: pathlib.Path
) -> None:
    cluster = start_cluster()
    contents = {f"file {number}": os.urandom(50_000) for number in range(6)}
    with cluster.connect("ann") as session:
        for name, data in contents.items():
            session.backup(make_file(name, data))
        cluster.kill("server2")
        eventually(lambda: len(session.list_servers()) == 2, what="the manager notices")
        for name, data in contents.items():
            assert pathlib.Path(session.restore(name, tmp_path / "back").path).read_bytes() == data
        for number in range(5):
            assert "server2" not in session.backup(make_file("new"), f"new {number}").servers
        cluster.restart("server2")
        assert len(session.list_servers()) == 3
        for name in contents:
            assert set(session.verify(name).values()) == {True} and len(session.verify(name)) == 2
        receipts = [session.backup(make_file("a", 90_000), f"after {number}") for number in range(6)]
        assert any("server2" in receipt.servers for receipt in receipts)
    assert (cluster.state("server2"), cluster.state("manager")) == ("running", "running")


@pytest.mark.parametrize("replication", ["after", "pipeline"])
def test_when_a_primary_dies_in_the_middle_the_backup_is_finished_on_other_servers(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, copies: Callable, replication: str
) -> None:
    cluster = start_cluster(replication=replication)
    path = make_file("a", 8 * MEBIBYTE)
    killed: list[str] = []

    def kill_it(done: int, total: int) -> None:
        if done >= 3 * MEBIBYTE and not killed:
            killed.append(placed(cluster)[0])
            cluster.kill(killed[0])

    with cluster.connect("ann") as session:
        receipt = session.backup(path, "a", progress=kill_it)
        assert killed[0] not in receipt.servers and receipt.copies == 2
        found = copies(cluster, "ann/a")
        assert all(found[server] == path.read_bytes() for server in receipt.servers)
    cluster.restart(killed[0])
    assert incoming(cluster) == []


@pytest.mark.parametrize("and_then", ["there is no other server", "the file has changed"])
def test_a_backup_whose_primary_died_before_it_answered_is_not_said_to_be_undone(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, eventually: Callable, and_then: str
) -> None:
    alone = and_then == "there is no other server"
    cluster = start_cluster(servers=1 if alone else 3, replicas=1)
    tasks: list[threading.Thread] = []

    def kill_it_once_it_has_everything() -> None:
        eventually(lambda: cluster.history.of("sent"), what="all is sent")
        if not alone:
            path.write_bytes(b"changed")
        cluster.kill(primary)

    def at_the_end(done: int, total: int) -> None:
        nonlocal primary
        if not tasks:
            primary = placed(cluster)[0]
            cluster.pause(primary)
            tasks.append(threading.Thread(target=kill_it_once_it_has_everything))
            tasks[0].start()

    path, primary = make_file("a", 1000), ""
    with cluster.connect("ann") as session:
        with pytest.raises(RpclabError) as caught:
            session.backup(path, progress=at_the_end)
        tasks[0].join()
    assert isinstance(caught.value, ConnectionLost) and not caught.value.definite
    assert primary in caught.value.message


def test_a_second_server_that_dies_in_a_pipeline_is_made_up_for(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, copies: Callable
) -> None:
    cluster = start_cluster(replication="pipeline")
    path = make_file("a", 8 * MEBIBYTE)
    killed: list[str] = []

    def kill_it(done: int, total: int) -> None:
        if done >= 3 * MEBIBYTE and not killed:
            killed.append(placed(cluster)[1])
            cluster.kill(killed[0])

    with cluster.connect("ann") as session:
        receipt = session.backup(path, "a", progress=kill_it)
    assert receipt.copies == 2 and killed[0] not in receipt.servers
    assert any(killed[0] in problem for problem in receipt.problems)
    assert copies(cluster, "ann/a") == dict.fromkeys(receipt.servers, path.read_bytes())


def test_kept_connections_to_a_restarted_server_are_no_hindrance(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, tmp_path: pathlib.Path
) -> None:
    cluster = start_cluster(servers=2)
    with cluster.connect("ann") as session:
        session.backup(make_file("a", b"1"), "a")
        for server in ("server1", "server2"):
            cluster.restart(server)
        assert session.restore("a", tmp_path / "back").problems == []
        for server in ("server1", "server2"):
            cluster.kill(server)
            cluster.restart(server)
        assert session.backup(make_file("a", b"2"), "a").problems == []


def test_no_server_at_all_is_told(start_cluster: Callable[..., LocalCluster], make_file: Callable) -> None:
    cluster = start_cluster(servers=0)
    with cluster.connect("ann") as session:
        with pytest.raises(NoServer, match="no server is registered"):
            session.backup(make_file("a"))
        assert session.manager.getQuantity() == 0
        with pytest.raises(NoServer):
            session.manager.getServer()
        assert list(session.list_files()) == []


@pytest.mark.parametrize("replication", ["after", "pipeline"])
def test_one_server_and_two_copies_wanted_is_stored_and_told(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, tmp_path: pathlib.Path, replication: str
) -> None:
    cluster = start_cluster(servers=1, clients=1, replication=replication)
    path = make_file("a", 70_000)
    with cluster.connect("ann") as session:
        with pytest.raises(TooFewCopies, match="1 of 2 copies, on server1: no other server is connected") as caught:
            session.backup(path, "a")
        assert caught.value.receipt.servers == ["server1"]
        assert pathlib.Path(session.restore("a", tmp_path / "back").path).read_bytes() == path.read_bytes()
        assert session.send_file(path.parent, path.name) is False
        assert session.backup(path, "b", replicas=1).complete
    with pytest.raises(TooFewCopies) as caught:
        cluster.clients["client1"].backup(path, "a")
    assert caught.value.receipt.copies == 1


# ---- the manager


def test_a_manager_that_was_killed_forgets_nothing(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, disk_bytes: Callable, tmp_path: pathlib.Path
) -> None:
    cluster = start_cluster()
    with cluster.connect("ann") as session:
        for number in range(150):  # more than one page of an inventory
            session.backup(make_file("a", b"1" * number), f"{number:03} {'x' * 200}", replicas=1)
        session.backup(make_file("a", b"first"), "a")
        session.backup(make_file("a", b"second"), "a")
        before = cluster.files()
        for life in range(3):
            cluster.kill("manager")
            if not life:
                with pytest.raises(CommunicationError, match=r"tried \d+ times"):
                    session.backup(make_file("b"), "b")
            assert not session.is_connected()
            cluster.restart("manager")
            assert cluster.files() == before and session.is_connected()
            assert cluster.stored_bytes() == disk_bytes(cluster)
        newest = max(location.file.version for location in before)
        assert session.backup(make_file("a", b"third"), "a").file.version > newest
        assert pathlib.Path(session.restore("a", tmp_path / "back").path).read_bytes() == b"third"


def test_what_is_stored_while_the_manager_is_away_is_known_when_it_is_back(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, disk_bytes: Callable
) -> None:
    cluster = start_cluster(servers=2)
    path = make_file("a", 6 * MEBIBYTE)

    def kill_manager(done: int, total: int) -> None:
        if cluster.state("manager") == "running":
            cluster.kill("manager")

    with cluster.connect("ann") as session:
        receipt = session.backup(path, "a", progress=kill_manager)
        assert receipt.copies == 2
        cluster.restart("manager")
        assert sorted(server.node for server in session.find("a").servers) == ["server1", "server2"]
        assert cluster.stored_bytes() == disk_bytes(cluster)


# ---- clients that die, files that change


def test_a_client_killed_in_the_middle_leaves_nothing(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, eventually: Callable, copies: Callable
) -> None:
    cluster = start_cluster(servers=2)
    code = f"""
        import os, signal
        from rpclab.client.session import Client
        from rpclab.rpc.handshake import Identity
        from rpclab.secret import load_secret
        from rpclab.world.real import RealWorld
        me = Identity("ann", "client", load_secret({str(cluster.secret_file)!r}))
        with Client(RealWorld(), me, {cluster.addresses["manager"]!r}) as session:
            session.backup({str(make_file("a", 6 * MEBIBYTE))!r}, "a",
                           progress=lambda done, total: done > 3e6 and os.kill(os.getpid(), signal.SIGKILL))
    """
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], timeout=60, check=False)
        assert done.returncode == -signal.SIGKILL
        eventually(lambda: not incoming(cluster), what="the half file is removed")
        eventually(lambda: reserved(cluster) == 0, what="the reservation is freed")
        assert copies(cluster, "ann/a") == {} and cluster.files() == []
        assert set(cluster.stored_bytes().values()) == {0}
    with cluster.connect("ann") as session:
        assert session.backup(make_file("a", b"1"), "a").copies == 2


def shrink(path: pathlib.Path) -> None:
    os.truncate(path, 2 * MEBIBYTE + 5)


def grow(path: pathlib.Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def rewrite(path: pathlib.Path) -> None:
    with path.open("r+b") as file:
        file.write(b"other")
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("replication", ["after", "pipeline"])
@pytest.mark.parametrize("change", [shrink, grow, rewrite])
def test_a_file_that_changes_while_it_is_sent_is_not_stored(
    shared_cluster: LocalCluster,
    make_file: Callable,
    copies: Callable,
    eventually: Callable,
    change: Callable[[pathlib.Path], None],
    replication: str,
) -> None:
    client = f"{change.__name__}-{replication}"
    path = make_file("a", 4 * MEBIBYTE)
    with shared_cluster.connect(client) as session:
        old = session.backup(make_file("old", b"old"), "a")

        def meanwhile(done: int, total: int) -> None:
            if done == MEBIBYTE:
                change(path)

        with pytest.raises(FileChanged, match="while it was sent"):
            session.backup(path, "a", replication=replication, progress=meanwhile)
        assert copies(shared_cluster, f"{client}/a") == dict.fromkeys(old.servers, b"old")
        assert session.find("a").file == old.file
        eventually(lambda: not incoming(shared_cluster) and reserved(shared_cluster) == 0, what="room is free again")
        assert session.backup(path, "a", replication=replication).copies == 2


def test_an_error_in_the_progress_function_stores_nothing(shared_cluster: LocalCluster, make_file: Callable) -> None:
    def stop(done: int, total: int) -> None:
        raise ValueError("the person pressed cancel")

    with shared_cluster.connect("cancel") as session:
        with pytest.raises(ValueError, match="cancel"):
            session.backup(make_file("a", 3 * MEBIBYTE), "a", progress=stop)
        assert list(session.list_files("cancel")) == []
        assert session.backup(make_file("a", 3 * MEBIBYTE), "a").copies == 2


# ---- time, ports, folders


def test_a_paused_server_answers_again_when_it_is_resumed(
    start_cluster: Callable[..., LocalCluster], make_file: Callable
) -> None:
    cluster = start_cluster(servers=2)
    with cluster.connect("ann") as session:
        session.backup(make_file("a"), "a")
        cluster.pause("server1")
        assert cluster.state("server1") == "paused"
        cluster.resume("server1")
        assert cluster.state("server1") == "running"
        assert session.backup(make_file("b"), "b").copies == 2 and session.verify("a") == {
            "server1": True,
            "server2": True,
        }


def test_a_restarted_part_has_its_port_again(start_cluster: Callable[..., LocalCluster], make_file: Callable) -> None:
    cluster = start_cluster(servers=1, replicas=1)
    before = dict(cluster.addresses)
    with cluster.connect("ann") as session:
        session.backup(make_file("a"))
        for part in ("manager", "server1", "manager"):
            cluster.restart(part)
            assert cluster.addresses == before
        assert session.verify("a") == {"server1": True}


def test_a_port_in_use_is_told_at_once(start_cluster: Callable[..., LocalCluster]) -> None:
    cluster = start_cluster(servers=1)
    port = cluster.addresses["server1"][1]
    cluster.kill("server1")
    with socket.create_server(("127.0.0.1", port), backlog=1), pytest.raises(PortInUse, match=f"port {port}"):
        cluster.restart("server1")
    cluster.restart("server1")


def test_a_folder_that_cannot_be_written_is_told(
    start_cluster: Callable[..., LocalCluster], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "data/servers").mkdir(parents=True)
    (tmp_path / "data/servers/server2").write_text("a file in the way")
    with pytest.raises(RpclabError, match=r"server2 ended with exit status 1.*\n.*FolderNotUsable"):
        start_cluster(data=tmp_path / "data")
    with pytest.raises(RpclabError, match=r"server2.*choose another data folder"):
        start_cluster(data=tmp_path / "data/servers/server2")


def test_a_full_disk_is_told_and_nothing_is_lost(
    small_disk: pathlib.Path, start_cluster: Callable[..., LocalCluster], make_file: Callable, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "data/servers").mkdir(parents=True)
    (tmp_path / "data/servers/server1").symlink_to(small_disk)
    cluster = start_cluster(servers=1, replicas=1)
    kept, names = make_file("kept", MEBIBYTE), []
    with cluster.connect("ann") as session:
        session.backup(kept, "kept")
        with pytest.raises(StorageError, match="bytes free"):
            session.backup(make_file("huge", 9 * MEBIBYTE), "huge")
        (small_disk / "somebody's").write_bytes(bytes(small_disk_left(small_disk) - 40_000))
        with pytest.raises(StorageError, match="bytes free"):
            session.backup(make_file("a", 100_000), "a")
        (small_disk / "somebody's").unlink()
        with pytest.raises(StorageError, match="disk is full"):
            session.backup(make_file("b", 5 * MEBIBYTE), "b", progress=lambda done, total: fill(small_disk))
        (small_disk / "filled").unlink()
        names = [each.file.name for each in session.list_files()]
        assert names == ["kept"] and session.verify("kept") == {"server1": True}
        assert session.backup(make_file("b", 3 * MEBIBYTE), "b").copies == 1
    cluster.restart("server1")
    assert cluster.stored_bytes() == {"server1": 4 * MEBIBYTE}


def small_disk_left(folder: pathlib.Path) -> int:
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def fill(folder: pathlib.Path) -> None:
    with open(folder / "filled", "ab", buffering=0) as file:
        while left := small_disk_left(folder):
            file.write(bytes(left))


def test_an_event_log_on_a_full_disk_ends_and_its_nodes_go_on(
    small_disk: pathlib.Path, start_cluster: Callable[..., LocalCluster], make_file: Callable, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/runs").symlink_to(small_disk)
    cluster = start_cluster(servers=2, judged=False)  # its logs end in the middle
    fill(small_disk)
    path, deep = make_file("a", b"1"), "/".join(["d" * 200] * 4)  # a name that fills a log of 1 MiB soon
    with cluster.connect("ann") as session:
        for number in range(250):
            session.backup(path, f"{deep}/{number}")
        assert len(list(session.list_files())) == 250
    stored = [event for event in cluster.history if event.kind == "stored"]
    assert 0 < len(stored) < 500  # what was written before is still read


def test_a_file_that_was_sent_whole_is_never_said_not_to_be_stored_when_its_server_dies_before_the_answer(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, copies: Callable, eventually: Callable
) -> None:
    cluster = start_cluster(servers=2)
    with cluster.connect("ann") as client:
        fuller = client.backup(make_file("a", 5000), "a", replicas=1).servers[0]
        (primary,) = set(cluster.servers) - {fuller}
        cluster.pause(fuller)  # the primary waits for it once it has stored the file
        with ThreadPoolExecutor(1) as pool:
            backup = pool.submit(client.backup, make_file("b", 1000), "b")
            eventually(lambda: primary in copies(cluster, "ann/b"), what="the primary stores it")
            cluster.kill(primary)
            cluster.kill(fuller)
            with pytest.raises(ConnectionLost, match=f"{primary} may have stored it") as caught:
                backup.result(60)
        assert not caught.value.definite and list(copies(cluster, "ann/b")) == [primary]
        cluster.restart(primary)
        assert client.find("b").servers[0].node == primary
