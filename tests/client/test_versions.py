"""What counts as a file's newest version, when servers and managers come and go."""

from __future__ import annotations

import pathlib
import socket
import threading
from collections.abc import Callable

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.errors import NameCollision, NoSuchFile


def test_a_dead_server_s_old_copy_does_not_beat_a_backup_made_since_by_another_manager(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, tmp_path: pathlib.Path, eventually: Callable
) -> None:
    cluster = start_cluster(replicas=1)
    with cluster.connect("ann") as client:
        for number in range(5):
            receipt = client.backup(make_file("a", b"old %d" % number), "a")
        holder = receipt.servers[0]
        cluster.kill(holder)
        cluster.kill("manager")
        cluster.restart("manager")
        assert client.backup(make_file("a", b"new"), "a").file.version > receipt.file.version
        cluster.restart(holder)
        assert pathlib.Path(client.restore("a", tmp_path / "back").path).read_bytes() == b"new"
        assert [location.file.size for location in client.list_files()] == [3]


@pytest.mark.parametrize("manager_too", [False, True])
def test_a_deleted_file_stays_deleted_when_a_holder_that_was_away_comes_back(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, tmp_path: pathlib.Path, manager_too: bool
) -> None:
    cluster = start_cluster()
    with cluster.connect("ann") as client:
        away, there = client.backup(make_file("a"), "a").servers
        cluster.kill(away)
        assert client.delete("a") == [there]
        if manager_too:
            cluster.kill("manager")
            cluster.restart("manager")
        cluster.restart(away)
        assert list(client.list_files()) == []
        with pytest.raises(NoSuchFile):
            client.restore("a", tmp_path / "back")
        with pytest.raises(NoSuchFile):
            client.delete("a")
        client.backup(make_file("a", b"again"), "a")
        assert pathlib.Path(client.restore("a", tmp_path / "back").path).read_bytes() == b"again"
        assert all(client.verify("a").values())


def test_a_copy_that_is_still_on_its_way_does_not_bring_a_deleted_file_back(
    start_cluster: Callable[..., LocalCluster], make_file: Callable
) -> None:
    cluster = start_cluster(acknowledge="primary")
    with cluster.connect("ann") as client:
        for number in range(20):
            client.backup(make_file("a", 1000), f"{number}")
            client.delete(f"{number}")
        assert list(client.list_files()) == []
    cluster.stop()  # waits for what is under way
    left = [path for path in (cluster.data / "servers").glob("*/Backups/*/*") if path.is_file()]
    assert left == []


def test_names_that_hide_one_another_are_refused_whichever_servers_they_would_go_to(
    start_cluster: Callable[..., LocalCluster], make_file: Callable
) -> None:
    cluster = start_cluster(replicas=1)
    with cluster.connect("ann") as client:
        client.backup(make_file("a"), "A.txt")
        client.backup(make_file("a"), "q")
        for name in ("a.txt", "q/w"):
            with pytest.raises(NameCollision):
                client.backup(make_file("a"), name)
        client.delete("q")
        client.backup(make_file("a"), "q/w")
        with pytest.raises(NameCollision):
            client.backup(make_file("a"), "q")


def test_a_file_of_the_document_s_wire_replaces_older_ones_on_other_servers(
    start_cluster: Callable[..., LocalCluster], tmp_path: pathlib.Path
) -> None:
    cluster = start_cluster(document_wire=True, replicas=1)

    def send(server: str, contents: bytes) -> None:
        with socket.create_connection(cluster.addresses[server], timeout=10) as sock:
            sock.sendall(b'["sendFilename", ["a"], "backup"]')
            assert sock.recv(65536) == b'"Filename received."'
            sock.sendall(contents + b"EOF")
            assert sock.recv(65536) == b'"File received successfully!"'

    for number in range(3):
        send("server1", b"old %d" % number)
    send("server3", b"newest")
    with cluster.connect("ann") as client:
        restored = client.restore("a", tmp_path / "back", client="document")
        assert pathlib.Path(restored.path).read_bytes() == b"newest" and restored.server == "server3"


@pytest.mark.parametrize("number", range(5))
def test_a_fresh_manager_does_not_take_an_old_version_for_the_newest(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, tmp_path: pathlib.Path, number: int
) -> None:
    cluster = start_cluster(replicas=1, repair=False)
    with cluster.connect("ann") as client:
        first = client.backup(make_file("a", b"old"), "a").servers[0]
        cluster.kill(first)
        client.backup(make_file("a", b"new"), "a")
        cluster.restart(first)
        for server in cluster.servers:  # the old one's comes first, as it would with a larger inventory elsewhere
            if server != first:
                cluster.pause(server)
        cluster.kill("manager")
        threading.Timer(0.5, lambda: [cluster.resume(server) for server in cluster.servers if server != first]).start()
        cluster.restart("manager")
        assert pathlib.Path(client.restore("a", tmp_path / "back").path).read_bytes() == b"new"
