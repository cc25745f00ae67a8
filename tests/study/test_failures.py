"""What followed from each kill and pause is read from the event log."""

from __future__ import annotations

import pytest

from rpclab import SimCluster
from rpclab.cluster.settled import wait_settled
from rpclab.study.failures import failures
from rpclab.study.history import History
from rpclab.trace import Event


@pytest.fixture
def history() -> History:
    """Server 1 is killed, replaced, back; server 2 pauses for a while; server 3 pauses until it is given up; the end is clean."""
    with SimCluster(seed=5, servers=4, clients=1, dead_s=4) as cluster:
        client = cluster.clients["client1"]
        for number in range(8):
            client.put(f"f{number}", b"x" * 1000)
            client.backup(f"f{number}")
        cluster.kill("server1")
        wait_settled(cluster, 60)
        cluster.restart("server1")
        wait_settled(cluster, 60)
        cluster.pause("server2")
        cluster.sleep(3)
        cluster.resume("server2")
        wait_settled(cluster, 60)
        cluster.pause("server3")
        cluster.sleep(8)
        cluster.resume("server3")
        wait_settled(cluster, 60)
    return cluster.history


def test_each_failure_tells_its_own_story(history: History) -> None:
    killed, short, long = failures(history)
    assert (killed.server, killed.what) == ("server1", "killed")
    assert killed.gone_s == pytest.approx(0, abs=0.1) and killed.suspected_s is None
    assert killed.repaired_s is not None and 3.5 < killed.repaired_s < 8 and killed.copies > 0
    assert killed.back_s is not None and killed.back_s > killed.repaired_s
    assert (short.server, short.gone_s, short.copies) == ("server2", None, 0)
    assert short.suspected_s is not None and 1 < short.suspected_s < 3
    assert short.back_s is not None and 3 <= short.back_s < 4.5
    assert long.suspected_s is not None and long.gone_s is not None and long.repaired_s is not None
    assert 3 < long.gone_s < 5 and long.gone_s < long.repaired_s < 8 and long.copies > 0
    assert long.back_s is not None and long.back_s > 8


def test_they_read_as_sentences(history: History) -> None:
    killed, short, _ = map(str, failures(history))
    assert killed.startswith("server1 killed at ") and "copies made anew after" in killed
    assert "given up" not in short and "back after" in short


def test_without_a_fault_there_is_none() -> None:
    with SimCluster(seed=5, servers=2, clients=0) as cluster:
        cluster.kill("manager")
    assert failures(cluster.history) == []


def test_a_kill_that_the_manager_saw_before_it_was_noted_was_seen_at_once() -> None:
    """On a real cluster the end of a connection travels faster than the notebook's own note."""
    happened = [
        (1.0, "manager", "registered", "server1"),
        (2.00, "manager", "gone", "server1"),
        (2.01, "cluster", "killed", "server1"),
        (5.01, "manager", "registered", "server1"),
        (9.0, "manager", "gone", "server1"),
    ]
    (failure,) = failures(
        History(
            Event(time, node, number, number, kind, peer=peer)
            for number, (time, node, kind, peer) in enumerate(happened)
        )
    )
    assert (failure.gone_s, failure.back_s) == (0.0, pytest.approx(3.0))
