"""`cluster.backup_all()`: everything at once, with nothing short or missing passed over in silence."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.errors import NoSuchFile, UsageError


def put(data: pathlib.Path, name: str, contents: bytes) -> None:
    path = data / "clients/client1/Files" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents)


def test_files_with_fewer_copies_than_wanted_are_stored_and_warned_of(
    start_cluster: Callable[..., LocalCluster], tmp_path: pathlib.Path
) -> None:
    put(tmp_path / "data", "a.txt", b"hello")
    cluster = start_cluster(servers=2, clients=1, replicas=3)
    with pytest.warns(UserWarning, match=r"1 of 1 files have fewer copies .*'a.txt' has 2 of 3: no other server"):
        receipts = cluster.backup_all(progress=False)
    assert receipts.short == list(receipts) and "1 with fewer copies than wanted" in repr(receipts)
    assert cluster.clients["client1"].restore("a.txt", tmp_path / "back").server in receipts[0].servers


def test_copies_that_are_still_pending_are_shown_as_such(
    start_cluster: Callable[..., LocalCluster], tmp_path: pathlib.Path
) -> None:
    put(tmp_path / "data", "a.txt", b"hello")
    receipts = start_cluster(clients=1, acknowledge="primary").backup_all(progress=False)
    assert (
        not receipts.short and "1 of 2, 1 pending" in repr(receipts) and "1 of 2, 1 pending" in receipts._repr_html_()
    )


def test_clients_without_files_are_told_where_to_put_them(
    start_cluster: Callable[..., LocalCluster], tmp_path: pathlib.Path
) -> None:
    cluster = start_cluster(clients=1)
    with pytest.raises(NoSuchFile, match=str(tmp_path / "data/clients/client1/Files")):
        cluster.backup_all(progress=False)
    with pytest.raises(UsageError, match="there is no client 'client3' in this cluster; there are: client1"):
        cluster.clients["client3"].backup("a.txt")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the disk itself takes them for one name")
@pytest.mark.parametrize("names", [("caf\u00e9.txt", "cafe\u0301.txt"), ("A.txt", "a.txt")])
def test_two_names_that_are_one_on_some_systems_are_refused_by_both_names(
    start_cluster: Callable[..., LocalCluster], tmp_path: pathlib.Path, names: tuple[str, str]
) -> None:
    for name in names:
        put(tmp_path / "data", name, name.encode())
    cluster = start_cluster(servers=1, clients=1, replicas=1)
    with pytest.raises(UsageError) as refused:
        cluster.backup_all(progress=False)
    assert all(ascii(name) in str(refused.value) for name in names) and cluster.files() == []
    assert "2 files" in repr(cluster.clients["client1"])


def test_fresh_empties_the_servers_and_nothing_else(
    start_cluster: Callable[..., LocalCluster], tmp_path: pathlib.Path
) -> None:
    put(tmp_path / "data", "a.txt", b"hello")
    start_cluster(clients=1).backup_all(progress=False)
    again = start_cluster(clients=1)
    assert sum(again.stored_bytes().values()) == 10
    assert sum(start_cluster(clients=1, fresh=True).stored_bytes().values()) == 0
    assert (tmp_path / "data/clients/client1/Files/a.txt").read_bytes() == b"hello"


def test_a_server_s_remote_methods_are_reached_by_its_name(start_cluster: Callable[..., LocalCluster]) -> None:
    cluster = start_cluster(servers=1)
    with cluster.connect("ann") as client:
        assert client.server("server1").string("hi") == "hi"
        assert client.server(cluster.addresses["server1"]).sendPath().endswith("servers/server1")
        with pytest.raises(UsageError, match="there is no server 'server9'; connected are: server1"):
            client.server("server9")


def test_a_client_starts_again_while_the_manager_is_away(
    start_cluster: Callable[..., LocalCluster], tmp_path: pathlib.Path
) -> None:
    put(tmp_path / "data", "a.txt", b"hello")
    cluster = start_cluster(clients=1)
    cluster.kill("manager")
    cluster.restart("client1")
    cluster.restart("manager")
    assert cluster.clients["client1"].is_connected() and cluster.backup_all(progress=False)[0].complete
