"""How a conversation begins: connect or accept, prove who both sides are (handshake.py), and get a `Connection`."""

from __future__ import annotations

from typing import Any

import msgspec

from ..config import PACKET_BYTES, Address, Limits, address_text
from ..errors import (
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    HandshakeError,
    MessageError,
    ProtocolError,
    RpclabError,
    TooManyConnections,
)
from ..trace import Tracer
from ..world.base import World
from . import handshake, messages, packets
from .channel import Channel, expect
from .connection import Connection
from .handshake import Hello, Identity, Peer, Proven
from .messages import Failure, Incoming, Request, Success
from .own_framing import framed
from .own_handshake import proofs_of

__all__ = ["accept_connection", "open_connection"]


def open_connection(
    world: World,
    address: Address,
    identity: Identity,
    tracer: Tracer,
    *,
    expected: tuple[str, ...],
    limits: Limits | None = None,
) -> Connection:
    """Connect to a node of one of the `expected` roles and shake hands. Errors, all with no effect: ConnectFailed
    (also when time runs out: nothing was asked yet), HandshakeError, TooManyConnections."""
    limits = limits or Limits()
    now = world.clock.now
    stream = world.network.connect(address, now() + limits.connect_s)
    channel = Channel(world, framed(stream, identity.own), limits)
    channel.limit = limits.handshake_bytes
    try:
        deadline = now() + limits.handshake_s
        proofs = proofs_of(identity, world)
        mine = proofs.hello()
        answer = _handshake_step(channel, 1, "hello", mine, Proven, deadline)
        proofs.check_peer(mine, answer.hello, expected)
        handshake.check_certificate(stream.certified, answer.hello)
        proofs.check_proof(answer.proof, "responder", mine, answer.hello, expected)
        proof = proofs.prove("initiator", mine, answer.hello)
        _handshake_step(channel, 2, "prove", {"proof": proof}, bool, deadline)
    except HandshakeError:
        stream.close()
        raise
    except DeadlineExceeded:  # the system connects for a process that is paused, so this is where it shows
        stream.close()
        raise ConnectFailed(
            f"{address_text(address)} did not shake hands within {limits.handshake_s:g} s: is that node paused, or very busy?"
        ) from None
    except ConnectionLost as error:
        stream.close()
        raise ConnectFailed(f"{address_text(address)} ended the handshake: {error.message}") from None
    except (ProtocolError, msgspec.ValidationError) as error:
        stream.close()
        raise HandshakeError(f"what answers at {address_text(address)} is no node of rpclab: {error}") from None
    except BaseException:
        stream.close()
        raise
    channel.limit = PACKET_BYTES
    return Connection(world, channel, Peer(answer.hello.node, answer.hello.role, address), tracer, limits)


def _handshake_step(channel: Channel, number: int, method: str, params: Any, returns: Any, deadline: float) -> Any:
    out = bytearray()
    messages.encode(Request(method, msgspec.to_builtins(params), number), out)
    channel.send((out,), deadline)
    _, payload = expect(channel.receive(deadline), packets.MESSAGE)
    answer = messages.decode(bytes(payload))
    try:
        answer.raise_error(None)
    except (HandshakeError, TooManyConnections):
        raise
    except RpclabError as error:  # a stranger may say that anything went wrong
        raise MessageError(f"it answers {method!r} with {error.message[:500]!r}") from None
    return msgspec.convert(answer.result, returns)


def accept_connection(
    world: World,
    channel: Channel,
    identity: Identity,
    tracer: Tracer,
    *,
    expected: tuple[str, ...],
) -> Connection:
    """The other side of `open_connection`, on a stream that was accepted. Errors: RpclabError of any kind; nothing else of the
    peer was read, at most `limits.handshake_bytes`."""
    limits = channel.limits
    deadline = channel.now() + limits.handshake_s
    channel.limit = limits.handshake_bytes
    first, theirs = _handshake_request(channel, "hello", Hello, deadline)
    proofs = proofs_of(identity, world)
    own = proofs.hello()
    try:
        proofs.check_peer(own, theirs, expected)
        handshake.check_certificate(channel.stream.certified, theirs)
        proof = proofs.prove("responder", theirs, own)
        _handshake_reply(channel, Success(first.reply_id, msgspec.to_builtins(Proven(own, proof))), deadline)
        second, given = _handshake_request(channel, "prove", _Proof, deadline)
        first = second
        proofs.check_proof(given.proof, "initiator", theirs, own, expected)
    except RpclabError as error:
        _handshake_reply(channel, messages.failure(first.reply_id, error), deadline)
        raise
    channel.limit = PACKET_BYTES
    _handshake_reply(channel, Success(second.reply_id, True), deadline)
    return Connection(world, channel, Peer(theirs.node, theirs.role, channel.stream.peer), tracer, limits)


class _Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    proof: handshake.Hex


def _handshake_request(channel: Channel, method: str, params: Any, deadline: float) -> tuple[Incoming, Any]:
    _, payload = expect(channel.receive(deadline), packets.MESSAGE)
    message = messages.decode(bytes(payload))
    if message.method != method:
        raise HandshakeError(f"the peer began with something else than {method!r}")
    try:
        return message, msgspec.convert(message.params, params)
    except msgspec.ValidationError as error:
        raise HandshakeError(f"the peer's {method!r} is not understood: {error}") from None


def _handshake_reply(channel: Channel, answer: Success | Failure, deadline: float) -> None:
    out = bytearray()
    messages.encode(answer, out)
    channel.send((out,), deadline)
