"""A backup or a restore that whoever asked for it no longer wants: it ends, and leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest

from rpclab.errors import Cancelled

SIZE = 24 << 20  # more than fits into the buffers between client and server


def stop_in_the_middle(done: int, total: int) -> None:
    if done > total // 4:
        raise Cancelled("no longer wanted")


def incoming(cluster: Any) -> list[Any]:
    return [path for path in (cluster.data / "servers").glob("*/Incoming/*") if path.is_file()]


@pytest.mark.parametrize("where", ["in this process", "in a process of its own"])
def test_a_cancelled_backup_is_stored_nowhere_and_can_be_made_again(
    start_cluster: Any, make_file: Any, copies: Any, eventually: Any, where: str
) -> None:
    cluster = start_cluster(clients=1)
    client = cluster.connect("ann") if where == "in this process" else cluster.clients["client1"]
    source = make_file("large.bin", SIZE)
    cluster.slow(*cluster.servers, bytes_s=SIZE)  # a second, so that whoever is asked hears of it in the middle
    with pytest.raises(Cancelled):
        client.backup(source, progress=stop_in_the_middle)
    cluster.heal()
    eventually(lambda: not incoming(cluster), what="empty Incoming folders")
    assert not copies(cluster, f"{client.name}/large.bin") and cluster.files() == []
    with cluster._looking() as session:
        eventually(lambda: not any(each.reserved_bytes for each in session.list_servers()), what="no reservation")
    events = cluster.history
    assert len([event for event in events if event.kind == "placed"]) == 1  # no other server was tried
    assert client.backup(source).copies == 2
    assert len(copies(cluster, f"{client.name}/large.bin")) == 2


def test_a_cancelled_restore_leaves_no_file(start_cluster: Any, make_file: Any, tmp_path: Any) -> None:
    client = start_cluster().connect("ann")
    client.backup(make_file("large.bin", SIZE))
    with pytest.raises(Cancelled):
        client.restore("large.bin", tmp_path / "back", progress=stop_in_the_middle)
    assert list((tmp_path / "back").iterdir()) == []
    assert client.restore("large.bin", tmp_path / "back").file.size == SIZE


def test_who_hears_of_it_too_late_has_done_it(start_cluster: Any, make_file: Any) -> None:
    def stop_at_the_end(done: int, total: int) -> None:
        if done == total:
            raise Cancelled("too late")

    client = start_cluster(clients=1).clients["client1"]
    assert client.backup(make_file("small.bin", 1000), progress=stop_at_the_end).copies == 2


def test_what_is_copied_for_somebody_who_has_gone_is_stored_nowhere(
    start_cluster: Any, make_file: Any, copies: Any, eventually: Any
) -> None:
    def go_away(done: int, total: int) -> None:
        raise KeyboardInterrupt  # which closes the connection to the client's process

    cluster = start_cluster(clients=1)
    cluster.slow(*cluster.servers, bytes_s=SIZE / 2)
    with pytest.raises(KeyboardInterrupt):
        cluster.clients["client1"].backup(make_file("large.bin", SIZE), progress=go_away)
    eventually(lambda: any("is gone" in event.detail.get("message", "") for event in cluster.history), what="the end")
    eventually(lambda: not incoming(cluster), what="empty Incoming folders")
    assert not copies(cluster, "client1/large.bin")
