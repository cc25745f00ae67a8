"""The handshake: who knows the secret is let in, everybody else hears one line and nothing more."""

from __future__ import annotations

import ast
import hmac
import inspect
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpclab.config import Limits
from rpclab.errors import ConnectFailed, HandshakeError
from rpclab.rpc import handshake, opening
from rpclab.rpc.connection import Connection
from rpclab.rpc.handshake import Identity, check_peer, check_proof, hello, prove

SECRET = bytes(range(32))
OTHER = bytes(range(1, 33))


def said_one_line(service: Any) -> str:
    assert len(service.said) == 1, service.said
    line: str = service.said[0]
    assert "please report it" not in line, line
    assert "\n" not in line
    return line


# ---- the proofs, without a network


def sides() -> tuple[handshake.Hello, handshake.Hello]:
    return hello(Identity("a", "client", SECRET), bytes(32)), hello(Identity("b", "server", SECRET), bytes([1]) * 32)


def test_the_right_proof_is_taken() -> None:
    mine, theirs = sides()
    check_proof(prove(SECRET, "responder", mine, theirs), SECRET, "responder", mine, theirs)


@given(st.data())
def test_a_proof_holds_for_nothing_but_what_was_said(data: st.DataObject) -> None:
    mine, theirs = sides()
    given = prove(SECRET, "responder", mine, theirs)
    changed = data.draw(
        st.sampled_from(
            [
                (OTHER, "responder", mine, theirs),
                (SECRET, "initiator", mine, theirs),
                (SECRET, "responder", theirs, mine),
                (SECRET, "responder", hello(Identity("a", "manager", SECRET), bytes(32)), theirs),
                (SECRET, "responder", hello(Identity("c", "client", SECRET), bytes(32)), theirs),
                (SECRET, "responder", mine, hello(Identity("b", "server", SECRET), bytes([2]) * 32)),
            ]
        )
    )
    with pytest.raises(HandshakeError, match="same secret file"):
        check_proof(given, *changed)  # type: ignore[arg-type]


def test_proofs_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[Any, Any]] = []
    real = hmac.compare_digest

    def recorded(left: Any, right: Any) -> bool:
        compared.append((left, right))
        return real(left, right)

    monkeypatch.setattr(hmac, "compare_digest", recorded)
    mine, theirs = sides()
    right = prove(SECRET, "initiator", mine, theirs)
    check_proof(right, SECRET, "initiator", mine, theirs)
    with pytest.raises(HandshakeError):
        check_proof("0" * 64, SECRET, "initiator", mine, theirs)
    assert compared == [(right, right), ("0" * 64, right)]


def test_no_proof_is_compared_in_another_way() -> None:
    """`==` on a proof or a secret would tell by its time how much of it is right."""
    for module in (handshake, opening):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Compare):
                said = ast.unparse(node)
                assert not any(word in said for word in ("proof", "prove", "secret", "given")), said


def test_a_peer_of_another_version_another_role_or_an_echo_is_refused() -> None:
    mine, theirs = sides()
    check_peer(mine, theirs, ("server",))
    with pytest.raises(HandshakeError, match="b is a server, expected was a manager or a client"):
        check_peer(mine, theirs, ("manager", "client"))
    with pytest.raises(HandshakeError, match="own challenge"):
        check_peer(mine, mine, ("client",))
    newer = handshake.Hello(2, "server", "b", "11" * 32)
    with pytest.raises(HandshakeError, match="version 2, this node 1: update the older"):
        check_peer(mine, newer, ("server",))


def test_an_identity_does_not_show_its_secret() -> None:
    assert SECRET.hex() not in repr(Identity("a", "client", SECRET)) + str(Identity("a", "client", SECRET))
    assert repr(SECRET) not in repr(Identity("a", "client", SECRET))


# ---- strangers at our door


def test_who_knows_the_secret_is_let_in_and_named(
    serve: Callable[..., Any], connect: Callable[..., Connection]
) -> None:
    service = serve(node="server7")
    connection = connect(service.address)
    assert (connection.peer.node, connection.peer.role) == ("server7", "server")
    assert connection.call("echo", "hi") == "hi"
    assert service.said == []


def test_a_handshake_written_by_hand_from_the_protocol_is_understood(
    serve: Callable[..., Any], by_hand: Callable[..., Any]
) -> None:
    peer = by_hand(serve().address).shake_hands(node="Übersicht-日本")
    assert peer.call("echo", ["hi"])["result"] == "hi"


def test_a_wrong_secret_is_refused_on_both_sides(
    serve: Callable[..., Any], connect: Callable[..., Connection], eventually: Callable[..., None]
) -> None:
    service = serve()
    with pytest.raises(
        HandshakeError, match="does not know this cluster's secret: start all parts with the same secret file"
    ):
        connect(service.address, secret=OTHER)
    eventually(lambda: service.said)
    said_one_line(service)


@pytest.mark.parametrize("secret", [OTHER, b"", bytes(32)], ids=["another", "none", "zeros"])
def test_a_stranger_who_goes_on_without_the_secret_is_refused(
    secret: bytes, serve: Callable[..., Any], by_hand: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    service, peer = serve(), by_hand
    stranger = peer(service.address)
    answer = stranger.hello()
    assert set(answer["result"]) == {"hello", "proof"}  # what the challenge needs, nothing else
    refused = stranger.prove(answer["result"]["hello"], secret)
    assert refused["error"]["code"] == 122
    assert "secret" in refused["error"]["message"]
    assert stranger.rest() == b""
    eventually(lambda: service.said)
    assert "HandshakeError" in said_one_line(service)


def test_a_wrong_role_is_refused_by_the_responder(
    serve: Callable[..., Any], by_hand: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    service = serve(expected=("manager", "server"))
    stranger = by_hand(service.address)
    refused = stranger.hello(role="client")
    assert "client1 is a client, expected was a manager or a server" in refused["error"]["message"]
    assert stranger.rest() == b""
    eventually(lambda: service.said)
    assert "HandshakeError: client1 is a client" in said_one_line(service)


def test_a_wrong_role_is_refused_by_the_initiator(
    serve: Callable[..., Any], connect: Callable[..., Connection]
) -> None:
    with pytest.raises(HandshakeError, match="server1 is a server, expected was a manager"):
        connect(serve().address, expected=("manager",))


@pytest.mark.parametrize("version", [0, 2])
def test_another_version_is_refused(
    version: int, serve: Callable[..., Any], by_hand: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    service = serve()
    stranger = by_hand(service.address)
    refused = stranger.hello(version=version)
    assert set(refused) <= {"jsonrpc", "id", "error", "trace"} and f"version {version}" in refused["error"]["message"]
    assert stranger.rest() == b""
    eventually(lambda: service.said)
    assert f"HandshakeError: the peer speaks protocol version {version}" in said_one_line(service)


def test_a_proof_that_was_recorded_is_of_no_use_a_second_time(
    serve: Callable[..., Any], by_hand: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    service = serve()
    address = service.address
    first = by_hand(address)
    theirs = first.hello()["result"]["hello"]
    first.prove(theirs)
    second = by_hand(address)
    assert second.hello()["result"]["hello"]["nonce"] != theirs["nonce"]
    assert second.prove(theirs)["error"]["code"] == 122  # the same proof, of the conversation before
    assert second.rest() == b""
    eventually(lambda: service.said)
    assert "HandshakeError" in said_one_line(service)


def test_a_challenge_that_is_sent_back_gives_no_proof(
    serve: Callable[..., Any], by_hand: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    """Who doesn't know the secret sends our own hello and proof back to us over the same connection."""
    service = serve()
    stranger = by_hand(service.address)
    answer = stranger.hello(role="server")["result"]
    refused = stranger.call("prove", {"proof": answer["proof"]}, 2)
    assert refused["error"]["code"] == 122
    assert stranger.rest() == b""
    eventually(lambda: service.said)
    assert "HandshakeError" in said_one_line(service)


def test_our_own_challenge_in_a_second_connection_proves_nothing_in_the_first(
    serve: Callable[..., Any], by_hand: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    """Who doesn't know the secret gives us our challenge of one connection as theirs in another, for the proof of it."""
    service = serve()
    first, second = by_hand(service.address), by_hand(service.address)
    ours = first.hello(role="server", node="server1")["result"]["hello"]
    borrowed = second.hello(role="server", node="server1", nonce=ours["nonce"])["result"]["proof"]
    assert first.call("prove", {"proof": borrowed}, 2)["error"]["code"] == 122
    assert first.rest() == b""
    eventually(lambda: service.said)
    assert "HandshakeError" in said_one_line(service)


def test_an_initiator_is_not_fooled_by_its_own_words(
    connect: Callable[..., Connection], answer_by_hand: Callable[..., Any]
) -> None:
    def echo(peer: Any) -> None:
        first = peer.receive()
        peer.send({"jsonrpc": "2.0", "id": first["id"], "result": {"hello": first["params"], "proof": "0" * 64}})
        peer.rest()

    with pytest.raises(HandshakeError, match="sent our own challenge back"):
        connect(answer_by_hand(echo), expected=("client",))


# ---- what is no handshake


GARBAGE = {
    "random": bytes(range(200, 256)) * 4,
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    "over 1 KiB": b"M\x00\x04\x01" + b" " * 1025,
    "16 MiB announced": b"M\xff\xff\xff",
    "a data packet": b"D\x00\x00\x01x",
    "no JSON": b"M\x00\x00\x05hello",
    "no object": b"M\x00\x00\x02[]",
    "a notification": b'M\x00\x00\x22{"jsonrpc":"2.0","method":"hello"}',
    "nesting": b"M\x00\x03\xe8" + b"[" * 1000,
    "the document's wire": b'["string", ["hi"], {}]',
}


def packet(message: object) -> bytes:
    payload = json.dumps(message).encode()
    return b"M" + len(payload).to_bytes(3, "big") + payload


def asking(method: str, params: object) -> bytes:
    return packet({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


HELLO: dict[str, Any] = {"version": 1, "role": "client", "node": "x", "nonce": "00" * 32}
GARBAGE |= {
    "another method first": asking("string", ["hi"]),
    "prove first": asking("prove", {"proof": "0" * 64}),
    "rpc.describe first": asking("rpc.describe", []),
    "hello without params": asking("hello", []),
    "hello that lacks a member": asking("hello", {"version": 1}),
    "hello with a member too many": asking("hello", HELLO | {"more": 1}),
    "an unknown role": asking("hello", HELLO | {"role": "root"}),
    "an empty name": asking("hello", HELLO | {"node": ""}),
    "a path as name": asking("hello", HELLO | {"node": "../x"}),
    "a name with a line end": asking("hello", HELLO | {"node": "client1\n"}),
    "a long name": asking("hello", HELLO | {"node": "x" * 256}),
    "a short nonce": asking("hello", HELLO | {"nonce": "00"}),
    "a nonce with a line end": asking("hello", HELLO | {"nonce": "00" * 32 + "\n"}),
    "version as text": asking("hello", HELLO | {"version": "1"}),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_handshake_is_told_nothing_and_costs_one_line(
    garbage: bytes,
    serve: Callable[..., Any],
    by_hand: Callable[..., Any],
    connect: Callable[..., Connection],
    eventually: Callable[..., None],
) -> None:
    service = serve()
    stranger = by_hand(service.address)
    stranger.send_bytes(garbage)
    stranger.sock.shutdown(socket.SHUT_WR)
    assert stranger.rest() == b""
    eventually(lambda: service.said)
    said_one_line(service)
    assert connect(service.address).call("echo", 1) == 1


def padded(data: bytes, size: int) -> bytes:
    """The same message with spaces behind it, which JSON allows."""
    payload = data[4:] + b" " * (size - len(data) + 4)
    return b"M" + len(payload).to_bytes(3, "big") + payload


def test_a_stranger_is_read_1024_bytes_and_no_more(
    serve: Callable[..., Any], by_hand: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    service = serve()
    short, long = by_hand(service.address), by_hand(service.address)
    short.send_bytes(padded(asking("hello", HELLO), 1024))
    assert short.receive()["result"]["hello"]["node"] == "server1"
    long.send_bytes(padded(asking("hello", HELLO), 1025))
    assert long.rest() == b""
    eventually(lambda: service.said)
    assert "at most 1,024 are allowed here" in said_one_line(service)


@pytest.mark.parametrize("size", [1024, 1025])
def test_an_answer_to_a_handshake_is_read_1024_bytes_and_no_more(
    size: int, connect: Callable[..., Connection], answer_by_hand: Callable[..., Any], responder: Any
) -> None:
    def pad(peer: Any) -> None:
        send_bytes = peer.send_bytes
        peer.send_bytes = lambda data: send_bytes(padded(data, size))
        responder(peer)

    address = answer_by_hand(pad)
    if size == 1024:
        assert connect(address).peer.node == "server1"
    else:
        with pytest.raises(HandshakeError, match="at most 1,024 are allowed here"):
            connect(address)


@pytest.mark.parametrize("proof", ["", "0" * 63, "ä" * 64, "0" * 64 + "\n", "A" * 64, 5, None, ["x"]])
def test_a_proof_of_any_shape_is_only_refused(
    proof: object, serve: Callable[..., Any], by_hand: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    service = serve()
    stranger = by_hand(service.address)
    stranger.hello()
    stranger.send({"jsonrpc": "2.0", "id": 2, "method": "prove", "params": {"proof": proof}})
    stranger.rest()
    eventually(lambda: service.said)
    assert "HandshakeError" in said_one_line(service)


@pytest.mark.parametrize("step", ["nothing", "half a header", "half a hello", "hello"])
def test_half_a_handshake_ends_after_its_time_and_serves_others_meanwhile(
    step: str,
    serve: Callable[..., Any],
    by_hand: Callable[..., Any],
    connect: Callable[..., Connection],
    eventually: Callable[..., None],
) -> None:
    service = serve(limits=Limits(handshake_s=0.3))
    stranger = by_hand(service.address)
    stranger.send_bytes(
        {"nothing": b"", "half a header": b"M\x00", "half a hello": b"M\x00\x00\x63{", "hello": asking("hello", HELLO)}[
            step
        ]
    )
    assert connect(service.address).call("echo", 1) == 1
    rest = stranger.rest()  # returns when the node has closed the connection
    assert (rest == b"") is (step != "hello")
    eventually(lambda: service.said)
    assert "DeadlineExceeded" in said_one_line(service)


def test_a_handshake_that_trickles_has_one_deadline_for_all_of_it(
    serve: Callable[..., Any], by_hand: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    """Each byte comes well within the limit, all of them together do not."""
    service = serve(limits=Limits(handshake_s=0.4))
    stranger = by_hand(service.address)
    sent = 0

    def refused() -> bool:
        nonlocal sent
        if not service.said:
            try:
                stranger.send_bytes(asking("hello", HELLO)[sent : sent + 1])
            except OSError:
                return False
            sent += 1
        return bool(service.said)

    eventually(refused, 10)
    assert "DeadlineExceeded" in said_one_line(service)
    assert 1 < sent < len(asking("hello", HELLO))


# ---- strangers behind the door that we knock at


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b'"[1] is no request"',
        b"M\x00\x00\x02[]",
        packet({"jsonrpc": "2.0", "id": 1, "result": 5}),
        packet({"jsonrpc": "2.0", "id": 1, "result": {"hello": HELLO, "proof": "ä" * 64}}),
        packet({"jsonrpc": "2.0", "id": 1, "method": "hello"}),
        packet({"jsonrpc": "2.0", "id": 1, "error": {"code": 113, "message": "an error of another kind"}}),
        b"M\x00\x04\x01" + b" " * 1025,
        b"D\x00\x00\x01x",
    ],
    ids=["http", "document", "array", "number", "proof", "request", "error", "over 1 KiB", "data"],
)  # fmt: skip
def test_what_answers_and_is_no_node_is_a_handshake_error(
    answer: bytes, connect: Callable[..., Connection], answer_by_hand: Callable[..., Any]
) -> None:
    def reply(peer: Any) -> None:
        peer.receive()
        peer.send_bytes(answer)
        peer.sock.shutdown(socket.SHUT_WR)
        peer.rest()

    address = answer_by_hand(reply)
    with pytest.raises(HandshakeError, match=f"127.0.0.1:{address[1]}"):
        connect(address)


def test_a_node_that_ends_in_the_handshake_was_not_reached(
    connect: Callable[..., Connection], answer_by_hand: Callable[..., Any]
) -> None:
    address = answer_by_hand(lambda peer: peer.receive())
    with pytest.raises(ConnectFailed, match=f"127.0.0.1:{address[1]} ended the handshake"):
        connect(address)


def test_a_responder_without_the_secret_gets_no_proof_from_us(
    connect: Callable[..., Connection], answer_by_hand: Callable[..., Any]
) -> None:
    heard: list[Any] = []

    def impostor(peer: Any) -> None:
        heard.append(peer.receive())
        own = {"version": 1, "role": "server", "node": "server1", "nonce": "ab" * 32}
        peer.send({"jsonrpc": "2.0", "id": 1, "result": {"hello": own, "proof": "0" * 64}})
        heard.append(peer.rest())

    with pytest.raises(HandshakeError, match="secret"):
        connect(answer_by_hand(impostor))
    assert [first["method"] for first in heard[:1]] == ["hello"]


def test_a_node_that_accepts_and_says_nothing_is_given_up_in_time(connect: Callable[..., Connection]) -> None:
    paused = pytest.raises(ConnectFailed, match=r"did not shake hands within 0.2 s: is that node paused")
    with socket.create_server(("127.0.0.1", 0)) as silent, paused as caught:
        connect(silent.getsockname(), limits=Limits(handshake_s=0.2))
    assert caught.value.definite  # nothing was asked: whoever wanted something may ask another node


def test_where_nobody_listens_the_error_says_so(connect: Callable[..., Connection]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    with pytest.raises(ConnectFailed, match=f"nobody answers at 127.0.0.1:{address[1]}.*Is that node started"):
        connect(address)
