"""Slow senders, peers that vanish without a word, floods, handshakes that stop half way: each is ended by an absolute deadline,
others are served meanwhile, and no task and no socket is left."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from rpclab.config import Limits
from rpclab.errors import ConnectFailed, HandshakeError
from rpclab.rpc.connection import Connection

from ..trial.memory import sockets_allowed

Serve = Callable[..., Any]
Connect = Callable[..., Connection]

LIMIT_S = 0.3  # a handshake's, and a packet's
LATE_S = 5.0  # beyond the limit, on a slow machine
TCP_REPAIR = 19  # Linux: a socket that is closed in repair mode says nothing to its peer
STEPS = ["nothing", "half a header", "half a hello", "a hello", "half a proof", "half a packet", "half a file"]


def part(peer: Any, step: str) -> bytes:
    """Take the peer up to that step; returns what it would say next."""
    hello = b'{"jsonrpc":"2.0","id":1,"method":"hello","params":{}}'.ljust(900)
    said = b"M" + len(hello).to_bytes(3, "big") + hello
    if step in ("nothing", "half a header", "half a hello"):
        cut = {"nothing": 0, "half a header": 2, "half a hello": 50}[step]
        peer.send_bytes(said[:cut])
        return said[cut:]
    if step in ("a hello", "half a proof"):
        peer.hello()
        peer.send_bytes(b"" if step == "a hello" else said[:50])
        return said if step == "a hello" else said[50:]
    peer.shake_hands()
    if step == "half a packet":
        peer.send_bytes(said[:50])
        return said[50:]
    assert peer.call("take", [])["result"] == "go on"
    peer.send_bytes(b"D\x00\x03\x84" + bytes(50))
    return bytes(850)


@pytest.fixture
def service(serve: Serve, registry: Any) -> Any:
    """A node with short limits, and with a method after which a file comes."""
    from rpclab.rpc.registry import Call, Then

    def take(call: Call) -> Then:
        channel = call.connection.channel  # type: ignore[union-attr]
        return Then("go on", lambda: channel.receive(channel.now() + channel.limits.transfer_s))

    registry.register_method(take, with_call=True)
    return serve(limits=Limits(handshake_s=LIMIT_S, packet_s=LIMIT_S, transfer_s=LIMIT_S, connections=40))


@pytest.fixture
def others(service: Any, connect: Connect) -> Iterator[list[float]]:
    """Somebody who is served all the time: how long each of the calls took."""
    connection, stop, took = connect(service.address), threading.Event(), list[float]()

    def call() -> None:
        while not stop.wait(0.005):
            began = time.perf_counter()
            assert connection.call("echo", 1) == 1
            took.append(time.perf_counter() - began)

    caller = threading.Thread(target=call, name="others")
    caller.start()
    yield took
    count = len(took)
    while len(took) == count and caller.is_alive():  # also after all that happened
        time.sleep(0.005)
    stop.set()
    caller.join(10)
    assert len(took) > count
    assert max(took) < LIMIT_S + LATE_S


def tasks() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("server1-serves-")]


def sockets(service: Any) -> int:
    """The node's own connections that this process still holds open."""
    port = service.address[1]
    return sum(
        each.laddr.port == port for each in psutil.Process().net_connections("tcp") if each.status == "ESTABLISHED"
    )


def nothing_is_left_of(service: Any, eventually: Any, served: int = 1) -> None:
    eventually(lambda: len(tasks()) == served, what="the end of the stranger's task")
    eventually(lambda: sockets(service) == served, what="the end of the stranger's socket")


# ---- one who is silent, slow, or gone, at each step


@pytest.mark.parametrize("step", STEPS)
def test_who_falls_silent_is_ended_in_time(step: str, service: Any, others: Any, by_hand: Any, eventually: Any) -> None:
    peer = by_hand(service.address)
    part(peer, step)
    began = time.perf_counter()
    peer.rest()  # returns when the node has closed the connection
    assert time.perf_counter() - began < LIMIT_S + LATE_S
    eventually(lambda: service.said)
    assert "DeadlineExceeded" in service.said[0] or "went away" in service.said[0]
    assert len(service.said) == 1
    nothing_is_left_of(service, eventually)


@pytest.mark.parametrize("step", STEPS)
def test_who_sends_byte_after_byte_is_ended_in_time_however_fast_each_comes(
    step: str, service: Any, others: Any, by_hand: Any, eventually: Any
) -> None:
    peer = by_hand(service.address)
    rest = part(peer, step)
    began, pause, sent = time.perf_counter(), threading.Event(), 0
    with contextlib.suppress(OSError):
        for sent in range(len(rest)):
            peer.send_bytes(rest[sent : sent + 1])
            if service.said:
                break
            pause.wait(0.02)  # one byte each; all of them would take eighteen seconds
    assert time.perf_counter() - began < LIMIT_S + LATE_S
    assert 1 < sent < len(rest) - 1
    nothing_is_left_of(service, eventually)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("how", ["closed", "reset"])
def test_who_goes_away_leaves_nothing(
    step: str, how: str, service: Any, others: Any, by_hand: Any, eventually: Any
) -> None:
    peer = by_hand(service.address)
    part(peer, step)
    if how == "reset":
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    nothing_is_left_of(service, eventually)
    assert not any("please report" in line for line in service.said)


@pytest.fixture
def vanish() -> Callable[[socket.socket], None]:
    """End a socket without a word to its peer, as a machine that loses its power does. Root on Linux can."""

    def end(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # nothing is open for which its peer would ask
        try:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        except OSError:
            pytest.skip("only root on Linux can end a connection without a word")
        sock.close()

    if sys.platform != "linux":
        pytest.skip("only root on Linux can end a connection without a word")
    return end


@pytest.mark.parametrize("step", STEPS)
def test_whose_machine_loses_its_power_is_ended_in_time(
    step: str, service: Any, others: Any, by_hand: Any, eventually: Any, vanish: Any
) -> None:
    peer = by_hand(service.address)
    part(peer, step)
    eventually(lambda: len(tasks()) == 2)
    began = time.perf_counter()
    vanish(peer.sock)
    assert len(tasks()) == 2, "the node was told after all"
    eventually(lambda: len(tasks()) == 1)
    assert time.perf_counter() - began < LIMIT_S + LATE_S
    nothing_is_left_of(service, eventually)


def test_a_known_peer_whose_machine_loses_its_power_between_two_calls_is_noticed(
    serve: Serve, by_hand: Any, eventually: Any, vanish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may think as long as it likes, so no deadline ends it: the system asks now and then whether it is there."""
    monkeypatch.setattr("rpclab.world.real_network._ASK_AFTER_S", 1)
    service = serve()
    peer = by_hand(service.address).shake_hands()
    vanish(peer.sock)
    assert len(tasks()) == 1
    nothing_is_left_of(service, eventually, served=0)


# ---- many at once


@sockets_allowed(2048)
def test_a_flood_of_connections_without_a_handshake(
    service: Any, others: list[float], connect: Connect, eventually: Any
) -> None:
    """Three hundred of them, the cap is forty: who is connected is served on, the rest is told, and there is room again."""
    began = time.perf_counter()
    flood = [socket.create_connection(service.address, 10) for _ in range(300)]
    refused, most = 0, len(tasks())
    for sock in flood:
        with contextlib.suppress(ConnectionResetError):
            refused += b'"code":114' in sock.recv(1000)  # returns once the node has ended it
        sock.close()
    assert most <= 40
    assert refused > 100
    assert time.perf_counter() - began < LIMIT_S + 2 * LATE_S
    nothing_is_left_of(service, eventually)
    assert connect(service.address).call("echo", 2) == 2
    assert len([line for line in service.said if "DeadlineExceeded" in line]) == 300 - refused


# ---- strangers at whose door we knock


@pytest.mark.parametrize("step", ["nothing", "half a header", "half an answer", "an answer", "half a welcome"])
@pytest.mark.parametrize("slow", [False, True], ids=["silent", "slow"])
def test_a_node_that_stops_half_way_is_given_up_in_time(
    step: str, slow: bool, connect: Connect, answer_by_hand: Any, responder: Any
) -> None:
    def answer(peer: Any) -> None:
        whole = peer.send_bytes
        done = 0

        def send_part(data: bytes) -> None:
            nonlocal done
            done += 1
            answered = {"an answer": 1, "half a welcome": 1}.get(step, 0)
            if done <= answered:
                whole(data)
                return
            cut = {"nothing": 0, "half a header": 2, "half an answer": 50, "an answer": 0, "half a welcome": 20}[step]
            whole(data[:cut])
            for place in range(cut, len(data) if slow else cut):
                whole(data[place : place + 1])
                time.sleep(0.05)
            peer.rest()  # until we are left

        peer.send_bytes = send_part
        responder(peer)

    began = time.perf_counter()
    with pytest.raises((ConnectFailed, HandshakeError)) as caught:
        connect(answer_by_hand(answer), limits=Limits(handshake_s=LIMIT_S))
    assert time.perf_counter() - began < LIMIT_S + LATE_S
    assert caught.value.definite
