"""What is given wrong to a simulated cluster is said, in one line that tells what to do, and nothing has happened."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rpclab import SimCluster
from rpclab.cluster.simulated import Conditions
from rpclab.errors import NameRefused, NotRunning, UsageError

NAN = math.nan


@pytest.fixture
def cluster() -> Iterator[SimCluster]:
    with SimCluster(seed=1, servers=2, clients=1) as cluster:
        cluster.clients["client1"].put("a", b"contents")
        yield cluster


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        (lambda c: c.sleep("1"), "seconds='1': it is a number of seconds"),
        (lambda c: c.sleep(NAN), "seconds=nan"),
        (lambda c: c.sleep(math.inf), "seconds=inf"),
        (lambda c: c.sleep(10**400), "seconds=1000"),
        (lambda c: c.sleep(-1), "seconds=-1"),
        (lambda c: c.kill(["server1"]), r"there is no \['server1'\] in this cluster; there are manager"),
        (lambda c: c.reset("nobody"), "there is no 'nobody'"),
        (lambda c: c.reset("server1", 2), "share=2: it is a share"),
        (lambda c: c.fail_syncs("server1", "often"), "share='often'"),
        (lambda c: c.fill("server1", "x"), "free_bytes='x': it is a number of bytes"),
        (lambda c: c.fill("server1", -1), "free_bytes=-1"),
        (lambda c: c.slow("server1", latency_s=NAN), "latency_s=nan"),
        (lambda c: c.slow("server1", latency_s="1"), "latency_s='1'"),
        (lambda c: c.slow("server1", bytes_s=0), "bytes_s=0: it is above 0"),
        (lambda c: c.partition(3), "a group is a node's name, or a list of names, not 3"),
        (lambda c: c.restart("server1", start_s="soon"), "start_s='soon'"),
        (
            lambda c: c.clients["client1"].put("b", "text"),
            r"'b' is to hold 'text': give bytes, such as text.encode\(\)",
        ),
        (lambda c: c.run(c.stop), "cannot stop it"),
        (lambda c: c.back(-1), r"back\(-1\): the future"),
        (lambda c: c.back("x"), "back takes a number of events, not 'x'"),
        (lambda c: c.after(1.5), "after takes a number of verbs, not 1.5"),
        (lambda c: c.changes(None), "not by None"),
        (lambda c: c.changes(len(c.events) + 1), "there is no event"),
        (lambda c: c.at(5).go_on(to=len(c.events) + 1), "there is no event .* to go on to: the first run had"),
        (lambda c: c.at(5).go_on(to="end"), "not by 'end'"),
    ],
)
def test_a_verb_that_cannot_be_carried_out_changes_nothing(
    cluster: SimCluster, verb: Callable[[SimCluster], Any], said: str
) -> None:
    before = cluster.now, cluster.order.lines[:]
    with pytest.raises(UsageError, match=said):
        verb(cluster)
    assert (cluster.now, cluster.order.lines) == before
    assert cluster.clients["client1"].backup("a").complete


@pytest.mark.parametrize("name", ["", "../a", "/a", None, 3])
def test_a_clients_file_has_a_name_that_can_be_one(cluster: SimCluster, name: Any) -> None:
    with pytest.raises(NameRefused):
        cluster.clients["client1"].put(name, b"")
    assert cluster.clients["client1"].files == {"a": 8}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"drift": "x"}, "drift='x'"),
        ({"drift": NAN}, "drift=nan"),
        ({"clients": None}, "clients=None: it is a whole number"),
        ({"disk_bytes": -1}, "disk_bytes=-1"),
        ({"start_s": NAN}, "start_s=nan"),
        ({"dead_s": "x"}, "dead_s='x': it is a number"),
        ({"conditions": {"latency_s": 1}}, "give Conditions"),
    ],
)
def test_a_cluster_that_cannot_be_is_not_made(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        SimCluster(**arguments)


@pytest.mark.parametrize("wrong", [{"bytes_s": 0}, {"latency_s": -1}, {"latency_s": NAN}, {"cut": 2}, {"stall": "x"}])
def test_a_link_that_cannot_be_is_not_made(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(UsageError, match=name):
        Conditions(**wrong)


def test_numpys_whole_numbers_are_events_too(cluster: SimCluster) -> None:
    numpy = pytest.importorskip("numpy")
    with cluster.at(numpy.int64(5)) as then:
        assert len(then.events) == 5


def test_a_generator_is_not_taken_for_a_function_that_was_run(cluster: SimCluster) -> None:
    def process() -> Iterator[int]:
        yield 3

    async def task() -> None: ...

    with pytest.raises(UsageError, match=r"process is a generator.*cluster\.sleep"):
        cluster.run(process)
    with pytest.raises(UsageError, match="task is async"):
        cluster.run(task)


def test_who_is_paused_is_not_waited_for_for_ever(cluster: SimCluster) -> None:
    ann = cluster.clients["client1"]
    cluster.pause("client1")
    with pytest.raises(NotRunning, match=r"client1 is paused.*resume\('client1'\)"):
        ann.backup("a")
    cluster.pause("manager")
    with pytest.raises(NotRunning, match="manager is paused"):
        cluster.upkeep()
    cluster.resume("manager")

    def resume() -> None:
        cluster.sleep(1)
        cluster.resume("client1")

    receipt, _ = cluster.run(lambda: ann.backup("a"), resume)
    assert receipt.complete


def test_after_its_end_a_cluster_says_so() -> None:
    cluster = SimCluster(seed=1, servers=1, clients=1)
    cluster.stop()
    for verb in (lambda: cluster.sleep(1), lambda: cluster.run(int), lambda: cluster.restart("server1")):
        with pytest.raises(NotRunning, match=r"this simulated cluster was stopped.*make a new one"):
            verb()
    then = cluster.back(3)
    then.close()
    with pytest.raises(NotRunning):
        then.clients["client1"].is_connected()


def test_a_cluster_is_not_copied(cluster: SimCluster) -> None:
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="make it there, from its seed"):
            copied(cluster)
