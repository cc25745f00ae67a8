"""What the simulation has found, each as small as it can be shown."""

from __future__ import annotations

from contextlib import suppress

from rpclab import SimCluster
from rpclab.errors import RpclabError


def test_a_file_whose_last_sync_failed_is_counted_by_the_log_too() -> None:
    """It has its name, and lies on the disk, though nobody was promised it."""
    unpromised = 0
    for seed in range(12):
        cluster = SimCluster(seed=seed, servers=1, clients=1, replicas=1)
        client = cluster.clients["client1"]
        client.backup(client.put("first", b"more contents"), "first")
        cluster.fail_syncs("server1", 0.3)
        with suppress(RpclabError):
            client.backup(client.put("a", b"contents"), "a")
        cluster.fail_syncs("server1", 0)
        cluster.stop()
        unpromised += len(cluster.history.of("unpromised"))
        assert cluster.check().valid, (seed, str(cluster.check()))
    assert unpromised
