"""How copies get from one server to the next, with real processes and in simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.cluster.simulated import SimCluster
from rpclab.errors import TooFewCopies
from rpclab.study.report import Verdict


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


@pytest.mark.parametrize(("servers", "held"), [(3, ["server1", "server2"]), (4, ["server1", "server2", "server4"])])
def test_a_pipeline_that_breaks_in_its_middle_counts_no_server_twice(servers: int, held: list[str]) -> None:
    def by_name(servers: list[Any], request: Any, random: Any) -> Any:
        return min(servers, key=lambda server: server.node)

    with SimCluster(
        seed=1, servers=servers, clients=1, replicas=3, replication="pipeline", placement=by_name
    ) as cluster:
        ann = cluster.clients["client1"]
        ann.put("a", bytes(200_000))
        cluster.fill("server3")  # so server2 cannot send it on, and server1 is before server2
        try:
            receipt = ann.backup("a")
        except TooFewCopies as error:
            receipt = error.receipt
        assert receipt.servers == held
        assert receipt.complete is (len(held) == 3)
    assert not cluster.check().named(Verdict.INVALID)


def test_what_was_sent_is_what_is_said_to_be_replicated() -> None:
    """The middle server of a pipeline kept only a later version; the last one has what was sent (seed 30172)."""
    overtaken = 0
    for seed in range(6):
        with SimCluster(seed=seed, servers=3, clients=1, replicas=3, keep=1, dead_s=60) as cluster:
            client = cluster.clients["client1"]
            last = client.backup(client.put("a", b"first")).servers[2]
            cluster.pause(last)
            sent = [
                client.backup(client.put("a", contents), replication=replication, acknowledge="primary")
                for contents, replication in ((b"overtaken", "pipeline"), (b"the last one", "after"))
            ]
            cluster.sleep(0.5)
            cluster.resume(last)
            cluster.sleep(5)
            events = cluster.history.of("replicated", "stored")
        assert cluster.check().valid, str(cluster.check())
        for receipt in sent:
            mine = [event for event in events if event.detail["upload"] == receipt.upload]
            replicated = {event.detail["version"] for event in mine if event.kind == "replicated"}
            assert replicated == {receipt.file.version}
            overtaken += any(event.detail["version"] > receipt.file.version for event in mine if event.kind == "stored")
    assert overtaken
