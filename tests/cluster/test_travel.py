"""Time travel: a run is made again up to any event, to the byte; from there it goes on as it was, or another way."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from rpclab import SimCluster
from rpclab.errors import NotRunning, ReplayDiffers, RpclabError, UsageError

CONTENTS = bytes(range(256)) * 300


def story(seed: int = 1, cluster: SimCluster | None = None) -> SimCluster:
    """Verbs of every kind; the functions know the cluster and a client from outside."""
    cluster = cluster or SimCluster(seed=seed, dead_s=3.0)
    ann = cluster.clients["client1"]
    ann.put("a", CONTENTS)

    def work() -> None:
        ann.backup("a")
        cluster.clients["client2"].restore("a", client="client1")

    def break_things() -> None:
        cluster.sleep(0.004)
        cluster.kill("server3")
        cluster.sleep(0.2)
        cluster.restart("server3")

    cluster.run(work, break_things)
    ann.delete("a")
    with pytest.raises(RpclabError):
        ann.restore("a")
    cluster.connect("ben").manager.getQuantity()
    cluster.partition("server2", one_way=True)
    cluster.sleep(2)
    cluster.heal()
    cluster.restart("server1")
    return cluster


def state(cluster: SimCluster) -> dict[str, Any]:
    looks: dict[str, Any] = {node: cluster.look(node) for node in cluster.nodes}
    logs = {node: cluster.event_log(node) for node in ["cluster", *cluster.nodes]}
    return {"now": cluster.now, "looks": looks, "logs": logs}


@pytest.fixture(scope="module")
def told() -> SimCluster:
    return story()


def test_events_have_their_number_in_the_order_in_which_they_were_written(told: SimCluster) -> None:
    assert list(told.events) == list(range(1, len(told.history) + 1))
    times = [event.time for event in told.events.values()]
    assert times == sorted(times)
    for node in told.nodes:
        numbers = [event.number for event in told.events.values() if event.node == node]
        assert numbers == list(range(1, len(numbers) + 1))


def test_the_state_after_every_event_is_that_of_the_first_run_at_that_moment() -> None:
    live = SimCluster.__new__(SimCluster)
    states: dict[int, dict[str, Any]] = {}

    def look(scheduler: Any) -> None:
        scheduler.halt_with(None)
        states.setdefault(len(live.order.lines), state(live))

    def written(line: bytes) -> None:
        scheduler = live.simulation.scheduler
        scheduler.halt_with(lambda: look(scheduler))

    live.order.watch = written
    SimCluster.__init__(live, seed=1, dead_s=3.0)
    story(cluster=live)
    live.order.watch = None
    assert len(states) == len(live.events) > 200
    for number in [*range(1, 60), *range(60, len(states), 7)]:
        again = live.at(number)
        assert state(again) == states[number], number
        again.close()


def test_before_the_first_event_nothing_has_been_started(told: SimCluster) -> None:
    with told.at(0) as then:
        assert then.now == 0 and not then.events and set(map(then.state, then.nodes)) <= {"running", "stopped"}
        assert then.look("server1") == {
            "state": "stopped", "files": {}, "versions": {}, "stored_bytes": 0, "arriving": {}, "calls": [], "answering": []
        }  # fmt: skip


def test_a_run_in_its_past_goes_on_as_it_was_to_the_end_of_the_verb_and_to_any_event(told: SimCluster) -> None:
    lines = told.order.lines
    ends = [entry.after for entry in told.script]
    for number in range(3, len(lines), 17):
        then = told.at(number).go_on()
        assert len(then.order.lines) in ends and then.order.lines == lines[: len(then.order.lines)]
        if len(then.order.lines) < len(lines):
            assert then.go_on(to=len(lines)).order.lines == lines
        assert state(then)["looks"] == state(told)["looks"]
        then.close()


def test_a_fork_differs_only_from_the_fork_on_and_is_the_same_each_time(told: SimCluster) -> None:
    def other_way(number: int) -> SimCluster:
        then = told.at(number)
        then.kill("server1")
        then.sleep(5)
        then.restart("server1")
        then.stop()
        return then

    before = state(told)
    for number in (63, 75, 90, 130, len(told.order.lines)):
        fork = other_way(number)
        assert fork.order.lines[:number] == told.order.lines[:number]
        assert fork.events[number + 1].kind == "killed" and fork.order.lines != told.order.lines
        assert fork.order.lines == other_way(number).order.lines
        assert fork.check().valid
    assert state(told) == before


def test_a_fork_has_a_past_too_and_its_own_forks(told: SimCluster) -> None:
    fork = told.at(80)
    fork.cut_power("server2")
    fork.sleep(1)
    fork = fork.back(2)
    fork.restart("server2")
    lines = fork.order.lines
    assert [entry.verb for entry in fork.script if entry.left] == ["run", "sleep"]
    for number in range(1, len(lines) + 1, 9):
        with fork.at(number) as then:
            assert then.order.lines == lines[:number]
    with fork.at(60).go_on(to=len(lines)) as then:
        assert then.order.lines == lines
    with fork.at(79).go_on() as then:
        assert len(then.order.lines) == 80  # where that verb was left


def test_what_a_verb_has_begun_goes_on_when_it_is_left(told: SimCluster) -> None:
    placed = next(number for number, event in told.events.items() if event.kind == "placed")
    fork = told.at(placed)
    fork.sleep(1)
    assert [event.kind for event in fork.events.values() if event.node == "client1"].count("acknowledged") == 1
    fork.stop()


def test_back_goes_so_many_events_back(told: SimCluster) -> None:
    count = len(told.events)
    with told.back() as then:
        assert len(then.events) == count - 1 and then.stands
        with then.back(5) as earlier:
            assert len(earlier.events) == count - 6
    with told.back(count + 5) as then:
        assert not then.events


def test_what_an_event_changed(told: SimCluster) -> None:
    number = next(number for number, event in told.events.items() if event.kind == "stored")
    event = told.events[number]
    assert told.changes(number) == {
        event.node: {
            "files": ({}, {"client1/a": len(CONTENTS)}),
            "stored_bytes": (0, len(CONTENTS)),
            "arriving": (told.changes(number)[event.node]["arriving"][0], {}),
        }
    }
    number = next(number for number, event in told.events.items() if event.kind == "killed")
    assert told.changes(number)["server3"]["state"] == ("running", "stopped")


def test_travelling_does_not_change_the_run_that_it_starts_from() -> None:
    cluster = story()
    cluster.at(100).close()
    cluster.at(50).stop()
    cluster.at(120).go_on()
    cluster.sleep(3)
    undisturbed = story()
    undisturbed.sleep(3)
    assert state(cluster) == state(undisturbed)


def test_a_function_that_remembers_something_is_found_out() -> None:
    cluster, done = SimCluster(seed=1), list[str]()

    def remembers() -> None:
        done.append("once more")
        if len(done) > 1:
            cluster.sleep(0.01)
        cluster.kill("server1")

    cluster.run(remembers)
    number = next(number for number, event in cluster.events.items() if event.kind == "killed")
    with pytest.raises(ReplayDiffers, match=rf"event {number} was 'killed' at cluster.*remembers something"):
        cluster.at(len(cluster.events))
    assert len(done) == 2
    cluster.at(number - 1).close()  # up to there it is the same


def test_of_two_events_that_look_alike_it_is_told_what_is_not_the_same() -> None:
    turns = iter(range(1_000))

    def in_turn(servers: Any, request: Any, random: Any) -> Any:
        return servers[next(turns) % len(servers)]

    cluster = SimCluster(seed=1, placement=in_turn, replicas=1)
    ann = cluster.clients["client1"]
    ann.backup(ann.put("a", b"contents"))
    with pytest.raises(ReplayDiffers, match=r"'placed client1/a' at manager.*'server1'.*made again.*'server2'"):
        cluster.at(len(cluster.events))


def test_a_run_that_ends_earlier_than_it_did_is_found_out() -> None:
    cluster, done = SimCluster(seed=1), list[str]()

    def only_once() -> None:
        if not done:
            cluster.kill("server1")
        done.append("")

    cluster.run(only_once)
    with pytest.raises(ReplayDiffers, match=r"'killed' at cluster.*made again it is nothing more"):
        cluster.at(len(cluster.events))


def test_what_cannot_be_is_said(told: SimCluster) -> None:
    with pytest.raises(UsageError, match=r"no event 100,000: this run has \d+"):
        told.at(100_000)
    with pytest.raises(UsageError, match="counted from 1"):
        told.changes(0)
    with pytest.raises(UsageError, match="you got from at"):
        told.go_on()
    with told.at(70) as then, pytest.raises(UsageError, match="has been already"):
        then.go_on(to=70)
    with SimCluster(trace=False) as cluster, pytest.raises(UsageError, match="trace=True"):
        cluster.at(0)
    with SimCluster() as cluster, pytest.raises(UsageError, match="from outside"):
        cluster.run(lambda: cluster.at(3))


def test_after_an_interruption_by_hand_the_run_cannot_be_made_again() -> None:
    cluster = SimCluster(seed=1)
    number = len(cluster.events)

    def interrupt() -> None:
        cluster.kill("server1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cluster.run(interrupt)
    cluster.at(number).close()
    with pytest.raises(UsageError, match="interrupted by hand"):
        cluster.at(number + 1)


def test_a_verb_that_failed_is_made_again_with_the_rest() -> None:
    cluster = SimCluster(seed=1)
    cluster.kill("client1")
    with pytest.raises(NotRunning):
        cluster.clients["client1"].delete("a")
    cluster.restart("client1")
    assert cluster.clients["client1"].is_connected()
    with cluster.back(3) as then:
        assert then.order.lines == cluster.order.lines[:-3]


def test_the_script_is_readable(told: SimCluster) -> None:
    shown = repr(told.script).splitlines()
    assert shown[0] == "      0 events, then SimCluster(seed=1, dead_s=3.0)"
    assert shown[2].endswith("events, then run(work, break_things)")
    assert shown[5].endswith("events, then connect('ben')") and "clients.ben.ask('', 'getQuantity')" in shown[6]


def test_runs_that_nobody_closed_go_without_a_sound(told: SimCluster) -> None:
    for number in (0, 40, 70, 110):
        told.at(number)
    gc.collect()
