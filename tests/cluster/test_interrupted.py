"""Ctrl-C while a simulated cluster works: what was asked for ends, every node stays as it is, and all goes on afterwards."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rpclab import SimCluster
from rpclab.errors import ClusterError, UsageError
from rpclab.study.report import Verdict


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


class Interrupts:
    """A placement policy that is interrupted, in the manager's own task, so often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, servers: list[Any], request: Any, random: Any) -> Any:
        while self.times:
            self.times -= 1
            ctrl_c()
        return servers[0]


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background of a shell, which switches it off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def policy() -> Interrupts:
    return Interrupts()


@pytest.fixture
def cluster(policy: Interrupts) -> SimCluster:
    cluster = SimCluster(seed=1, placement=policy)
    cluster.clients["client1"].put("a", bytes(100_000))
    return cluster


def goes_on(cluster: SimCluster) -> None:
    before = cluster.now
    cluster.sleep(3)
    assert cluster.now == pytest.approx(before + 3)
    assert cluster.run(lambda: 7) == 7
    assert cluster.clients["client1"].backup("a").complete
    cluster.clients["client1"].restore("a")
    cluster.restart("server1")
    cluster.restart("manager")
    assert cluster.clients["client2"].is_connected()
    assert not cluster.simulation.outside.tasks
    cluster.stop()
    assert not cluster.check().named(Verdict.INVALID)


def forever(cluster: SimCluster) -> Callable[[], None]:
    def waits() -> None:
        while True:
            cluster.sleep(1)

    return waits


def test_a_verb_that_is_interrupted_ends_and_no_node_does(cluster: SimCluster, policy: Interrupts) -> None:
    policy.times = 1
    with pytest.raises(KeyboardInterrupt):
        cluster.clients["client1"].backup("a")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert all(cluster.state(node) == "running" for node in cluster.nodes)
    goes_on(cluster)


def test_functions_that_run_side_by_side_are_interrupted_together(cluster: SimCluster, policy: Interrupts) -> None:
    ended = []

    def waits() -> None:
        try:
            forever(cluster)()
        finally:
            cluster.sleep(0.5)  # what it has to put in order takes time
            ended.append(cluster.now)

    def nested() -> None:
        cluster.run(waits, forever(cluster), lambda: cluster.clients["client1"].backup("a"))

    policy.times = 1
    with pytest.raises(KeyboardInterrupt):
        cluster.run(waits, nested)
    assert len(ended) == 2
    goes_on(cluster)


def test_a_function_that_never_gives_its_turn_back_is_interrupted_at_once(cluster: SimCluster) -> None:
    def turns() -> None:
        while True:
            ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        cluster.run(forever(cluster), turns)
    goes_on(cluster)


def test_the_second_ctrl_c_is_raised_where_it_comes(cluster: SimCluster, policy: Interrupts) -> None:
    policy.times = 2
    with pytest.raises(KeyboardInterrupt):
        cluster.clients["client1"].backup("a")
    assert cluster.run(lambda: 7) == 7
    before = cluster.now
    cluster.sleep(3)
    assert cluster.now == pytest.approx(before + 3)


def test_a_function_that_ends_the_program_leaves_a_cluster_that_goes_on(cluster: SimCluster) -> None:
    with pytest.raises(SystemExit):
        cluster.run(lambda: sys.exit(3))
    number = len(cluster.events)
    cluster.kill("server3")
    with pytest.raises(UsageError, match="interrupted by hand"):
        cluster.at(number + 1)
    cluster.restart("server3")
    goes_on(cluster)


def test_a_run_that_is_made_again_can_be_interrupted_and_goes_on(cluster: SimCluster, policy: Interrupts) -> None:
    for _ in range(3):
        cluster.clients["client1"].backup("a")
    lines = cluster.order.lines
    then = cluster.at(5)
    policy.times = 1
    with pytest.raises(KeyboardInterrupt):
        then.go_on(to=len(lines))
    assert then.stands and 5 < len(then.order.lines) < len(lines)
    assert then.go_on(to=len(lines)).order.lines == lines
    policy.times = 2
    with pytest.raises(KeyboardInterrupt):
        cluster.at(len(lines))
    assert cluster.at(len(lines)).order.lines == lines


def test_another_thread_and_another_simulation_are_told_and_change_nothing(cluster: SimCluster) -> None:
    before, verbs = cluster.order.lines[:], len(cluster.script)
    said: list[str] = []

    def refused(verb: Callable[[], object]) -> None:
        with pytest.raises(ClusterError) as caught:
            verb()
        said.append(str(caught.value))

    for verb in (lambda: cluster.kill("server1"), lambda: cluster.sleep(1), cluster.clients["client1"].is_connected):
        thread = threading.Thread(target=refused, args=(verb,), name="another")
        thread.start()
        thread.join()
        SimCluster(seed=2, servers=1).run(lambda verb=verb: refused(verb))  # type: ignore[misc]
    assert ["another: make" in text or "another one runs" in text for text in said] == [True] * 6
    assert cluster.order.lines == before and len(cluster.script) == verbs
    goes_on(cluster)
