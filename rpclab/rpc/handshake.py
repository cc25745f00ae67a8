"""The handshake: both sides prove that they know the cluster's secret before anything else is read. Pure, no I/O.

    initiator → responder   hello   version, role, node, nonce A
    responder → initiator           version, role, node, nonce B, proof of "responder"
    initiator → responder   prove   proof of "initiator"
    responder → initiator           true

A proof is HMAC-SHA256 with the secret over everything both sides said and over the side that proves: a recorded proof is of
no use with another nonce, and our own challenge sent back to us asks for the other side's proof (RFC 2104; the mutual
challenge is ISO/IEC 9798-4's three-pass scheme). Proofs are compared in constant time.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from ..config import PROTOCOL_VERSION
from ..errors import HandshakeError
from ..own import OURS, Own

__all__ = ["Hello", "Identity", "Peer", "Proven", "check_certificate", "check_peer", "check_proof", "prove"]

Role = Literal["manager", "server", "client"]
Side = Literal["initiator", "responder"]
NONCE_BYTES = 32
Hex = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Node = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"\A[^\x00-\x1f/\\]+\Z")]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is, the secret that it shares with its cluster, and what code it runs in place of ours."""

    node: str
    role: Role
    secret: bytes
    own: Own = OURS

    def __repr__(self) -> str:
        return f"Identity({self.node!r}, {self.role!r})"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end. `wire` is "document" for a program of the description's own wire, which proves nothing."""

    node: str
    role: str
    address: tuple[str, int]
    wire: str = "rpclab"


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a side says of itself; `nonce` is 32 random bytes, never used twice, in hexadecimal."""

    version: int
    role: Role
    node: _Node
    nonce: Hex


class Proven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The responder's answer: what it says of itself, and its proof."""

    hello: Hello
    proof: Hex


def hello(identity: Identity, nonce: bytes) -> Hello:
    return Hello(PROTOCOL_VERSION, identity.role, identity.node, nonce.hex())


def prove(secret: bytes, side: Side, initiator: Hello, responder: Hello) -> str:
    """The proof that `side` knows the secret, for this conversation only."""
    said = msgspec.json.encode(["rpclab", side, initiator, responder])
    return hmac.digest(secret, said, "sha256").hex()


def check_proof(given: str, secret: bytes, side: Side, initiator: Hello, responder: Hello) -> None:
    """Raise HandshakeError unless the proof is right; says nothing of how it is wrong."""
    if not hmac.compare_digest(given, prove(secret, side, initiator, responder)):
        raise HandshakeError("the peer does not know this cluster's secret: start all parts with the same secret file")


def check_peer(own: Hello, peer: Hello, expected: tuple[str, ...]) -> None:
    """Raise HandshakeError if the peer is of another version, not of an expected role, or an echo of ourselves."""
    if peer.version != PROTOCOL_VERSION:
        raise HandshakeError(
            f"the peer speaks protocol version {peer.version}, this node {PROTOCOL_VERSION}: update the older one"
        )
    if peer.nonce == own.nonce:
        raise HandshakeError("the peer sent our own challenge back")
    if peer.role not in expected:
        raise HandshakeError(f"{peer.node} is a {peer.role}, expected was a {' or a '.join(expected)}")


def check_certificate(certified: frozenset[str] | None, peer: Hello) -> None:
    """Raise HandshakeError unless the peer's certificate, where there are certificates, is that of its name and role."""
    if certified is not None and f"{peer.role}/{peer.node}" not in certified:
        proved = " and ".join(sorted(certified)) or "nobody"
        raise HandshakeError(f"the peer says it is {peer.role}/{peer.node}, its certificate is that of {proved}")
