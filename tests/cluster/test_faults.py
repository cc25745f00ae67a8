"""Faults are verbs, alike in both worlds: felt while they last, over when they are mended, and intervals in the event log."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rpclab.config import Limits
from rpclab.errors import DiskFull, RpclabError, StartFailed, UsageError

from .stands import WORLDS, Stand, real, simulated


@pytest.fixture(params=WORLDS)
def start(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Callable[..., Stand]]:
    """Start a cluster; when it was stopped it must have kept every invariant."""
    clusters: list[Any] = []

    def begin(*, limits: Limits | None = None, **options: Any) -> Stand:
        clusters.append(simulated(**options) if request.param == "simulated" else real(tmp_path, **options))
        return Stand(clusters[-1], tmp_path, limits)

    yield begin
    for cluster in clusters:
        cluster.stop()
        report = cluster.check()
        assert report.valid, report


def faults(stand: Stand) -> list[tuple[str, str]]:
    return [(event.kind, event.peer) for event in stand.cluster.history if event.node == "cluster"]


def test_a_partition_is_felt_until_it_is_healed(start: Callable[..., Stand]) -> None:
    stand = start(limits=Limits(call_s=2.0, connect_s=2.0))
    cluster = stand.cluster
    stand.backup("a", b"first")
    cluster.partition("ann")
    with pytest.raises(RpclabError):
        stand.backup("a", b"second")
    assert cluster.stored_bytes().keys() == {"server1", "server2", "server3"}  # who is on the same side feels nothing
    cluster.heal()
    assert stand.backup("a", b"third").complete and stand.restored("a") == b"third"
    assert faults(stand) == [("partitioned", "ann"), ("healed", "ann")]
    partitioned = stand.of("partitioned")[0]
    assert partitioned.detail == {
        "one_way": False,
        "others": cluster.nodes if not stand.simulated else [node for node in cluster.nodes if node != "ann"],
    }
    cluster.heal()
    assert len(faults(stand)) == 2  # there was nothing to mend


def test_a_server_that_is_cut_off_is_suspected_and_comes_back(start: Callable[..., Stand]) -> None:
    stand = start()
    cluster = stand.cluster
    cluster.partition("server2")
    stand.wait(lambda: "server2" in cluster.upkeep()["suspected"] or "server2" not in cluster.stored_bytes())
    receipt = stand.backup("a")
    assert receipt.complete and "server2" not in receipt.servers
    cluster.heal()
    stand.wait(lambda: "server2" in cluster.stored_bytes() and not cluster.upkeep()["suspected"])


def test_one_way_only_what_is_sent_is_lost(start: Callable[..., Stand]) -> None:
    stand = start()
    cluster = stand.cluster
    cluster.partition("server2", one_way=True)
    stand.wait(lambda: stand.of("suspected") or "server2" not in cluster.stored_bytes())
    assert stand.of("partitioned")[0].detail["one_way"] is True
    cluster.heal()
    stand.wait(lambda: "server2" in cluster.stored_bytes() and not cluster.upkeep()["suspected"])


def test_a_server_that_is_started_again_under_a_partition_stays_cut_off(start: Callable[..., Stand]) -> None:
    stand = start()
    cluster = stand.cluster
    cluster.partition("server1")
    with contextlib.suppress(
        StartFailed
    ):  # which says that the manager does not list it, if that has missed the old one
        cluster.restart("server1", start_s=3)
    assert cluster.state("server1") == "running"
    stand.wait(lambda: "server1" not in cluster.stored_bytes() or "server1" in cluster.upkeep()["suspected"])
    receipt = stand.backup("a")
    assert receipt.complete and "server1" not in receipt.servers
    cluster.heal()
    stand.wait(lambda: "server1" in cluster.stored_bytes() and not cluster.upkeep()["suspected"])
    kinds = [kind for kind, peer in faults(stand) if peer == "server1"]
    assert kinds == ["partitioned", "restarted", "healed"]


def test_a_slow_link_takes_its_time(start: Callable[..., Stand]) -> None:
    stand = start()
    cluster = stand.cluster
    assert stand.ann.is_connected()
    cluster.slow("ann", latency_s=0.2)
    before = len(cluster.history)
    assert stand.ann.is_connected()
    test = [event for event in cluster.history.events if event.method == "string" and event.node == "ann"][-1]
    answers = [event for event in cluster.history if event.node == "ann" and event.kind == "receive"]
    answer = next(event for event in answers if event.number > test.number)
    assert answer.time - test.time > 0.39 and before
    cluster.heal()
    assert stand.ann.is_connected()
    test = [event for event in cluster.history if event.method == "string" and event.node == "ann"][-1]
    answer = [event for event in cluster.history if event.node == "ann" and event.kind == "receive"][-1]
    assert answer.time - test.time < 0.2
    assert faults(stand) == [("slowed", "ann"), ("healed", "ann")]
    with pytest.raises(UsageError):
        cluster.slow("ann", bytes_s=0)


def test_a_narrow_link_carries_so_many_bytes_a_second(start: Callable[..., Stand]) -> None:
    stand = start(servers=1, replicas=1)
    cluster = stand.cluster
    cluster.slow("ann", bytes_s=200_000)
    stand.backup("a", bytes(100_000))
    sent = next(event for event in stand.of("send") if event.method == "sendFilename" and event.node == "ann")
    assert stand.of("acknowledged")[0].time - sent.time > 0.45


def test_a_full_disk_refuses_and_takes_again(start: Callable[..., Stand]) -> None:
    stand = start(servers=2)
    cluster = stand.cluster
    stand.backup("a", bytes(10_000))
    cluster.fill("server1")
    cluster.fill("server2", 1_000)
    with pytest.raises(DiskFull):
        stand.backup("b", bytes(10_000))
    cluster.empty("server1")
    cluster.empty("server2")
    assert stand.backup("b", bytes(10_000)).complete
    assert faults(stand) == [(kind, server) for kind in ("filled", "emptied") for server in ("server1", "server2")]
    assert stand.of("filled")[1].detail == {"free_bytes": 1_000}


def test_kills_and_pauses_are_intervals(start: Callable[..., Stand]) -> None:
    stand = start()
    cluster = stand.cluster
    cluster.pause("server1")
    cluster.resume("server1")
    cluster.kill("server2")
    cluster.restart("server2")
    assert faults(stand) == [
        ("paused", "server1"),
        ("resumed", "server1"),
        ("killed", "server2"),
        ("restarted", "server2"),
    ]
    with pytest.raises(UsageError, match="there is no"):
        cluster.kill("nobody")
    with pytest.raises(UsageError, match="there is no"):
        cluster.partition("nobody")
    assert len(faults(stand)) == 4
