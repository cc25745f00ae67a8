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


def test_it_says_what_is_left() -> None:
    with SimCluster(seed=3, servers=2, clients=1, dead_s=9) as cluster:
        client = cluster.clients["client1"]
        client.put("f", b"x")
        client.backup("f")
        wait_settled(cluster, 60)
        cluster.kill("server1")
        with pytest.raises(DeadlineExceeded, match=r"not settled within 2 s: .*server1"):
            wait_settled(cluster, 2)
