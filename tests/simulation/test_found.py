"""What the simulation has found, each as small as it can be shown."""

from __future__ import annotations

from contextlib import suppress

import pytest

from rpclab import SimCluster
from rpclab.cluster.simulated_client import SimClient
from rpclab.errors import DeleteIncomplete, NoSuchFile, RpclabError, SyncFailed


def test_a_file_whose_last_sync_failed_is_counted_by_the_log_too() -> None:
    """It has its name, and lies on the disk, though nobody was promised it."""
    unpromised = 0
    for seed in range(12):
        cluster = SimCluster(seed=seed, servers=1, clients=1, replicas=1)
        client = cluster.clients["client1"]
        client.backup(client.put("first", b"more contents"), "first")
        cluster.fail_syncs("server1", 0.3)
        try:
            client.backup(client.put("a", b"contents"), "a")
        except SyncFailed as error:
            assert not error.definite and "server1 may have stored it" in str(
                error
            )  # seed 32224: who is told "no" may read it
        cluster.fail_syncs("server1", 0)
        cluster.stop()
        unpromised += len(cluster.history.of("unpromised"))
        assert cluster.check().valid, (seed, str(cluster.check()))
    assert unpromised


def test_damage_that_is_found_on_a_full_disk_is_put_aside_once_there_is_room() -> None:
    """The journal has no room for the line that says so: the server goes on, and its next scrub does it."""
    cluster = SimCluster(seed=1, servers=2, clients=1, replicas=2)
    client = cluster.clients["client1"]
    client.backup(client.put("a", bytes(5_000)))
    for server in cluster.servers:  # whichever a restore turns to first
        cluster.fill(server)
    cluster.damage("server1", "client1/a")
    assert client.verify("a") == {"server1": False, "server2": True}
    for _ in range(4):
        assert client.read(client.restore("a").path) == bytes(5_000)
    assert cluster.history.of("failed") and not cluster.history.of("quarantined")
    for server in cluster.servers:
        cluster.empty(server)
    cluster.sleep(70)
    assert [event.node for event in cluster.history.of("quarantined")] == ["server1"]
    assert client.verify("a") == {"server1": True, "server2": True}
    cluster.stop()
    assert cluster.check().valid, str(cluster.check())


def test_what_a_version_without_a_promise_replaced_is_told_to_the_manager_and_the_log() -> None:
    """Where one version of a file stays, the new one has the old one's name before the sync fails (seeds 153 and 159)."""
    replaced = 0
    for seed in range(12):
        cluster = SimCluster(seed=seed, servers=1, clients=1, replicas=1, keep=1)
        client = cluster.clients["client1"]
        client.backup(client.put("a", b"before"), "a")
        cluster.fail_syncs("server1", 0.3)
        with suppress(RpclabError):
            client.backup(client.put("a", b"contents"), "a")
        cluster.fail_syncs("server1", 0)
        dropped = [each for event in cluster.history.of("unpromised") for each in event.detail["dropped"]]
        replaced += len(dropped)
        known = [location.file.version for location in client.versions("a")]
        assert not set(known) & set(dropped), (seed, known, dropped)
        client.backup(client.put("a", b"at last"), "a")
        cluster.stop()
        assert cluster.check().valid, (seed, str(cluster.check()))
    assert replaced


def test_after_a_backup_nobody_gets_the_version_before_though_its_server_cannot_reach_the_manager() -> None:
    cluster = SimCluster(seed=1, servers=2, clients=2, replicas=1, dead_s=60)
    client, other = cluster.clients["client1"], cluster.clients["client2"]
    (first,) = client.backup(client.put("a", b"before")).servers
    (second,) = {"server1", "server2"} - {first}
    cluster.sleep(1)
    cluster.fill(first)
    cluster._cut([(second, "manager")])
    assert client.backup(client.put("a", b"after")).servers == [second]
    for reader in (client, other):
        with pytest.raises(NoSuchFile, match="no server that is alive holds the newest version"):
            reader.restore("a", client="client1")
    cluster.heal()
    cluster.sleep(5)
    assert other.read(other.restore("a", client="client1").path) == b"after"
    cluster.stop()
    assert cluster.check().valid, str(cluster.check())


def test_a_delete_that_the_disk_refused_brings_no_file_back_under_a_new_version() -> None:
    """The journal's line was there, the one that takes it back was not, and a clean stop said that all was done (seed 101031)."""
    for seed in range(4):
        cluster = SimCluster(seed=seed, servers=1, clients=1, replicas=1)
        client = cluster.clients["client1"]
        client.backup(client.put("a", b"contents"), "a")
        cluster.fail_syncs("server1", 1.0)
        with pytest.raises(DeleteIncomplete):
            client.delete("a")
        cluster.fail_syncs("server1", 0)
        cluster.restart("server1")
        cluster.sleep(3)
        with pytest.raises(NoSuchFile):
            client.restore("a")
        cluster.stop()
        assert cluster.check().valid, str(cluster.check())


def test_a_report_that_is_given_up_late_does_not_end_a_registration_that_told_it_too() -> None:
    """Its manager had lost its power; the next one knew all when the report's deadline came (seed 105213)."""
    for seed in range(6):
        cluster = SimCluster(seed=seed, servers=1, clients=1, replicas=1)
        client = cluster.clients["client1"]
        client.backup(client.put("a", b"first"), "a")
        client.put("b", bytes(1_000))

        def work(client: SimClient = client) -> None:
            with suppress(RpclabError):
                client.backup("b")

        def cut(cluster: SimCluster = cluster, wait: float = 0.001 + seed * 0.0005) -> None:
            cluster.sleep(wait)
            cluster.cut_power("manager")
            cluster.sleep(0.5)
            cluster.restart("manager")

        cluster.run(work, cut)
        cluster.sleep(15)
        assert not [event for event in cluster.history.of("gone") if event.peer == "server1"], seed
        cluster.stop()
        assert cluster.check().valid, str(cluster.check())


def test_one_client_that_sends_one_file_several_times_at_once_gets_a_valid_run() -> None:
    for seed in range(9):
        keep, replication = (1, 2, 5)[seed % 3], ("after", "pipeline")[seed % 2]
        cluster = SimCluster(seed=seed, servers=3, clients=1, replicas=2, keep=keep, replication=replication)
        client = cluster.clients["client1"]
        names = [client.put(f"{number}", bytes([number]) * (100 + number * 5000)) for number in range(4)]

        def work(first: int, client: SimClient = client, names: list[str] = names) -> None:
            for number in range(4):
                with suppress(RpclabError):  # a later one may be there before it
                    client.backup(names[(first + number) % 4], "same")

        cluster.run(lambda: work(0), lambda: work(1), lambda: work(2))
        cluster.sleep(3)
        cluster.stop()
        assert cluster.check().valid, (seed, str(cluster.check()))
