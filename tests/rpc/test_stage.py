"""The stage decides what becomes of a message that has arrived: on real sockets, before anybody has read it."""

from __future__ import annotations

import json
import pathlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from rpclab.errors import DeadlineExceeded, RpclabError, UsageError
from rpclab.rpc.plan import Arrived, Decision, Plan, Rule
from rpclab.rpc.registry import Registry
from rpclab.rpc.stage import Stage
from rpclab.trace import Tracer
from rpclab.world.real import RealWorld


class Staged:
    """A served registry with a stage before it, and what its log says."""

    def __init__(self, world: RealWorld, serve: Callable[..., Any], folder: pathlib.Path) -> None:
        self._log = folder / "server1.jsonl"
        tracer = Tracer(world, "server1", world.disk.open_log(str(self._log)))
        self.asked: list[Arrived] = []
        self.decide = threading.Event()
        self.decision: Decision | None = Decision()
        self.stage = Stage(world, tracer, self._ask)
        tracer.stage = self.stage
        self.service = serve(tracer=tracer)
        self.address = self.service.address

    def _ask(self, message: Arrived) -> Decision | None:
        self.asked.append(message)
        assert self.decide.wait(10)
        return self.decision

    def follow(self, *rules: Rule, seed: int = 0) -> None:
        self.stage.follow(Plan(version=1, seed=seed, rules=rules))

    def hold(self, **about: Any) -> None:
        self.stage.follow(Plan(version=2, holds=(Rule("hold", **about),)))

    def events(self) -> list[dict[str, Any]]:
        lines = self._log.read_bytes().rstrip(b"\0").splitlines()
        return [event for event in map(json.loads, lines) if event["kind"] not in ("connected", "disconnected", "send")]

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events()]


@pytest.fixture
def staged(world: RealWorld, serve: Callable[..., Any], tmp_path: pathlib.Path) -> Staged:
    return Staged(world, serve, tmp_path)


@pytest.fixture
def counted(registry: Registry) -> list[Any]:
    """What was done, as often as it was."""
    done: list[Any] = []
    registry.register_method(lambda value: done.append(value) or len(done), "count")
    return done


def test_without_rules_every_message_is_delivered_and_nothing_is_written(staged: Staged, connect: Any) -> None:
    assert connect(staged.address).call("echo", "hello") == "hello"
    assert staged.kinds() == ["receive"]


def test_a_dropped_request_is_missed_by_its_caller_and_never_done(
    staged: Staged, connect: Any, counted: list[Any]
) -> None:
    staged.follow(Rule("drop", method="count"))
    with pytest.raises(DeadlineExceeded):
        connect(staged.address).call("count", 1, deadline_s=0.2)
    assert connect(staged.address).call("echo", "still here") == "still here"
    assert counted == [] and staged.kinds() == ["lost", "receive"]
    lost = staged.events()[0]
    assert (lost["peer"], lost["message"], lost["method"], lost["call"]) == ("client1", "request", "count", 1)


def test_a_duplicated_request_is_done_twice_and_its_second_answer_is_passed_over(
    staged: Staged, connect: Any, counted: list[Any]
) -> None:
    staged.follow(Rule("duplicate", method="count", count=1))
    connection = connect(staged.address)
    assert connection.call("count", "a") == 1
    assert connection.call("count", "b") == 3 and counted == ["a", "a", "b"]
    assert staged.kinds() == ["duplicated", "receive", "receive", "receive"]


def test_a_duplicated_call_of_a_pool_is_done_once(
    staged: Staged, connect: Any, counted: list[Any], world: RealWorld
) -> None:
    from rpclab.rpc.pool import Pool

    staged.follow(Rule("duplicate", method="count"))
    pool = Pool(world, lambda: connect(staged.address))
    assert [pool.call("count", value) for value in "abc"] == [1, 2, 3] and counted == ["a", "b", "c"]
    pool.close()


def test_a_delayed_message_comes_later_and_holds_up_its_connection(
    staged: Staged, connect: Any, world: RealWorld
) -> None:
    staged.follow(Rule("delay", seconds=0.2, count=1))
    began = world.clock.now()
    assert connect(staged.address).call("echo", 1) == 1
    assert world.clock.now() - began >= 0.2
    assert staged.events()[0]["detail"]["seconds"] == 0.2


def test_a_changed_byte_is_what_its_reader_finds(staged: Staged, connect: Any) -> None:
    said = b'{"jsonrpc":"2.0","method":"echo","params":["a"]'
    staged.follow(Rule("corrupt", byte=said.index(b'"a"') + 1, value=ord("b"), count=1))
    connection = connect(staged.address)
    assert connection.call("echo", "a") == "b"
    staged.follow(Rule("corrupt", byte=0, value=ord("}"), count=1), seed=1)
    with pytest.raises(RpclabError, match="JSON"):
        connection.call("echo", "a")
    changed = [event["detail"] for event in staged.events() if event["kind"] == "corrupted"]
    assert [(detail["before"], detail["value"]) for detail in changed] == [(ord("a"), ord("b")), (ord("{"), ord("}"))]


def test_what_is_held_waits_for_a_decision(staged: Staged, connect: Any, in_task: Any, eventually: Any) -> None:
    staged.hold(kind="request")
    answer = in_task(lambda: connect(staged.address).call("echo", "hello"))
    eventually(lambda: staged.asked)
    (message,) = staged.asked
    assert (message.sender, message.receiver, message.kind, message.method) == (
        "client1",
        "server1",
        "request",
        "echo",
    )
    assert json.loads(message.payload)["params"] == ["hello"] and message.caller_s == 10.0
    assert not answer.done()
    staged.decide.set()
    assert answer.result(10) == "hello" and staged.kinds() == ["held", "receive"]


def test_a_request_that_is_let_through_after_its_caller_gave_up_is_done_all_the_same(
    staged: Staged, connect: Any, counted: list[Any], eventually: Any
) -> None:
    staged.hold(method="count")
    with pytest.raises(DeadlineExceeded):
        connect(staged.address).call("count", 1, deadline_s=0.1)
    staged.decide.set()
    eventually(lambda: counted == [1])


def test_a_held_answer_is_late_for_its_caller(
    serve: Any, connect: Any, world: RealWorld, registry: Registry, tmp_path: pathlib.Path
) -> None:
    connection = connect(serve().address)
    tracer = Tracer(world, "client1")

    def ask(message: Arrived) -> Decision | None:
        assert (message.kind, message.method) == ("reply", "echo") and message.seconds is not None
        world.clock.sleep(message.seconds)
        return None

    tracer.stage = stage = Stage(world, tracer, ask)
    stage.follow(Plan(version=1, holds=(Rule("hold"),)))
    connection._stage = stage
    with pytest.raises(DeadlineExceeded, match="server1"):
        connection.call("echo", 1, deadline_s=0.2)
    assert connection.closed


def test_heartbeats_are_held_only_by_their_name() -> None:
    heartbeat = Arrived("manager", "server1", "notification", "heartbeat", "", b"", 0)
    assert not Rule("hold").matches(heartbeat)
    assert Rule("hold", method="heartbeat").matches(heartbeat) and Rule("drop").matches(heartbeat)


def test_the_same_seed_decides_the_same(staged: Staged, connect: Any) -> None:
    def decided(seed: int) -> list[str]:
        staged.follow(seed=99)
        staged.follow(Rule("duplicate", probability=0.3), Rule("delay", probability=0.3), seed=seed)
        before = len(staged.events())
        connection = connect(staged.address)
        for number in range(30):
            connection.call("echo", number)
        return [kind for kind in staged.kinds()[before:] if kind != "receive"]

    first = decided(1)
    assert {"duplicated", "delayed"} <= set(first)
    assert decided(1) == first != decided(2)


def test_the_calls_under_way_are_known(staged: Staged, connect: Any, in_task: Any, registry: Registry) -> None:
    inside, on = threading.Event(), threading.Event()
    registry.register_method(lambda: inside.set() or on.wait(10), "wait")
    answer = in_task(lambda: connect(staged.address).call("wait"))
    assert inside.wait(10)
    assert staged.stage.calls() == {"calls": [], "answering": ["wait of client1"]}
    on.set()
    answer.result(10)


def test_a_rule_says_what_it_does() -> None:
    assert str(Rule("hold")) == "hold all messages"
    rule = Rule("delay", "manager", "ann", "placeFile", "request", probability=0.25, count=3, seconds=0.5)
    assert str(rule) == "delay 25% of placeFile requests from ann to manager by 0.5 s, 3 at most at each node"


@pytest.mark.parametrize(
    "rule",
    [{"action": "forget"}, {"probability": 2}, {"seconds": -1}, {"byte": -1}, {"value": 256}],
    ids=lambda rule: next(iter(rule)),
)
def test_a_rule_that_cannot_be_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Rule(**{"action": "corrupt", **rule})
