"""How copies get from one server to the next, with real processes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rpclab.cluster.local import LocalCluster


@pytest.mark.parametrize("replication", ["after", "pipeline"])
def test_the_servers_behind_one_that_is_paused_get_their_copies(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, copies: Callable, replication: str
) -> None:
    """Four servers, so that the third has a copy only as part of the route, and the fourth in place of the second."""
    cluster = start_cluster(servers=4, replicas=3, replication=replication)
    cluster.pause("server2")
    with cluster.connect("ann") as session:
        receipt = session.backup(make_file("a", 100_000), "a")
    assert receipt.servers == ["server1", "server3", "server4"]
    assert any(problem.startswith("server2: ") for problem in receipt.problems)
    assert set(copies(cluster, "ann/a")) == {"server1", "server3", "server4"}
