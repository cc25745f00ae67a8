"""Earlier versions of a file: kept, listed, restored, pruned, and made anew with the newest when a server dies."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest

from rpclab.client.session import Client
from rpclab.cluster.local import LocalCluster
from rpclab.errors import NoSuchFile, UsageError


def back_up(client: Client, make_file: Callable, *contents: bytes) -> list[int]:
    return [client.backup(make_file("a", each), "a").file.version for each in contents]


def restored(client: Client, tmp_path: pathlib.Path, version: int | None = None) -> bytes:
    return pathlib.Path(client.restore("a", str(tmp_path / "back"), version=version).path).read_bytes()


def test_every_version_comes_back_and_the_newest_under_its_plain_name(
    shared_cluster: LocalCluster, make_file: Callable, copies: Callable, tmp_path: pathlib.Path
) -> None:
    with shared_cluster.connect("every") as client:
        versions = back_up(client, make_file, b"one", b"two two", b"three")
        listed = client.versions("a")
        assert [location.file.version for location in listed] == versions[::-1]
        assert [location.file.size for location in listed] == [5, 7, 3]
        assert all(len(location.servers) == 2 for location in listed)
        assert listed[0].file.saved >= listed[-1].file.saved > 1e9
        assert [restored(client, tmp_path, version) for version in versions] == [b"one", b"two two", b"three"]
        assert restored(client, tmp_path) == b"three"
        assert set(copies(shared_cluster, "every/a").values()) == {b"three"}
        earlier = shared_cluster.data / "servers" / listed[0].servers[0].node / "Versions/every/a"
        assert sorted(path.read_bytes() for path in earlier.iterdir()) == [b"one", b"two two"]
        assert client.find("a", version=versions[0]).file.size == 3
        assert all(client.verify("a", version=versions[1]).values())
        assert [location.file.version for location in client.list_files("every")] == versions[-1:]


def test_the_sixth_version_makes_the_first_one_go(
    shared_cluster: LocalCluster, make_file: Callable, disk_bytes: Callable, tmp_path: pathlib.Path
) -> None:
    with shared_cluster.connect("sixth") as client:
        versions = back_up(client, make_file, *(b"%d" % number for number in range(7)))
        assert [location.file.version for location in client.versions("a")] == versions[:1:-1]
        with pytest.raises(NoSuchFile):
            client.restore("a", str(tmp_path), version=versions[1])
        assert restored(client, tmp_path, versions[2]) == b"2"
        assert shared_cluster.stored_bytes() == disk_bytes(shared_cluster)


def test_versions_are_pruned_to_the_newest(
    shared_cluster: LocalCluster, make_file: Callable, tmp_path: pathlib.Path
) -> None:
    with shared_cluster.connect("prune") as client:
        versions = back_up(client, make_file, b"1", b"2", b"3", b"4")
        assert len(client.prune("a", 2)) == 2
        assert [location.file.version for location in client.versions("a")] == versions[:1:-1]
        assert client.prune("a", 2) == [] and client.prune("a", 9) == []
        assert restored(client, tmp_path) == b"4" and restored(client, tmp_path, versions[2]) == b"3"
        with pytest.raises(UsageError, match="at least one version stays"):
            client.prune("a", 0)
        with pytest.raises(NoSuchFile):
            client.prune("no such file", 1)


def test_a_delete_takes_all_versions_and_the_next_backup_begins_anew(
    shared_cluster: LocalCluster, make_file: Callable
) -> None:
    with shared_cluster.connect("delete") as client:
        back_up(client, make_file, b"1", b"2")
        assert len(client.delete("a")) == 2
        with pytest.raises(NoSuchFile):
            client.versions("a")
        (version,) = back_up(client, make_file, b"3")
        assert [location.file.version for location in client.versions("a")] == [version]


def test_versions_outlive_a_restart_of_everything(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, tmp_path: pathlib.Path
) -> None:
    cluster = start_cluster(keep=3)
    with cluster.connect("ann") as client:
        versions = back_up(client, make_file, b"1", b"22", b"333", b"4444")
        before = client.versions("a")
        for node in (*cluster.servers, "manager"):
            cluster.kill(node)
        for node in ("manager", *cluster.servers):
            cluster.restart(node)
        assert client.versions("a") == before and len(before) == 3
        assert [restored(client, tmp_path, version) for version in versions[1:]] == [b"22", b"333", b"4444"]
        assert back_up(client, make_file, b"5")[0] > versions[-1]


def test_repair_copies_earlier_versions_too(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, tmp_path: pathlib.Path, eventually: Callable
) -> None:
    cluster = start_cluster(heartbeat_s=0.1, dead_s=0.6)
    with cluster.connect("ann") as client:
        versions = back_up(client, make_file, b"1", b"22", b"333")
        first, second = (server.node for server in client.find("a").servers)
        for gone in (first, second):
            cluster.kill(gone)
            eventually(lambda: all(len(each.servers) == 2 for each in client.versions("a")), what="two copies of each")
            cluster.restart(gone)
        assert [restored(client, tmp_path, version) for version in versions] == [b"1", b"22", b"333"]


def test_each_client_process_can_do_the_same(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, tmp_path: pathlib.Path
) -> None:
    cluster = start_cluster(clients=1)
    client = cluster.clients["client1"]
    versions = [client.backup(make_file("a", b"%d" % number), "a").file.version for number in range(3)]
    assert [location.file.version for location in client.versions("a")] == versions[::-1]
    path = client.restore("a", tmp_path / "back", version=versions[0]).path
    assert pathlib.Path(path).read_bytes() == b"0"
    assert len(client.prune("a", 1)) == 2 and len(client.versions("a")) == 1
    assert client.find("a").file.version == versions[-1]
