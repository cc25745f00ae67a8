"""Exactly once in effect: an answer is lost on a real connection, the caller asks again, and nothing is done twice."""

from __future__ import annotations

import itertools
import json
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec import Raw

from rpclab.config import Limits
from rpclab.errors import (
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    MessageError,
    MessageTooLarge,
    NotEncodable,
    RemoteError,
    RpclabError,
)
from rpclab.rpc.connection import Connection
from rpclab.rpc.messages import ErrorObject
from rpclab.rpc.once import Key, Once
from rpclab.rpc.pool import Pool
from rpclab.rpc.registry import Call, Registry, Then
from rpclab.rpc.stub import Stub
from rpclab.world.real import RealWorld

from .cutter import Cutter

QUICK = Limits(patience_s=5.0, retry_s=0.01)
ID = "0123456789abcdef"


class Own(BaseException):
    pass


class Odd(RpclabError):
    """Somebody derived it: it has no message, and a number that nobody knows."""

    code = 7777

    def __init__(self, one: int, other: int) -> None:
        self.both = one, other

    def __str__(self) -> str:
        return f"odd {self.both}"


class Counter:
    """What must not be done twice; how often it was done is looked up here, not asked for."""

    def __init__(self) -> None:
        self.value = 0
        self.seen: list[str] = []
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def add(self, call: Call, amount: int = 1) -> int:
        self.value += amount
        self.seen.append(call.peer.node)
        self.entered.set()
        assert self.go_on.wait(20)
        return self.value

    def fail(self, call: Call) -> None:
        self.value += 1
        raise KeyError(f"no {self.value}")

    def raises(self, call: Call, kind: str) -> None:
        self.value += 1
        raise {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "own": Own("x"), "odd": Odd(1, 2)}[kind]


@pytest.fixture
def counter(registry: Registry) -> Iterator[Counter]:
    counter = Counter()
    registry.register_method(counter.add, with_call=True)
    registry.register_method(counter.fail, with_call=True)
    registry.register_method(counter.raises, with_call=True)
    yield counter
    counter.go_on.set()


@pytest.fixture
def cutter(serve: Callable[..., Any]) -> Iterator[Cutter]:
    service = serve()
    cutter = Cutter(lambda: service.address)
    yield cutter
    cutter.close()


@pytest.fixture
def pool(world: RealWorld, connect: Callable[..., Connection], cutter: Cutter) -> Iterator[Pool]:
    pool = Pool(world, lambda: connect(cutter.address), limits=QUICK, patient=True)
    yield pool
    pool.close()


# ---- answers that are lost


@pytest.mark.parametrize("lost", [1, 2, 5])
@pytest.mark.parametrize("kept", [False, True])
def test_a_counter_is_increased_once_however_many_answers_are_lost(
    lost: int, kept: bool, counter: Counter, cutter: Cutter, pool: Pool
) -> None:
    if kept:
        pool.call("echo", 0)
    cutter.lose("add", lost)
    assert pool.call("add", 5) == 5
    assert counter.value == 5
    asked = [json.loads(each[4:]) for each in cutter.asked("add")]
    assert len(asked) == lost + 1
    assert len({each["once"] for each in asked}) == 1


def test_a_stub_over_a_pool_does_it_once_too(counter: Counter, cutter: Cutter, pool: Pool) -> None:
    cutter.lose("add", 2)
    assert Stub(pool).add(amount=2) == 2
    assert counter.value == 2


def test_the_next_call_is_another_call(counter: Counter, cutter: Cutter, pool: Pool) -> None:
    for number in range(1, 4):
        cutter.lose("add", 1)
        assert pool.call("add") == number


def test_an_error_is_told_again_and_not_made_again(counter: Counter, cutter: Cutter, pool: Pool) -> None:
    cutter.lose("fail", 2)
    with pytest.raises(KeyError, match="no 1"):
        pool.call("fail")
    assert (counter.value, len(cutter.asked("fail"))) == (1, 3)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("exit", "SystemExit: 3"),
        ("interrupt", "KeyboardInterrupt (said"),
        ("own", "Own: x"),
        ("odd", r"Odd: odd (1, 2)"),
    ],
)
def test_what_is_meant_to_end_a_program_is_an_error_that_is_told_once(
    kind: str, said: str, counter: Counter, pool: Pool
) -> None:
    with pytest.raises(RemoteError) as caught:
        pool.call("raises", kind)
    assert str(caught.value).startswith(said) and not caught.value.definite
    assert counter.value == 1


def test_a_result_that_no_message_can_carry_is_the_same_error_again(
    registry: Registry, counter: Counter, cutter: Cutter, pool: Pool
) -> None:
    def much(text: str) -> Any:
        counter.value += 1
        return text * 70_000 if text == "x" else {1, 2}

    registry.register_method(much)
    for text, kind in (("x", MessageTooLarge), ("set", NotEncodable)):
        cutter.lose("much", 1)
        with pytest.raises(kind, match="the result of much"):
            pool.call("much", text)
    assert counter.value == 2


def test_a_result_is_told_again_as_it_was_then(registry: Registry, cutter: Cutter, pool: Pool) -> None:
    kept: list[int] = []

    def append() -> list[int]:
        kept.append(len(kept))
        return kept

    registry.register_method(append)
    cutter.lose("append", 1)
    assert pool.call("append") == [0]
    kept.append(7)
    assert pool.call("append") == [0, 7, 2]


def test_what_only_reads_is_read_again(cutter: Cutter, registry: Registry, pool: Pool) -> None:
    read: list[int] = []
    registry.register_method(lambda: read.append(1) or len(read), "read", reads=True)
    cutter.lose("read", 2)
    assert pool.call("read") == 3


def test_a_conversation_is_begun_again_because_its_data_follow(registry: Registry, cutter: Cutter, pool: Pool) -> None:
    begun: list[int] = []
    heard: list[bytes] = []

    def begin(call: Call) -> Then:
        begun.append(len(begun))
        connection = call.connection
        assert connection is not None
        return Then(len(begun), lambda: heard.append(bytes(connection.channel.receive(None)[1])))  # type: ignore[index]

    registry.register_method(begin, with_call=True)
    cutter.lose("begin", 1)
    with pool.begin("begin") as (connection, answer):
        connection.channel.send_packet(ord("D"), b"data", None)
        assert connection.ask("echo", 1) == 1
    assert (answer, begun, heard[-1]) == (2, [0, 1], b"data")


def test_an_impatient_pool_asks_a_second_time_and_no_more(
    counter: Counter, world: RealWorld, connect: Callable[..., Connection], cutter: Cutter
) -> None:
    pool = Pool(world, lambda: connect(cutter.address))
    cutter.lose("add", 1)
    assert pool.call("add") == 1
    cutter.lose("add", 2)
    with pytest.raises(ConnectionLost, match=r"tried 2 times"):
        pool.call("add")
    assert counter.value == 2  # the second call was carried out, once
    pool.close()


# ---- the same call twice at once


def by_id(connection: Connection, once: str, method: str = "add", **options: Any) -> Any:
    return connection.call(method, once=once, **options)


def test_who_asks_while_it_is_under_way_waits_for_it(
    counter: Counter, serve: Callable[..., Any], connect: Callable[..., Connection], in_task: Callable[..., Any]
) -> None:
    service = serve()
    counter.go_on.clear()
    first = in_task(lambda: by_id(connect(service.address), ID))
    assert counter.entered.wait(10)
    others = [in_task(lambda: by_id(connect(service.address), ID)) for _ in range(5)]
    assert not any(other.done() for other in others)
    counter.go_on.set()
    assert [each.result(10) for each in [first, *others]] == [1] * 6
    assert counter.value == 1


def test_it_waits_no_longer_than_its_own_deadline(
    counter: Counter, serve: Callable[..., Any], connect: Callable[..., Connection], in_task: Callable[..., Any]
) -> None:
    service = serve()
    counter.go_on.clear()
    first = in_task(lambda: by_id(connect(service.address), ID))
    assert counter.entered.wait(10)
    with pytest.raises(DeadlineExceeded):
        by_id(connect(service.address), ID, deadline_s=0.1)
    counter.go_on.set()
    assert first.result(10) == 1
    assert by_id(connect(service.address), ID) == 1


def test_equal_ids_of_different_nodes_roles_and_methods_do_not_mix(
    counter: Counter, serve: Callable[..., Any], connect: Callable[..., Connection]
) -> None:
    service = serve()
    for number, options in enumerate(({"node": "ann"}, {"node": "bob"}, {"node": "ann", "role": "server"}), 1):
        assert by_id(connect(service.address, **options), ID) == number
        assert by_id(connect(service.address, **options), ID) == number
    with pytest.raises(KeyError):
        by_id(connect(service.address, node="ann"), ID, "fail")
    assert counter.seen == ["ann", "bob", "ann"]


def test_without_an_id_a_call_is_a_call(
    counter: Counter, serve: Callable[..., Any], connect: Callable[..., Connection]
) -> None:
    connection = connect(serve().address)
    assert [connection.call("add"), connection.call("add")] == [1, 2]


@pytest.mark.parametrize("bad", ["", "short", "x" * 65, 5, None, ["0123456789abcdef"]])
def test_an_id_of_another_form_is_no_message(
    bad: Any, serve: Callable[..., Any], by_hand: Any, counter: Counter
) -> None:
    peer = by_hand(serve().address).shake_hands()
    peer.send({"jsonrpc": "2.0", "id": 9, "method": "add", "params": [], "once": bad})
    answer = peer.receive()
    assert (answer["id"], answer["error"]["code"]) == (9, MessageError.code)
    assert counter.value == 0
    peer.send({"jsonrpc": "2.0", "id": 10, "method": "add", "params": [], "once": ID})
    assert peer.receive()["result"] == 1


# ---- the table


def key(number: int) -> Key:
    return ("client", "client1", "add", f"{number:016}")


def told(table: Once, number: int, result: Raw | ErrorObject) -> Any:
    return table.run(key(number), 1.0, lambda: result)


def test_the_table_forgets_the_oldest_over_its_count(world: RealWorld) -> None:
    table = Once(world, Limits(once=3))
    for number in range(5):
        told(table, number, Raw(b"1"))
    assert len(table) == 3
    assert told(table, 4, Raw(b"2")) == Raw(b"1")
    assert told(table, 0, Raw(b"2")) == Raw(b"2")


@pytest.mark.parametrize("outcome", [Raw(b"0" * 1000), ErrorObject(1, "x" * 500, {"type": "x" * 500})])
def test_the_table_forgets_the_oldest_over_its_bytes(world: RealWorld, outcome: Any) -> None:
    table = Once(world, Limits(once_bytes=10_000))
    for number in range(50):
        told(table, number, outcome)
    assert 5 <= len(table) <= 10


def test_what_ends_with_no_outcome_is_forgotten_and_the_waiting_one_does_it(
    world: RealWorld, in_task: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    table, entered, go_on = Once(world, Limits()), threading.Event(), threading.Event()

    def die() -> Raw:
        entered.set()
        assert go_on.wait(10)
        raise SystemExit

    first = in_task(lambda: table.run(key(1), 10.0, die))
    assert entered.wait(10)
    second = in_task(lambda: table.run(key(1), 10.0, lambda: Raw(b"2")))
    go_on.set()
    assert second.result(10) == Raw(b"2")
    assert isinstance(first.exception(10), SystemExit)


def test_memory_is_flat_over_many_calls(world: RealWorld) -> None:
    table = Once(world, Limits())

    def calls(first: int, count: int) -> int:
        for number in range(first, first + count):
            told(table, number, Raw(b"%d" % number))
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        full = calls(0, 10_000)
        after = calls(10_000, 90_000)
    finally:
        tracemalloc.stop()
    assert after < full * 1.1 + 10_000
    assert after < 4 * 1024 * 1024


# ---- patience


def test_a_node_that_is_started_anew_within_the_patience_is_not_missed(
    counter: Counter, serve: Callable[..., Any], world: RealWorld, connect: Callable[..., Connection], in_task: Any
) -> None:
    first = serve()
    pool = Pool(world, lambda: connect(first.address), limits=QUICK, patient=True)
    assert pool.call("add") == 1
    first.stop()
    asked = in_task(lambda: pool.call("add"))
    with pytest.raises(TimeoutError):
        asked.result(0.3)
    serve(address=first.address)
    assert asked.result(10) == 2
    pool.close()


def test_patience_ends_and_says_how_long_it_was(
    serve: Callable[..., Any], world: RealWorld, connect: Callable[..., Connection]
) -> None:
    service = serve()
    service.stop()
    tries: list[float] = []

    def try_one() -> Connection:
        tries.append(time.monotonic())
        return connect(service.address)

    limits = Limits(patience_s=0.4, retry_s=0.02)
    pool = Pool(world, try_one, limits=limits, patient=True)
    with pytest.raises(ConnectFailed, match=r"nobody answers .* \(tried \d+ times in 0\.[3-9] s\)") as caught:
        pool.call("add")
    assert caught.value.definite
    assert 4 <= len(tries) <= 40
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert len({round(gap, 3) for gap in gaps}) > 2  # jitter: no two callers come back together

    tries.clear()
    with pytest.raises(ConnectFailed) as caught:
        pool.call("add", deadline_s=0.05)
    assert tries[-1] - tries[0] < 0.3
    tries.clear()
    with pytest.raises(ConnectFailed) as caught:
        pool.call("add", patience_s=0.0)
    assert len(tries) == 1 and "tried" not in caught.value.message


def test_a_pool_that_is_closed_is_not_patient_any_more(
    serve: Callable[..., Any], world: RealWorld, connect: Callable[..., Connection], in_task: Callable[..., Any]
) -> None:
    service = serve()
    service.stop()
    tried = threading.Event()

    def try_one() -> Connection:
        tried.set()
        return connect(service.address)

    pool = Pool(world, try_one, limits=Limits(patience_s=60.0, retry_s=60.0, call_s=60.0), patient=True)
    asked = in_task(lambda: pool.call("add"))
    assert tried.wait(10)
    pool.close()
    assert isinstance(asked.exception(5), ConnectFailed)


def test_a_node_with_no_room_is_asked_again_until_it_has_some(
    counter: Counter, serve: Callable[..., Any], world: RealWorld, connect: Callable[..., Connection], in_task: Any
) -> None:
    service = serve(limits=Limits(connections=1))
    only = connect(service.address)
    pool = Pool(world, lambda: connect(service.address), limits=QUICK, patient=True)
    asked = in_task(lambda: pool.call("add"))
    with pytest.raises(TimeoutError):
        asked.result(0.2)
    only.close()
    assert asked.result(10) == 1
    pool.close()
