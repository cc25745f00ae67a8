"""A detector and a plan of somebody's own decide in place of ours, and what they raise is told and harms nothing."""

from __future__ import annotations

from typing import Any

from rpclab import SimCluster


class Believer:
    """Nobody is ever dead."""

    def __init__(self, suspect_s: float, dead_s: float) -> None:
        self.servers: set[str] = set()

    def heard(self, server: str, now: float) -> None:
        self.servers.add(server)

    def forget(self, server: str) -> None:
        self.servers.discard(server)

    def look(self, now: float) -> Any:
        return dict.fromkeys(self.servers, "alive")


class Blind(Believer):
    def look(self, now: float) -> Any:
        raise ValueError("cannot see")


def no_plan(files: Any, servers: Any, wanted: int) -> list[Any]:
    return []


def broken_plan(files: Any, servers: Any, wanted: int) -> list[Any]:
    raise ValueError("no idea")


def last_plan(files: Any, servers: Any, wanted: int) -> list[Any]:
    """To the last server by name, which ours, at these sizes, would not choose."""
    return [(file, held[0], max(server for server in servers if server not in held)) for file, held in files.items()]


def cluster_of(**own: Any) -> SimCluster:
    cluster = SimCluster(seed=7, servers=4, clients=1, replicas=2, dead_s=6, **own)
    cluster.clients["client1"].put("a", bytes(1000))
    cluster.clients["client1"].backup("a")
    cluster.sleep(8)
    return cluster


def silence(cluster: SimCluster) -> str:
    """The first holder is silent for long; returns its name."""
    holder = cluster.files()[0].servers[0].node
    cluster.pause(holder)
    cluster.sleep(25)
    return holder


def test_whom_their_detector_does_not_call_dead_is_not_gone() -> None:
    for detector, gone in ((None, True), (Believer, False)):
        with cluster_of(**({} if detector is None else {"detector": detector})) as cluster:
            silent = silence(cluster)
            assert any(event.peer == silent for event in cluster.history.of("gone")) is gone
            assert bool(cluster.history.of("suspected")) is gone


def test_a_detector_that_raises_is_told_of_and_blames_nobody() -> None:
    with cluster_of(detector=Blind) as cluster:
        silence(cluster)
        assert not cluster.history.of("gone")
        assert "the detector's look raised ValueError: cannot see" in cluster.log("manager")


def test_the_copy_is_made_where_their_plan_says() -> None:
    with cluster_of(plan_repair=last_plan) as cluster:
        held = [server.node for server in cluster.files()[0].servers]
        target = max(server for server in cluster.servers if server not in held)
        silence(cluster)
        assert [event.peer for event in cluster.history.of("repaired")] == [target]


def test_without_a_plan_nothing_is_copied_and_the_upkeep_says_why() -> None:
    for plan, said in ((no_plan, "has no copy for client1/a"), (broken_plan, "raised ValueError: no idea")):
        with cluster_of(plan_repair=plan) as cluster:
            silence(cluster)
            assert not cluster.history.of("repaired")
            assert said in cluster.upkeep()["problem"]
