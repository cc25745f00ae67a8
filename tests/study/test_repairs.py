"""What a run lost and mended, counted: copies missing, under way, done; and the bytes of each file by kind."""

from __future__ import annotations

from typing import Any

import pytest

from rpclab import SimCluster
from rpclab.study.history import History
from rpclab.study.measures import traffic, traffic_by_file
from rpclab.study.repairs import repair_over_time
from rpclab.trace import Event


@pytest.fixture(scope="module")
def run() -> History:
    """Six files with two copies each; one server dies for good and what it held is made anew."""
    with SimCluster(seed=8, servers=4, clients=1, heartbeat_s=0.5, dead_s=2.0) as cluster:
        client = cluster.clients["client1"]
        for number in range(6):
            client.put(f"file{number}", bytes(1000 * (number + 1)))
            client.backup(f"file{number}")
        cluster.kill("server1")
        cluster.sleep(10)
    return cluster.history


def test_what_a_killed_server_held_is_missing_until_it_is_made_anew(run: History) -> None:
    killed = run.of("killed")[0].time - run.start
    held = {event.file for event in run.of("stored") if event.node == "server1"}
    found = repair_over_time(run)
    gone = next(event for event in run.of("gone") if event.peer == "server1").time - run.start
    last = max(event.time for event in run.of("repaired")) - run.start
    assert len(held) >= 2
    assert found.missing.at(killed - 0.001) == 0
    assert found.missing.at(gone) == len(held) == max(found.missing.values)
    assert found.missing.values[-1] == 0
    assert found.missing.at(last) == 0
    assert found.done.values[-1] == len(held)
    assert max(found.under_way.values) >= 1
    assert found.under_way.values[-1] == 0


def test_nothing_is_missing_after_a_delete_or_before_an_acknowledgement() -> None:
    events: list[Event] = []

    def add(node: str, kind: str, **fields: Any) -> None:
        number = len(events) + 1
        detail = {"version": 1} | fields.pop("detail", {})
        events.append(Event(float(number), node, number, number, kind, detail=detail, **fields))

    add("manager", "registered", peer="s1", detail={"stored_bytes": 0})  # 1 s
    add("manager", "registered", peer="s2", detail={"stored_bytes": 0})
    add("s1", "stored", file="c/f")
    add("c", "acknowledged", file="c/f", detail={"wanted": 2, "servers": ["s1"]})  # 4 s: one of two
    add("s2", "stored", file="c/f")
    add("s1", "quarantined", file="c/f")  # 6 s
    add("manager", "repairing", file="c/f", peer="s1", detail={"upload": "u"})
    add("manager", "failed", file="c/f", detail={"during": "repair"})
    add("c", "removed", file="c/f")  # 9 s
    add("s2", "deleted", file="c/f")
    found = repair_over_time(History(events))
    assert [found.missing.at(time - 1) for time in range(1, 11)] == [0, 0, 0, 1, 0, 1, 1, 1, 0, 0]
    assert [found.under_way.at(time - 1) for time in (6, 7, 8, 10)] == [0, 1, 0, 0]


def test_bytes_by_file_add_up_to_all_the_traffic(run: History) -> None:
    files = traffic_by_file(run)
    assert sum(sum(sizes.values()) for sizes in files.values()) == traffic(run).total()
    totals = [sum(sizes.values()) for sizes in files.values()]
    assert totals == sorted(totals, reverse=True)
    assert {kind for sizes in files.values() for kind in sizes} == {"original", "replica", "repair"}
    assert files["client1/file0"]["original"] == files["client1/file0"]["replica"] == 1000


def test_an_empty_history_has_nothing_to_mend() -> None:
    found = repair_over_time(History())
    assert (found.missing.times, found.under_way.times, found.done.times) == ([], [], [])
    assert traffic_by_file(History()) == {}
