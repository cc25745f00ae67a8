"""The listener: a task for each connection, a limit to them, and an end that leaves nothing behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rpclab.config import Limits
from rpclab.errors import ConnectFailed, ConnectionLost, PortInUse, TooManyConnections, UsageError
from rpclab.rpc.connection import Connection
from rpclab.rpc.pool import Pool
from rpclab.rpc.registry import Call, Registry, Then

Serve = Callable[..., Any]
Connect = Callable[..., Connection]


@pytest.fixture
def gate(registry: Registry, serve: Serve) -> Iterator[tuple[threading.Event, threading.Event]]:
    """A remote method `wait` that tells that it was entered, and waits until it is let."""
    entered, opened = threading.Event(), threading.Event()

    def wait() -> str:
        entered.set()
        assert opened.wait(20)
        return "answered"

    registry.register_method(wait)
    yield entered, opened
    opened.set()


def serving() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("server1-")]


# ---- the start


def test_nobody_is_served_before_the_node_has_said_that_it_started(serve: Serve, connect: Connect) -> None:
    answered = threading.Event()
    tasks: list[threading.Thread] = []

    def call(address: Any) -> None:
        connect(address).call("echo", 1)
        answered.set()

    def when_bound(address: Any) -> None:
        tasks.append(threading.Thread(target=call, args=(address,)))
        tasks[0].start()
        assert not answered.wait(0.3)

    serve(when_bound=when_bound)
    assert answered.wait(10)
    tasks[0].join()


# ---- many at once


def test_a_slow_call_holds_up_nobody_else(gate: Any, serve: Serve, connect: Connect) -> None:
    service = serve()
    slow, quick = connect(service.address), connect(service.address)
    answers: list[str] = []
    task = threading.Thread(target=lambda: answers.append(slow.call("wait")))
    task.start()
    assert gate[0].wait(10)
    assert quick.call("echo", 1) == 1
    gate[1].set()
    task.join(10)
    assert answers == ["answered"]


def test_a_task_is_named_after_its_node_and_peer(registry: Registry, serve: Serve, connect: Connect) -> None:
    registry.register_method(lambda: threading.current_thread().name, "task")
    connection = connect(serve().address)
    assert connection.call("task").startswith("server1-serves-")


def test_messages_are_shown_when_asked_for_and_long_ones_cut(serve: Serve, connect: Connect) -> None:
    service = serve(show_messages=True)
    connection = connect(service.address)
    connection.call("echo", "hi")
    connection.call("echo", "x" * 1000)
    assert service.said[0] == "client1: echo(['hi'])"
    assert service.said[1].endswith("(1,004 letters))")
    assert len(service.said[1]) < 300


# ---- the limit


def test_one_connection_too_many_is_refused_as_that_and_room_is_used_again(
    serve: Serve, connect: Connect, eventually: Callable[..., None]
) -> None:
    service = serve(limits=Limits(connections=2))
    first, second = connect(service.address), connect(service.address)
    with pytest.raises(
        TooManyConnections, match="server1 can serve no more than 2 connections now: try again later"
    ) as caught:
        connect(service.address)
    assert caught.value.definite
    assert (first.call("echo", 1), second.call("echo", 2)) == (1, 2)
    first.close()

    def third() -> bool:
        try:
            return connect(service.address).call("echo", 3) == 3
        except TooManyConnections:
            return False

    eventually(third)


def test_strangers_do_not_fill_the_node_for_good(serve: Serve, by_hand: Any, connect: Connect, eventually: Any) -> None:
    service = serve(limits=Limits(connections=3, handshake_s=0.3))
    for _ in range(3):
        by_hand(service.address)

    def let_in() -> bool:
        try:
            return connect(service.address).call("echo", 1) == 1
        except TooManyConnections:
            return False

    eventually(let_in)


def test_a_system_that_gives_no_more_threads_costs_one_connection_not_the_node(
    world: Any, registry: Registry, connect: Connect, serve: Serve
) -> None:
    class Tasks:
        """The real tasks, but of those that serve a connection the second cannot be started."""

        lock, condition = world.tasks.lock, world.tasks.condition
        count = 0

        def spawn(self, function: Any, name: str) -> Any:
            self.count += "-serves-" in name
            if "-serves-" in name and self.count == 2:
                raise RuntimeError("can't start new thread")
            return spawn(function, name)

    spawn = world.tasks.spawn
    world.tasks = Tasks()
    service = serve()
    assert connect(service.address).call("echo", 1) == 1
    with pytest.raises(TooManyConnections):
        connect(service.address)
    assert connect(service.address).call("echo", 3) == 3


# ---- the end


def test_stopping_ends_idle_connections_at_once(serve: Serve, connect: Connect) -> None:
    service = serve()
    connections = [connect(service.address) for _ in range(5)]
    for connection in connections:
        connection.call("echo", 1)
    began = time.perf_counter()
    service.stop(10)
    assert time.perf_counter() - began < 5
    assert serving() == []
    for connection in connections:
        with pytest.raises(ConnectionLost):
            connection.call("echo", 2)
    assert service.said == []  # an end that was wanted is no news


def test_stopping_waits_for_a_busy_one_and_no_longer(gate: Any, serve: Serve, connect: Connect) -> None:
    service = serve()
    connection = connect(service.address)
    answers: list[str] = []
    caller = threading.Thread(target=lambda: answers.append(connection.call("wait")))
    caller.start()
    assert gate[0].wait(10)
    stopper = threading.Thread(target=lambda: service.stop(15))
    began = time.perf_counter()
    stopper.start()
    stopper.join(0.1)
    assert stopper.is_alive()
    gate[1].set()
    stopper.join(10)
    caller.join(10)
    assert time.perf_counter() - began < 5
    assert answers == ["answered"]
    assert serving() == []


def test_stopping_does_not_wait_for_ever(gate: Any, serve: Serve, connect: Connect) -> None:
    service = serve(limits=Limits(stop_s=0.1))
    connection = connect(service.address)
    failed: list[BaseException] = []

    def call() -> None:
        try:
            connection.call("wait")
        except ConnectionLost as error:
            failed.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    assert gate[0].wait(10)
    service.stop(0.1)
    caller.join(10)
    assert [type(error) for error in failed] == [ConnectionLost]


def test_what_is_asked_while_a_node_stops_is_refused_and_answered_by_its_next_life(
    gate: Any, serve: Serve, connect: Connect, world: Any, in_task: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    service = serve()
    slow = in_task(lambda: connect(service.address).call("wait"))
    assert gate[0].wait(10)
    stopping = in_task(lambda: service.stop(15))
    eventually(lambda: service.listener._stopping)
    with pytest.raises((ConnectFailed, TooManyConnections)):  # the latter in the moment before its port is closed
        connect(service.address)
    pool = Pool(world, lambda: connect(service.address), limits=Limits(patience_s=15.0, retry_s=0.01), patient=True)
    patient = in_task(lambda: pool.call("echo", 1, deadline_s=15.0))
    with pytest.raises(TimeoutError):
        patient.result(0.1)
    gate[1].set()
    stopping.result(10)
    assert slow.result(10) == "answered"
    serve(address=service.address)
    assert patient.result(15) == 1
    pool.close()


@pytest.mark.parametrize("asks", [True, False])
def test_stopping_lets_a_conversation_go_on_to_its_end_but_waits_for_nobody_who_says_nothing(
    asks: bool, registry: Registry, serve: Serve, connect: Connect, in_task: Callable[..., Any], eventually: Any
) -> None:
    heard: list[bytes] = []

    def begin(call: Call) -> Then:
        connection = call.connection
        assert connection is not None

        def go_on() -> None:
            packet = connection.channel.receive(None)
            assert packet is not None
            heard.append(bytes(packet[1]))

        return Then("go on", go_on, asked_after=True)

    registry.register_method(begin, with_call=True)
    registry.register_method(lambda: [each.decode() for each in heard], "heard")
    service = serve()
    connection = connect(service.address)
    assert connection.call("begin") == "go on"
    began = time.perf_counter()
    stopping = in_task(lambda: service.stop(10 if asks else 0.3))
    eventually(lambda: service.listener._stopping)
    connection.channel.send_packet(ord("D"), b"raw", None)
    if asks:
        assert connection.call("heard") == ["raw"]
    stopping.result(20)
    assert time.perf_counter() - began < 5
    assert heard == [b"raw"] and serving() == []
    with pytest.raises(ConnectionLost):
        connection.call("echo", 1)


def test_stopping_ends_half_a_handshake(serve: Serve, by_hand: Any) -> None:
    service = serve()
    stranger = by_hand(service.address)
    stranger.hello()
    service.stop()
    assert stranger.rest() == b""
    assert serving() == []


def test_stopping_twice_or_before_starting_is_fine(serve: Serve) -> None:
    service = serve()
    service.stop()
    service.stop(1)
    from rpclab.rpc.listener import Listener

    Listener(service.listener.world, service.registry, service.listener.identity, service.listener.tracer).stop()


def test_after_the_stop_nobody_answers_and_the_port_is_free(serve: Serve, connect: Connect, world: Any) -> None:
    service = serve()
    connect(service.address)
    service.stop()
    with pytest.raises(ConnectFailed):
        connect(service.address)
    again = world.network.listen(service.address)  # at once, although the connection lingers in TIME_WAIT
    again.close()
    assert again.accept() is None


def test_a_remote_method_may_stop_its_own_node(registry: Registry, serve: Serve, connect: Connect) -> None:
    service = serve()
    registry.register_method(lambda: service.stop(0.1), "stop")
    connection = connect(service.address)
    with pytest.raises(ConnectionLost):
        connection.call("stop")
        connection.call("echo", 1)


def test_a_port_in_use_is_a_clear_error(serve: Serve, world: Any) -> None:
    service = serve()
    with pytest.raises(
        PortInUse, match=rf"port {service.address[1]} on 127.0.0.1 is in use: stop what uses it, or choose another"
    ):
        world.network.listen(service.address)
    with pytest.raises(UsageError, match=r"cannot listen on 203\.0\.113\.1:0"):
        world.network.listen(("203.0.113.1", 0))  # documentation's address (RFC 5737): none of ours
    with pytest.raises(UsageError, match="99999 is no port"):
        world.network.listen(("127.0.0.1", 99999))


# ---- a conversation that goes on after the answer, and functions for its end


def test_what_follows_an_answer_has_the_connection_for_itself(
    registry: Registry, serve: Serve, connect: Connect
) -> None:
    heard: list[Any] = []

    def begin(call: Call) -> Then:
        connection = call.connection
        assert connection is not None
        return Then("go on", lambda: heard.append(bytes(connection.channel.receive(None)[1])))  # type: ignore[index]

    registry.register_method(begin, with_call=True)
    connection = connect(serve().address)
    assert connection.call("begin") == "go on"
    connection.channel.send_packet(ord("D"), b"raw", None)
    assert connection.call("echo", 1) == 1
    assert heard == [b"raw"]


@pytest.mark.parametrize("end", ["close", "garbage", "stop"])
def test_functions_for_the_end_of_a_connection_are_called_in_reverse_however_it_ends(
    end: str, registry: Registry, serve: Serve, connect: Connect, eventually: Callable[..., None]
) -> None:
    ended: list[str] = []

    def register(call: Call) -> None:
        call.at_end += [lambda: ended.append("first"), lambda: ended.append("second")]

    registry.register_method(register, with_call=True)
    service = serve()
    connection = connect(service.address)
    connection.call("register")
    if end == "garbage":
        connection.channel.stream.send([b"garbage!"], None)
    elif end == "close":
        connection.close()
    else:
        service.stop()
    eventually(lambda: ended == ["second", "first"])


# ---- wrong packets of a peer that is known


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"garbage!", "starts with 0x67"),
        (b"M\xff\xff\xff", "16,777,215 bytes, at most 65,536"),
        (b"M\x01\x00\x01" + b" " * 65_537, "65,537 bytes"),
        (b"D\x00\x00\x01x", "unexpected 'D' packet"),
        (b"D\x00\x00\x00", "without data"),
    ],
)  # fmt: skip
def test_a_known_peer_is_told_why_its_connection_ends(
    data: bytes, reason: str, serve: Serve, by_hand: Any, eventually: Any
) -> None:
    service = serve()
    peer = by_hand(service.address).shake_hands()
    peer.send_bytes(data)
    kind, payload = peer.receive_packet()
    assert (kind, reason in payload.decode()) == (b"A", True)
    assert peer.rest() == b""
    eventually(lambda: service.said)
    assert "PacketError" in service.said[0]


def test_a_packet_that_trickles_in_ends_its_connection_after_its_time(
    serve: Serve, by_hand: Any, connect: Connect, eventually: Any
) -> None:
    """One byte at a time, each in good time: the deadline is that of the whole packet."""
    service = serve(limits=Limits(packet_s=0.3))
    peer = by_hand(service.address).shake_hands()
    whole = b"M\x00\x00\xff" + b" " * 255
    sent = 0

    def ended() -> bool:
        nonlocal sent
        if not service.said:
            try:
                peer.send_bytes(whole[sent : sent + 1])
            except OSError:
                return False
            sent += 1
        return bool(service.said)

    eventually(ended, 10)
    assert "DeadlineExceeded" in service.said[0]
    assert 1 < sent < len(whole)
    assert connect(service.address).call("echo", 1) == 1


def test_an_idle_connection_ends_when_the_limits_say_so(serve: Serve, connect: Connect) -> None:
    connection = connect(serve(limits=Limits(idle_s=0.1)).address)
    with pytest.raises(ConnectionLost):
        connection.stay(10)


def test_a_peer_that_reads_nothing_does_not_hold_the_node(
    registry: Registry, serve: Serve, by_hand: Any, connect: Connect, eventually: Any
) -> None:
    registry.register_method(lambda: "x" * 60_000, "much")
    service = serve(limits=Limits(call_s=0.3))
    peer = by_hand(service.address).shake_hands()
    call = b'{"jsonrpc":"2.0","id":1,"method":"much"}'
    try:
        for _ in range(5000):
            peer.send_bytes(b"M" + len(call).to_bytes(3, "big") + call)
            if service.said:
                break
    except OSError:
        pass
    eventually(lambda: service.said)
    assert "DeadlineExceeded" in service.said[0] or "went away" in service.said[0]
    assert connect(service.address).call("echo", 1) == 1
