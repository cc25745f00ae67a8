"""Pools: connections for many tasks, never two answers crossed, dead ones replaced."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rpclab.errors import ConnectFailed, ConnectionBusy, ConnectionLost, DeadlineExceeded, HandshakeError
from rpclab.rpc.connection import Connection
from rpclab.rpc.pool import Pool, Pools
from rpclab.rpc.registry import Registry


@pytest.fixture
def pool_to(world: Any, connect: Callable[..., Connection]) -> Iterator[Callable[..., Pool]]:
    """A pool of connections to an address; `made` counts them."""
    pools: list[Pool] = []

    def make(address: Any) -> Pool:
        def one() -> Connection:
            made.append(connect(address() if callable(address) else address))
            return made[-1]

        made: list[Connection] = []
        pools.append(Pool(world, one))
        pools[-1].made = made  # type: ignore[attr-defined]
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def test_eight_tasks_with_two_hundred_calls_each_get_each_its_own_answers(
    serve: Callable[..., Any], pool_to: Any
) -> None:
    pool = pool_to(serve().address)

    def work(task: int) -> list[Any]:
        return [pool.call("echo", [task, number]) for number in range(200)]

    with concurrent.futures.ThreadPoolExecutor(8) as tasks:
        answers = list(tasks.map(work, range(8)))
    assert answers == [[[task, number] for number in range(200)] for task in range(8)]
    assert len(pool.made) <= 8


def test_one_task_uses_one_connection_again_and_again(serve: Callable[..., Any], pool_to: Any) -> None:
    pool = pool_to(serve().address)
    assert [pool.call("echo", number) for number in range(10)] == list(range(10))
    assert len(pool.made) == 1


def test_what_nobody_has_used_for_a_while_is_let_go_and_the_others_stay(
    serve: Callable[..., Any], pool_to: Any
) -> None:
    pool = pool_to(serve().address)
    with pool.take() as first:
        assert pool.call("echo", "over a second one") == "over a second one"
        pool.let_go(60.0)
        assert not any(connection.closed for connection in pool.made)
        pool.let_go(0.0)
        assert first.call("echo", "in use") == "in use"
    assert [connection.closed for connection in pool.made] == [False, True]
    assert pool.call("echo", "again") == "again" and len(pool.made) == 2
    pool.let_go(0.0)
    assert all(connection.closed for connection in pool.made)
    assert pool.call("echo", "over a new one") == "over a new one" and len(pool.made) == 3


def test_after_a_deadline_the_next_call_works(registry: Registry, serve: Callable[..., Any], pool_to: Any) -> None:
    opened = threading.Event()
    registry.register_method(lambda: opened.wait(20), "wait")
    pool = pool_to(serve().address)
    pool.call("echo", 0)
    with pytest.raises(DeadlineExceeded):
        pool.call("wait", deadline_s=0.1)
    assert pool.call("echo", 1) == 1
    assert pool.made[0].closed
    opened.set()


def test_a_kept_connection_that_died_is_replaced_once(
    serve: Callable[..., Any], pool_to: Any, registry: Registry
) -> None:
    where = [serve()]
    pool = pool_to(lambda: where[-1].address)
    assert pool.call("echo", 1) == 1
    where[-1].stop()
    where.append(serve())
    assert pool.call("echo", 2) == 2
    assert len(pool.made) == 2


def test_a_conversation_begins_anew_on_a_new_connection_too(serve: Callable[..., Any], pool_to: Any) -> None:
    where = [serve()]
    pool = pool_to(lambda: where[-1].address)
    pool.call("echo", 1)
    where[-1].stop()
    where.append(serve())
    with pool.begin("echo", 2) as (connection, answer):
        assert answer == 2
        with pytest.raises(ConnectionBusy):
            connection.call("echo", 3)
        assert connection.ask("echo", 3) == 3
    assert pool.call("echo", 4) == 4
    assert len(pool.made) == 2


def test_a_second_death_is_an_error_and_not_a_third_attempt(pool_to: Any, answer_by_hand: Any, responder: Any) -> None:
    asked: list[Any] = []

    def answer_once(peer: Any) -> None:
        responder(peer)
        request = peer.receive()
        asked.append(request["params"])
        if request["params"] == ["live"]:
            peer.send({"jsonrpc": "2.0", "id": request["id"], "result": 1})

    pool = pool_to(answer_by_hand(answer_once))
    assert pool.call("echo", "live") == 1
    with pytest.raises(ConnectionLost):
        pool.call("echo", "die")
    assert asked == [["live"], ["die"]]  # the first connection had ended already, the second heard the call
    assert len(pool.made) == 2


def test_a_lost_connection_that_the_peer_tells_of_is_an_answer_and_not_called_again(
    registry: Registry, serve: Callable[..., Any], pool_to: Any
) -> None:
    count: list[int] = []

    def relay() -> None:
        count.append(1)
        raise ConnectionLost("the third node went away")

    registry.register_method(relay)
    pool = pool_to(serve().address)
    pool.call("echo", 1)
    with pytest.raises(ConnectionLost, match=r"third node went away \(said server1\)"):
        pool.call("relay")
    assert (len(count), len(pool.made)) == (1, 1)


def test_where_nobody_answers_any_more_the_error_says_so(serve: Callable[..., Any], pool_to: Any) -> None:
    service = serve()
    pool = pool_to(service.address)
    pool.call("echo", 1)
    service.stop()
    with pytest.raises(ConnectionLost, match="nobody answers"):  # over the kept connection it may have been asked
        pool.call("echo", 2)
    with pytest.raises(ConnectFailed):
        pool.call("echo", 3)


def test_of_a_call_that_its_peer_died_in_it_is_never_said_that_it_did_not_happen(
    registry: Registry, serve: Callable[..., Any], pool_to: Any
) -> None:
    done = []

    def do_and_die() -> None:
        done.append("done")
        service.stop()

    registry.register_method(do_and_die, "die")
    for ask in (lambda pool: pool.call("die"), lambda pool: pool.begin("die").__enter__()):
        service = serve()
        pool = pool_to(service.address)
        pool.call("echo", 1)
        with pytest.raises(ConnectionLost) as caught:
            ask(pool)
        assert done == ["done"] and not caught.value.definite
        done.clear()


def test_a_connection_that_broke_in_a_conversation_is_not_kept(serve: Callable[..., Any], pool_to: Any) -> None:
    pool = pool_to(serve().address)
    with pytest.raises(KeyError), pool.take() as connection:
        connection.close()
        raise KeyError
    assert pool.call("echo", 1) == 1
    assert len(pool.made) == 2


def test_a_closed_pool_keeps_nothing_open(serve: Callable[..., Any], pool_to: Any) -> None:
    pool = pool_to(serve().address)
    with pool.take() as lent:
        pool.close()
    assert lent.closed
    pool.close()
    assert pool.call("echo", 1) == 1  # a session may be used again
    assert all(connection.closed for connection in pool.made)


def test_at_most_so_many_idle_connections_are_kept(serve: Callable[..., Any], pool_to: Any) -> None:
    pool = pool_to(serve().address)
    lent = [pool.take() for _ in range(12)]
    for each in lent:
        each.__enter__()
    for each in lent:
        each.__exit__(None, None, None)
    assert sum(not connection.closed for connection in pool.made) == 8


def test_a_refused_handshake_is_not_tried_again(serve: Callable[..., Any], world: Any, connect: Any) -> None:
    service, tries = serve(), []

    def stranger() -> Connection:
        tries.append(1)
        return connect(service.address, secret=bytes(32))  # type: ignore[no-any-return]

    with pytest.raises(HandshakeError):
        Pool(world, stranger).call("echo", 1)
    assert tries == [1]


def test_pools_give_each_address_its_own(serve: Callable[..., Any], world: Any, connect: Any) -> None:
    first, second = serve(node="server1"), serve(node="server2")
    pools = Pools(world, connect)
    assert pools.to(first.address) is pools.to(first.address)
    with pools.to(first.address).take() as one, pools.to(second.address).take() as other:
        assert (one.peer.node, other.peer.node) == ("server1", "server2")
    pools.close()
    assert one.closed
    assert other.closed
