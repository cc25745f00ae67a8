"""Clocks that are wrong: each node has its own, nobody relies on another's, and the event log has the world's time."""

from __future__ import annotations

import pytest

from rpclab import SimCluster
from rpclab.errors import DeadlineExceeded, RpclabError, UsageError
from rpclab.world.simulated import SimulatedWorld, Simulation


def world(simulation: Simulation, node: str) -> SimulatedWorld:
    return simulation.world(node, simulation.disk(node))


def test_each_node_has_a_clock_of_its_own_and_keeps_it_over_its_lives() -> None:
    simulation = Simulation(1, drift=0.1)
    one, two, again = world(simulation, "a"), world(simulation, "b"), world(simulation, "a")
    before = one.clock.now(), two.clock.now(), again.clock.now()
    simulation.run(lambda: simulation.scheduler.sleep(100))
    passed = [each.clock.now() - began for each, began in zip((one, two, again), before, strict=True)]
    assert before[0] == before[2] != before[1] and passed[0] == passed[2] != passed[1]
    assert all(90 <= each <= 110 and each != 100 for each in passed)
    exact = simulation.world("c", simulation.disk("c"), exact=True)
    assert exact.clock.now() == simulation.now == 100


@pytest.mark.parametrize("seed", range(20))
def test_what_waits_waits_by_its_own_clock_and_never_too_short(seed: int) -> None:
    simulation = Simulation(seed, drift=0.3)
    one = world(simulation, "a")
    condition = one.tasks.condition()

    def wait() -> list[float]:
        clock, found = one.clock, []
        for seconds in (0.1, 7.0, 1 / 3):
            began = clock.now()
            clock.sleep(seconds)
            found.append(clock.now() - began - seconds)
            with condition:
                began = clock.now()
                condition.wait(seconds)
            found.append(clock.now() - began - seconds)
            deadline = clock.now() + seconds
            with pytest.raises(DeadlineExceeded):
                stream.receive_into(memoryview(bytearray(8)), deadline)
            assert clock.now() >= deadline
            found.append(clock.now() - deadline)
        return found

    listening = one.network.listen(("a", 1))
    stream = simulation.run(lambda: world(simulation, "b").network.connect(("a", 1), None))
    assert stream is not None
    stream = simulation.run(listening.accept)  # type: ignore[assignment]
    found = simulation.run(wait, one.life)
    assert isinstance(found, list) and all(-1e-9 < each < 0.1 for each in found), found


@pytest.mark.parametrize("drift", [0.01, 0.3])
def test_the_roles_are_right_with_clocks_that_are_wrong(drift: float) -> None:
    with SimCluster(seed=2, drift=drift, dead_s=3.0) as cluster:
        client = cluster.clients["client1"]
        client.put("a", b"contents" * 1000)
        first = client.backup("a").servers[0]
        cluster.kill(first)
        cluster.sleep(12)
        assert cluster.upkeep()["copied"] == 1 and first not in cluster.stored_bytes()
        cluster.restart(first)
        cluster.sleep(5)
        assert client.read(client.restore("a").path) == b"contents" * 1000
    assert cluster.check().valid, cluster.check()
    times = [event.time for event in cluster.events.values()]
    assert times == sorted(times) and times[-1] <= cluster.now
    assert [event.lamport for event in cluster.history.by_time() if event.node == "manager"] == sorted(
        event.lamport for event in cluster.history if event.node == "manager"
    )


def test_a_reservation_that_ends_early_by_a_fast_clock_is_no_wrong_placement() -> None:
    """The events have the world's time, the manager its own (seed 32654)."""
    counted = set()
    for seed in range(8):
        with SimCluster(seed=seed, servers=1, clients=2, replicas=1, drift=0.5) as cluster:
            cluster.clients["client1"].manager.placeFile("client1", "promised", 1000, "one")
            cluster.sleep(110)
            cluster.clients["client2"].manager.placeFile("client2", "later", 10, "two")
            counted |= set(cluster.history.of("placed")[-1].detail["decisions"][0]["candidates"].values())
        assert cluster.check().valid, (seed, str(cluster.check()))
    assert counted == {0, 1000}


def test_drift_is_part_of_the_seed_and_of_time_travel() -> None:
    def story(drift: float) -> SimCluster:
        cluster = SimCluster(seed=3, drift=drift)
        cluster.clients["client1"].put("a", b"a")
        cluster.clients["client1"].backup("a")
        return cluster

    told = story(0.05)
    assert told.order.lines == story(0.05).order.lines != story(0.0).order.lines
    with told.at(70) as then:
        assert then.order.lines == told.order.lines[:70]
    assert "drift: 0.05" in repr(told)
    for wrong in (-0.1, 0.6):
        with pytest.raises(UsageError, match="drift="):
            SimCluster(drift=wrong)


def test_a_clock_that_goes_much_too_fast_is_only_impatient() -> None:
    cluster = SimCluster(seed=1, drift=0.5, heartbeat_s=0.2, dead_s=0.5)
    client = cluster.clients["client1"]
    for number in range(10):
        client.put("a", bytes([number]) * 5000)
        try:
            client.backup("a")
        except RpclabError:
            cluster.sleep(1)
    cluster.sleep(5)
    cluster.stop()
    assert cluster.check().valid, cluster.check()
