"""The handshake, on both sides, with all that comes before and after it: nobody is let in without the proof.

one byte: which side, size of the pieces, time that each takes | what the peer sends
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from rpclab.config import PACKET_BYTES, Limits
from rpclab.errors import ConnectFailed, HandshakeError, RpclabError, TooManyConnections
from rpclab.rpc.handshake import Identity
from rpclab.rpc.listener import Listener
from rpclab.rpc.opening import open_connection
from rpclab.rpc.registry import Registry
from rpclab.trace import Tracer

from .memory import NONCE, MemoryStream, MemoryWorld
from .packets import PIECES, parse

__all__ = ["SECRET", "check", "proof"]

SECRET = bytes(range(100, 132))
_LIMITS = Limits()
_STEP_S = 1 / 16
_ME = Identity("server1", "server", SECRET)
_HELLO = {"version": 1, "role": "server", "node": "server1", "nonce": NONCE.hex()}


def check(data: bytes) -> None:
    if not data:
        return
    flags = data[0]
    stream = MemoryStream(data[1:], PIECES[flags & 7], _STEP_S if flags & 8 else 0.0)
    (initiate if flags & 16 else respond)(stream)
    assert stream.closed, "a connection was left open"


def respond(stream: MemoryStream) -> None:
    """A node is connected to by a stranger who says this."""
    registry = Registry()
    registry.register_method(lambda value: value, "echo")
    world, said = MemoryWorld(stream), list[str]()
    listener = Listener(world, registry, _ME, Tracer(world, "server1"), say=said.append)  # type: ignore[arg-type]
    listener.start(world.address)
    world.run()
    assert not any("please report" in line for line in said), said
    answers, _, ending = parse(bytes(stream.sent), PACKET_BYTES)
    assert ending == "end"
    told = [json.loads(payload) for kind, payload in answers if kind == ord("M")]
    if any(answer.get("result") is True for answer in told[:2]):
        assert known(stream.data), "somebody was let in without a proof"
        return
    assert len(said) <= 1 and len(told) <= 2, (said, told)
    assert stream.time <= _LIMITS.handshake_s + _STEP_S
    assert stream.taken <= 2 * (4 + _LIMITS.handshake_bytes) + stream.piece, (
        "more of a stranger was read than it is due"
    )


def known(data: bytes) -> bool:
    """Whether the first two packets are a hello and the right proof, looked at with nothing of ours."""
    first = parse(data, _LIMITS.handshake_bytes)[0][:2]
    # A member that JSON-RPC doesn't know is passed over unread, also where it is no UTF-8.
    said = [json.loads(payload.decode("utf-8", "replace"))["params"] for _, payload in first]
    theirs = {key: said[0][key] for key in ("version", "role", "node", "nonce")}
    return bool(said[1]["proof"] == proof("initiator", theirs, _HELLO))


def initiate(stream: MemoryStream) -> None:
    """A node connects to a stranger who answers this."""
    world = MemoryWorld(stream)
    try:
        connection = open_connection(
            world,  # type: ignore[arg-type]
            world.address,
            _ME,
            Tracer(world, "server1"),  # type: ignore[arg-type]
            expected=("manager",),
        )
    except (ConnectFailed, HandshakeError, TooManyConnections):
        assert stream.time <= _LIMITS.handshake_s + _STEP_S
        assert stream.taken <= 2 * (4 + _LIMITS.handshake_bytes) + stream.piece
        return
    first = json.loads(parse(stream.data, _LIMITS.handshake_bytes)[0][0][1])["result"]
    theirs = {key: first["hello"][key] for key in ("version", "role", "node", "nonce")}
    assert first["proof"] == proof("responder", _HELLO, theirs), "somebody was believed without a proof"
    try:
        connection.call("echo", 1)
    except RpclabError:
        return
    finally:
        connection.close()


def proof(side: str, initiator: dict[str, Any], responder: dict[str, Any]) -> str:
    said = json.dumps(["rpclab", side, initiator, responder], separators=(",", ":"), ensure_ascii=False)
    return hmac.new(SECRET, said.encode(), hashlib.sha256).hexdigest()
