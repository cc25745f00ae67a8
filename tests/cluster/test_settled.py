"""Waiting for a cluster to settle ends when all is repaired, and says what is left when that takes too long."""

from __future__ import annotations

import pytest

from rpclab import SimCluster
from rpclab.cluster.settled import wait_settled
from rpclab.errors import DeadlineExceeded


def test_it_returns_once_every_file_has_its_copies_again() -> None:
    with SimCluster(seed=3, servers=4, clients=1, dead_s=3) as cluster:
        client = cluster.clients["client1"]
        for number in range(6):
            client.put(f"f{number}", b"x" * 1000)
            client.backup(f"f{number}")
        lost = {location.file.name for location in cluster.files() if "server1" in {s.node for s in location.servers}}
        cluster.kill("server1")
        upkeep = wait_settled(cluster, 60)
        assert lost and upkeep["copied"] == len(lost)
        assert all(len(location.servers) == 2 for location in cluster.files())
        cluster.restart("server1")
        assert any(len(location.servers) == 3 for location in cluster.files())
        assert wait_settled(cluster, 60)["trimmed"] == len(lost)
        assert all(len(location.servers) == 2 for location in cluster.files())


def test_as_many_copies_as_there_are_servers_is_all_that_can_be() -> None:
    with SimCluster(seed=3, servers=2, clients=1, dead_s=3) as cluster:
        client = cluster.clients["client1"]
        client.put("f", b"x")
        client.backup("f")
        cluster.kill("server1")
        wait_settled(cluster, 60)
        assert [len(location.servers) for location in cluster.files()] == [1]


def test_it_says_what_is_left() -> None:
    with SimCluster(seed=3, servers=2, clients=1, dead_s=9) as cluster:
        client = cluster.clients["client1"]
        client.put("f", b"x")
        client.backup("f")
        wait_settled(cluster, 60)
        cluster.kill("server1")
        with pytest.raises(DeadlineExceeded, match=r"not settled within 2 s: .*server1"):
            wait_settled(cluster, 2)


def test_a_server_that_wakes_up_is_waited_for() -> None:
    with SimCluster(seed=3, servers=4, clients=0, dead_s=3) as cluster:
        wait_settled(cluster, 60)
        cluster.pause("server1")
        cluster.sleep(6)
        assert "server1" not in cluster.stored_bytes()
        wait_settled(cluster, 60)  # who is still asleep is not waited for
        cluster.resume("server1")
        wait_settled(cluster, 60)
        assert "server1" in cluster.stored_bytes()
