"""Servers that die, hang, come back or rot, as real processes: what is missing is made anew, what is too many goes."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.errors import NoSuchFile, TooFewCopies
from rpclab.study.measures import traffic

QUICK = {"heartbeat_s": 0.1, "dead_s": 0.6}


def kinds(cluster: LocalCluster, *kinds: str) -> list[tuple[str, str]]:
    return [(event.kind, event.peer) for event in cluster.history.of(*kinds)]


def test_a_killed_server_s_files_are_copied_anew_from_those_that_are_left(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, copies: Callable, eventually: Callable
) -> None:
    cluster = start_cluster(servers=4, **QUICK)
    with cluster.connect("ann") as client:
        holders = {f"{number}": set(client.backup(make_file("a", 5000), f"{number}").servers) for number in range(12)}
        cluster.kill("server1")
        lost = {name for name, servers in holders.items() if "server1" in servers}
        assert lost

        def whole() -> bool:
            return all(len(set(copies(cluster, f"ann/{name}")) - {"server1"}) == 2 for name in holders)

        eventually(whole, what="two living copies of each file")
        eventually(lambda: cluster.upkeep()["waiting"] == 0 and not cluster.upkeep()["running"])
        assert cluster.upkeep()["copied"] == len(lost)
        assert traffic(cluster.history).total("repair") == 5000 * len(lost)
        repaired = {event.file.partition("/")[2] for event in cluster.history.of("repaired")}
        assert repaired == lost
        assert all(len(client.find(name).servers) == 2 for name in holders)


def test_a_server_that_hangs_is_suspected_then_dead_and_welcome_when_it_goes_on(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, copies: Callable, eventually: Callable
) -> None:
    cluster = start_cluster(**QUICK)
    with cluster.connect("ann") as client:
        receipt = client.backup(make_file("a", 5000), "a")
        hung, left = receipt.servers
        cluster.pause(hung)
        eventually(
            lambda: hung not in {server.node for server in client.list_servers()}, what="the hung server is dead"
        )
        assert kinds(cluster, "suspected", "gone") == [("suspected", hung), ("gone", hung)]
        gone = cluster.history.of("gone")[0]
        assert "silent for" in gone.detail["reason"]
        eventually(lambda: len(client.find("a").servers) == 2, what="a new copy")
        assert {server.node for server in client.find("a").servers} == {
            left,
            ({"server1", "server2", "server3"} - {hung, left}).pop(),
        }
        cluster.resume(hung)
        eventually(lambda: hung in {server.node for server in client.list_servers()}, what="it registers again")
        eventually(lambda: len(copies(cluster, "ann/a")) == 2, what="the third copy goes")
        eventually(lambda: cluster.history.of("dropped"), what="its event")
        dropped = cluster.history.of("dropped")[0]
        verified = [
            event
            for event in cluster.history.of("receive")
            if event.method == "verifyFile" and event.message == "request"
        ]
        assert len(verified) >= 2 and all(event.time < dropped.time for event in verified[:2])
        assert all(client.verify("a").values())


def test_a_suspected_server_is_not_chosen_while_there_is_another(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, eventually: Callable
) -> None:
    cluster = start_cluster(replicas=1, heartbeat_s=0.2, dead_s=60)
    cluster.pause("server1")
    eventually(lambda: cluster.upkeep()["suspected"] == ["server1"], what="suspicion")
    with cluster.connect("ann") as client:
        for number in range(4):
            assert client.backup(make_file("a", 100), f"{number}").servers != ["server1"]
    cluster.resume("server1")
    eventually(lambda: cluster.upkeep()["suspected"] == [], what="trust")
    assert kinds(cluster, "suspected", "trusted", "gone") == [("suspected", "server1"), ("trusted", "server1")]


def test_a_restart_in_time_starts_no_copies(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, eventually: Callable
) -> None:
    cluster = start_cluster(heartbeat_s=0.1, dead_s=3)
    with cluster.connect("ann") as client:
        holder = client.backup(make_file("a", 5000), "a").servers[0]
        eventually(lambda: not cluster.upkeep()["safe_mode"])
        cluster.kill(holder)
        cluster.restart(holder)
        client.backup(make_file("b", 10), "b")
        eventually(lambda: cluster.upkeep()["waiting"] == 0)
    cluster.stop()
    assert not cluster.history.of("repairing")


def test_a_fresh_manager_repairs_and_removes_nothing_before_it_knows_its_servers(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, copies: Callable, eventually: Callable
) -> None:
    cluster = start_cluster(heartbeat_s=0.1, dead_s=2.0)
    with cluster.connect("ann") as client:
        away, _ = client.backup(make_file("a", 5000), "a").servers
        eventually(lambda: not cluster.upkeep()["safe_mode"])
        cluster.kill("manager")
        cluster.kill(away)
        cluster.restart("manager")
        assert cluster.upkeep()["safe_mode"]
        eventually(lambda: len(client.find("a").servers) == 2, what="repair after safe mode")
        assert len(copies(cluster, "ann/a")) == 3
    started, ended, repaired = (
        [e for e in cluster.history.of("safe-mode") if e.detail["on"]][-1],
        [e for e in cluster.history.of("safe-mode") if not e.detail["on"]][-1],
        cluster.history.of("repairing")[0],
    )
    assert started.time < ended.time < repaired.time
    assert ended.time - started.time >= 2.0


def test_a_damaged_copy_is_put_aside_and_made_anew(
    start_cluster: Callable[..., LocalCluster],
    make_file: Callable,
    copies: Callable,
    tmp_path: pathlib.Path,
    eventually: Callable,
) -> None:
    cluster = start_cluster(servers=2, **QUICK)
    with cluster.connect("ann") as client:
        path = make_file("a", 50_000)
        holder = client.backup(path, "photos/a").servers[0]
        version = client.find("photos/a").file.version
        cluster.damage(holder, "ann/photos/a")
        assert client.verify("photos/a") == {"server1": holder != "server1", "server2": holder != "server2"}
        aside = cluster.data / "servers" / holder / "Quarantine" / "ann" / "photos" / "a" / str(version)
        assert aside.is_file() and aside.read_bytes() != path.read_bytes()
        eventually(lambda: client.verify("photos/a") == {"server1": True, "server2": True}, what="a new copy")
        assert copies(cluster, "ann/photos/a") == {"server1": path.read_bytes(), "server2": path.read_bytes()}
        assert pathlib.Path(client.restore("photos/a", tmp_path / "back").path).read_bytes() == path.read_bytes()
    assert kinds(cluster, "damaged") == [("damaged", holder)]


def test_the_scrub_finds_damage_that_nobody_reads(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, copies: Callable, eventually: Callable
) -> None:
    cluster = start_cluster(servers=2, scrub_round_s=0.2, **QUICK)
    with cluster.connect("ann") as client:
        path = make_file("a", 50_000)
        holder = client.backup(path, "a").servers[0]
        cluster.damage(holder, "ann/a")
        eventually(lambda: cluster.history.of("quarantined"), what="the scrub finds it")
        eventually(lambda: copies(cluster, "ann/a") == {"server1": path.read_bytes(), "server2": path.read_bytes()})


def test_what_was_deleted_while_a_server_was_away_is_removed_from_it_when_it_is_back(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, copies: Callable, eventually: Callable
) -> None:
    cluster = start_cluster(**QUICK)
    with cluster.connect("ann") as client:
        away, _ = client.backup(make_file("a", 5000), "a").servers
        cluster.kill(away)
        client.delete("a")
        assert set(copies(cluster, "ann/a")) == {away}
        cluster.restart(away)
        eventually(lambda: copies(cluster, "ann/a") == {}, what="its copy is removed too")
        eventually(lambda: not any(cluster.stored_bytes().values()), what="the manager has heard of it")
        with pytest.raises(NoSuchFile):
            client.find("a")


def test_a_backup_with_too_few_copies_is_completed_once_a_server_comes(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, eventually: Callable
) -> None:
    cluster = start_cluster(servers=2, **QUICK)
    with cluster.connect("ann") as client:
        cluster.kill("server2")
        with pytest.raises(TooFewCopies):
            client.backup(make_file("a", 5000), "a")
        eventually(lambda: cluster.upkeep()["stuck"] == 1, what="it is known to be short of a copy")
        cluster.restart("server2")
        eventually(lambda: len(client.find("a").servers) == 2, what="the second copy")


def test_repairs_are_held_back_to_their_rate_and_show_progress(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, eventually: Callable
) -> None:
    cluster = start_cluster(**QUICK, repair_bytes_s=8 << 20)  # 2 MiB a second for each of 4
    with cluster.connect("ann") as client:
        holder = client.backup(make_file("a", 4 << 20), "a").servers[0]
        cluster.kill(holder)
        eventually(lambda: cluster.upkeep()["running"], what="a repair is seen to run")
        assert cluster.upkeep()["running"][0]["file"] == "ann/a"
        eventually(lambda: cluster.upkeep()["copied"] == 1, what="the repair")
    began, ended = cluster.history.of("repairing")[0], cluster.history.of("repaired")[0]
    assert ended.time - began.time > 1.4


@pytest.mark.parametrize("which", ["from", "to"])
def test_nobody_waits_for_a_server_that_hangs_in_the_middle_of_a_repair(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, copies: Callable, eventually: Callable, which: str
) -> None:
    cluster = start_cluster(servers=5, replicas=3, **QUICK, repair_bytes_s=8 << 20)
    with cluster.connect("ann") as client:
        path = make_file("a", 4 << 20)
        killed = client.backup(path, "a").servers[0]
        cluster.kill(killed)
        eventually(lambda: cluster.upkeep()["running"], what="a repair is seen to run")
        hung = cluster.upkeep()["running"][0][which]
        cluster.pause(hung)
        eventually(lambda: len(set(copies(cluster, "ann/a")) - {killed, hung}) == 3, what="three copies elsewhere")
        cluster.resume(hung)
        eventually(lambda: len(client.list_servers()) == 4, what="it is back")


def test_a_file_in_a_folder_that_was_a_file_is_overwritten_while_an_old_copy_of_that_is_back(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, eventually: Callable
) -> None:
    cluster = start_cluster(heartbeat_s=0.1, dead_s=30)  # so nothing is removed from the one that is back
    with cluster.connect("ann") as client:
        away = client.backup(make_file("x"), "a").servers[0]
        cluster.kill(away)
        client.delete("a")
        client.backup(make_file("x"), "a/b")
        cluster.restart(away)
        client.backup(make_file("x"), "a/b")


def test_a_server_that_can_store_nothing_is_not_tried_with_one_file_after_the_other(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, eventually: Callable
) -> None:
    cluster = start_cluster(**QUICK)
    with cluster.connect("ann") as client:
        cluster.kill("server3")
        for number in range(40):
            client.backup(make_file("a", 100), f"{number}")
        cluster.restart("server3")
        incoming = cluster.data / "servers" / "server3" / "Incoming"
        incoming.rmdir()
        incoming.write_text("no folder")
        cluster.kill("server1")
        eventually(lambda: cluster.upkeep()["stuck"] == 40, what="all are stuck")
        assert 0 < cluster.upkeep()["failed"] <= 8  # 4 at a time
        incoming.unlink()
        cluster.restart("server3")
        eventually(lambda: cluster.upkeep()["copied"] == 40, what="all are copied")


@pytest.mark.parametrize("replicas", [1, 3])
def test_of_what_the_descriptions_programs_send_there_are_two_copies_and_one_version(
    start_cluster: Callable[..., LocalCluster],
    make_file: Callable,
    disk_bytes: Callable,
    eventually: Callable,
    replicas: int,
) -> None:
    cluster = start_cluster(servers=4, replicas=replicas, document_wire=True, **QUICK)
    with cluster.connect("anybody", wire="document") as program, cluster.connect("ann") as client:
        for size in (1000, 1001, 1002, 1003):
            copied = len(cluster.history.of("replicated"))
            program.backup(make_file("a", size))
            eventually(lambda copied=copied: len(cluster.history.of("replicated")) > copied, what="its second copy")
        with pytest.raises(TooFewCopies):
            client.backup(make_file("b", 0), replicas=5)
        eventually(lambda: cluster.upkeep()["stuck"] == 1, what="all files were looked at")
        eventually(lambda: sum(cluster.stored_bytes().values()) == 2 * 1003, what="two copies are left")
        assert sum(disk_bytes(cluster).values()) == 2 * 1003
        assert cluster.upkeep()["copied"] == cluster.upkeep()["trimmed"] == 0


def test_a_cluster_that_is_not_to_repair_leaves_every_copy_where_it_is(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, eventually: Callable
) -> None:
    cluster = start_cluster(**QUICK, repair=False)
    with cluster.connect("ann") as client:
        holder = client.backup(make_file("a", 5000), "a").servers[0]
        eventually(lambda: not cluster.upkeep()["safe_mode"])
        cluster.kill(holder)
        eventually(lambda: cluster.upkeep()["waiting"] == 1, what="it is known to be short of a copy")
        assert len(client.find("a").servers) == 1
    assert not cluster.history.of("repairing")


def test_balance_moves_copies_until_the_servers_are_even(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, disk_bytes: Callable, eventually: Callable
) -> None:
    cluster = start_cluster(servers=3, heartbeat_s=0.1, dead_s=0.6)
    with cluster.connect("ann") as client:
        cluster.kill("server3")
        for number in range(20):
            client.backup(make_file("a", 10_000), f"{number}", replicas=2)
        cluster.restart("server3")
        eventually(lambda: not cluster.upkeep()["safe_mode"])
        assert disk_bytes(cluster) == {"server1": 200_000, "server2": 200_000, "server3": 0}
        assert client.manager.balance(1.2) is True
        eventually(lambda: cluster.upkeep()["balance"]["over"], what="balance")
        stored = disk_bytes(cluster)
        assert max(stored.values()) <= 1.2 * min(stored.values()) and sum(stored.values()) == 400_000
        assert cluster.stored_bytes() == stored
        assert all(list(client.verify(f"{number}").values()) == [True, True] for number in range(20))


@pytest.mark.parametrize("replication", ["after", "pipeline"])
def test_heartbeats_go_on_while_a_long_transfer_runs(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, replication: str
) -> None:
    cluster = start_cluster(replication=replication, **QUICK)
    with cluster.connect("ann") as client:
        client.backup(make_file("big", 256 << 20), "big")
    assert not cluster.history.of("gone")
