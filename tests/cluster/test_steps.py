"""Stepping through a cluster: what is recorded at each place, back over it, and in the simulated world another way from there."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from rpclab import SimCluster
from rpclab.cluster.facts import compared
from rpclab.cluster.places import Target
from rpclab.cluster.simulated_steps import BranchingSteps, steps
from rpclab.cluster.steps import Steps
from rpclab.config import Limits
from rpclab.errors import UsageError

from .stands import WORLDS, Stand, real, simulated


@pytest.fixture(params=WORLDS)
def stand(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Stand]:
    with simulated(dead_s=60) if request.param == "simulated" else real(tmp_path, dead_s=60) as cluster:
        yield Stand(cluster, tmp_path)


@pytest.fixture
def sim() -> BranchingSteps:
    """A simulated backup at its first message."""
    cluster = simulated(seed=3)
    ann = cluster.connect("ann")
    ann.put("a", b"contents")
    found = steps(cluster)
    found.begin(lambda: ann.backup("a"))
    assert isinstance(found, BranchingSteps)
    return found


def said(walk: Steps) -> list[tuple[str, str]]:
    return [(message.kind, message.method) for message in walk.here.messages]


def lines(walk: Steps, node: str) -> list[str]:
    return [str(fact) for fact in walk.here.facts(node) if fact.change]


def test_each_step_tells_what_it_changed_in_each_node(stand: Stand) -> None:
    walk, name = steps(stand.cluster), stand.put("a", b"contents")
    walk.begin(lambda: stand.ann.backup(name))
    assert said(walk) == [("request", "placeFile")]
    walk.next()
    assert said(walk) == [("reply", "placeFile")]
    changed = lines(walk, "manager")
    assert "+ reservations ann/a: 8 B on server1, 8 B on server2" in changed
    assert "servers server1: 0 files → 0 files, 8 B reserved" in changed
    assert not lines(walk, "server3")
    walk.run_to(Target("end"))
    assert walk.here.operations[-1].endswith("done") and walk.here.messages == []
    walk.look_again()
    assert any(fact.part == "files" and fact.name == "ann/a" for fact in walk.here.facts("manager"))
    walk.release()
    assert stand.restored("a") == b"contents"


def test_back_shows_what_was_recorded_and_forward_leads_to_now(stand: Stand) -> None:
    walk, name = steps(stand.cluster), stand.put("a", b"contents")
    walk.begin(lambda: stand.ann.backup(name))
    for _ in range(3):
        walk.next()
    now = walk.here
    held = [message.meaning for message in now.messages]
    walk.back()
    assert said(walk) == [("request", "sendFilename")] and walk.here is now.parent
    before = len(list(walk.history()))
    walk.back()
    assert said(walk) == [("reply", "placeFile")] and len(list(walk.history())) < before
    walk.forward()
    assert walk.next() is now  # from an earlier place along what was done then
    assert [message.meaning for message in walk.here.messages] == held
    with pytest.raises(UsageError, match="nothing was done after this yet"):
        walk.forward()
    walk.jump(0)
    with pytest.raises(UsageError, match="nothing before it was recorded"):
        walk.back()
    walk.jump(now)
    walk.release()


def test_a_dropped_message_and_a_killed_node_are_places_too(stand: Stand) -> None:
    walk, name = steps(stand.cluster), stand.put("a", b"contents")
    walk.begin(lambda: stand.ann.backup(name))
    walk.run_to(Target("method", "updateServer"))
    assert said(walk) == [("request", "updateServer")]
    first = walk.here.messages[0].sender
    walk.kill(first)
    assert walk.here.found[first]["state"] == "stopped" and walk.here.words == f"killed {first}"
    walk.restart(first)
    stand.wait(lambda: walk.look_again() or walk.run_to(Target("end")).found[first]["state"] == "running")
    stand.cluster.stage.release()
    assert "restarted" in repr(walk)


def test_processes_cannot_be_sent_back_and_that_is_said(tmp_path: pathlib.Path) -> None:
    with real(tmp_path) as cluster:
        stand = Stand(cluster, tmp_path)
        walk, name = steps(cluster), stand.put("a", b"contents")
        walk.begin(lambda: stand.ann.backup(name))
        walk.next()
        walk.back()
        with pytest.raises(UsageError, match="this is the past, and processes cannot be sent back"):
            walk.act("drop")
        with pytest.raises(UsageError, match="this is the past"):
            walk.kill("server1")
        walk.forward()
        walk.run_to(Target("end"))
        assert walk.here.operations[-1].endswith("done")


def test_a_message_that_comes_later_by_itself_becomes_a_place(stand: Stand) -> None:
    walk, name = steps(stand.cluster), stand.put("a", b"contents")
    walk.begin(lambda: stand.ann.backup(name))
    count = len(walk.places)
    walk.act("delay", seconds=0.1)
    stand.wait(lambda: walk.look_again() or said(walk) == [("reply", "placeFile")])
    assert len(walk.places) > count
    assert walk.places[count].words == "delayed placeFile request, ann → manager, by 0.1 s"
    walk.release()


def test_what_another_cell_does_becomes_a_place(stand: Stand) -> None:
    walk, name = steps(stand.cluster), stand.put("a", b"contents")
    walk.look_again()
    stand.cluster.stage.hold(method="placeFile")
    stand.cluster.begin(lambda: stand.ann.backup(name))
    stand.wait(lambda: walk.look_again() or said(walk))
    assert said(walk) == [("request", "placeFile")]
    assert not walk.look_again()
    walk.run_to(Target("end"))
    assert walk.here.operations[-1].endswith("done")


def test_nothing_under_way_is_told_and_records_nothing(stand: Stand) -> None:
    walk = steps(stand.cluster)
    with pytest.raises(UsageError, match="nothing is under way"):
        walk.next()
    with pytest.raises(UsageError, match="message 7 is no longer held"):
        walk.act("drop", 7)
    walk.run_to(Target("end"))
    assert len(walk.places) == 1


def test_from_an_earlier_place_another_step_leads_another_way(sim: BranchingSteps) -> None:
    first = sim.here
    sim.next()
    second = sim.next()
    given = sim.cluster
    events = list(given.order.lines)
    sim.jump(first)
    assert sim.cluster is not given and said(sim) == [("request", "placeFile")]
    dropped = sim.act("drop")
    assert dropped.parent is first and first.children[-1] is dropped
    assert sim.cluster.now > 9 and given.order.lines == events  # the call was given up there, and here nothing happened
    sim.run_to(Target("end"))
    sim.jump(second)
    assert sim.cluster is given and said(sim) == [("request", "sendFilename")]
    order = [place.words for _, place in sim.tree()]
    assert order.index("dropped placeFile request, ann → manager") < order.index(
        "delivered placeFile request, ann → manager"
    )
    levels = {place.words: level for level, place in sim.tree()}
    assert levels["dropped placeFile request, ann → manager"] == 1
    assert levels["delivered placeFile request, ann → manager"] == 0


def test_the_same_step_from_the_same_place_leads_to_the_same_place(sim: BranchingSteps) -> None:
    first = sim.here
    there = sim.act("corrupt", byte=3, value=7)
    sim.jump(first)
    other = sim.act("corrupt", byte=3, value=8)
    assert other is not there
    sim.jump(first)
    assert sim.act("corrupt", byte=3, value=7) is there and len(first.children) == 2


def test_a_place_that_is_gone_to_again_goes_on_to_the_byte_as_it_did(sim: BranchingSteps) -> None:
    for _ in range(4):
        sim.next()
    at = sim.here
    sim.run_to(Target("end"))
    first = list(sim.cluster.order.lines)
    again = at.run.after(at.verbs)
    assert again.order.lines == first[: at.events] and again.now == at.seconds
    assert [message.id for message in again.messages()] == [message.id for message in at.messages]
    while again.messages():
        again.step()
    assert again.order.lines == first
    again.close()


def test_a_fork_is_a_cluster_of_its_own(sim: BranchingSteps) -> None:
    sim.next()
    with sim.fork() as other:
        assert [message.meaning for message in other.messages()] == [each.meaning for each in sim.here.messages]
        other.kill("server1")
        other.stage.release()
        other.sleep(1)
        assert other.state("server1") == "stopped" and sim.cluster.state("server1") == "running"
    assert len(sim.places) == 3 and not sim.look_again()


def test_time_may_pass_until_a_deadline(sim: BranchingSteps) -> None:
    sim.next()
    assert said(sim) == [("reply", "placeFile")]
    sim.pass_time(11)
    assert said(sim) == [("request", "releaseUpload")]  # the client has given up, and says so
    assert "11 s passed" in repr(sim)


def test_a_cluster_that_stands_in_its_past_is_stepped_through_from_there() -> None:
    cluster = simulated(seed=5)
    ann = cluster.connect("ann")
    ann.put("a", b"contents")
    ann.backup("a")
    placed = next(number for number, event in cluster.events.items() if event.kind == "placed")
    with cluster.at(placed) as then:
        walk = steps(then)
        walk.hold()
        walk.next() if walk.here.messages else walk.pass_time(0.05)
        assert walk.here.messages
        first = walk.here
        walk.next()
        walk.jump(first)
        assert [message.id for message in walk.cluster.messages()] == [message.id for message in first.messages]
    cluster.stop()


def test_a_stopped_simulation_says_so_and_its_past_can_still_be_gone_to(sim: BranchingSteps) -> None:
    sim.next()
    at = sim.here
    sim.cluster.stop()
    assert sim.look_again() and sim.here.words == "stop()"
    with pytest.raises(UsageError, match="was stopped"):
        sim.kill("server1")
    sim.jump(at)
    assert sim.next().messages


def test_facts_tell_what_is_new_changed_and_gone() -> None:
    before: dict[str, Any] = {
        "files": {"a": 5, "b": 7},
        "calls": ["x at y"],
        "answering": ["z of y"],
        "stored_bytes": 12,
    }
    after: dict[str, Any] = {"files": {"b": 2048, "c": 1}, "calls": ["x at y", "x at y"], "stored_bytes": 12}
    assert [str(fact) for fact in compared(before, after)] == [
        "files b: 7 B → 2 KiB",
        "+ files c: 1 B",
        "- files a: 5 B",
        "asks x at y:  → 2 times",
        "stored: 12 B",
        "- answers z of y",
    ]
    assert not any(fact.change for fact in compared(None, after))


def test_a_simulated_cluster_after_its_verbs_is_what_it_was_then() -> None:
    cluster = SimCluster(seed=2, servers=2, clients=1)
    cluster.sleep(0.3)
    cluster.kill("server2")
    again = cluster.after(2)
    assert again.state("server2") == "running" and not again.stands
    assert again.order.lines == cluster.order.lines[: len(again.order.lines)] and len(again.script) == 2
    with pytest.raises(UsageError, match="has 3 verbs so far"):
        cluster.after(4)
    again.close()
    cluster.stop()


def test_a_message_that_was_given_up_since_one_looked_is_the_step(tmp_path: pathlib.Path) -> None:
    with real(tmp_path) as cluster:
        stand = Stand(cluster, tmp_path, Limits(call_s=0.5))
        walk, name = steps(cluster), stand.put("a", b"contents")
        cluster.stage.hold(method="placeFile", kind="reply")
        walk.begin(lambda: stand.ann.backup(name))
        (message,) = walk.here.messages
        stand.wait(lambda: not cluster.messages())  # ann waits no longer
        walk.next()
        assert walk.here.messages == []
        assert "given up" in walk.here.words or "before the deadline" in walk.here.words
        with pytest.raises(UsageError, match="no longer held"):
            walk.next(message)
