"""Somebody else's proofs in place of ours: what a side says to prove that it knows the secret, and when it believes the other.

    class Handshake:
        def __init__(self, secret, random_bytes): ...              # bytes; random_bytes(n) are fresh
        def nonce(self): ...                                       # 64 hexadecimal digits, never the same again
        def prove(self, side, initiator, responder): ...           # 64 hexadecimal digits: `side` knows the secret
        def check(self, proof, side, initiator, responder, expected): ...   # ValueError unless the other side is to be believed

`side` is "initiator" or "responder", and the two dictionaries are what each said of itself: version, role, node, nonce.
`expected` are the roles that may speak here. In `check` the own side is the other one than `side`. Each connection has a
Handshake of its own.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from ..config import PROTOCOL_VERSION
from ..errors import HandshakeError, error_text
from ..world.base import World
from . import handshake
from .handshake import Hello, Identity, Side

__all__ = ["Proofs", "proofs_of"]


class Proofs(Protocol):
    """One connection's handshake, as opening.py goes through it. All but `hello` raise HandshakeError."""

    def hello(self) -> Hello: ...

    def check_peer(self, own: Hello, peer: Hello, expected: tuple[str, ...]) -> None: ...

    def prove(self, side: Side, initiator: Hello, responder: Hello) -> str: ...

    def check_proof(
        self, given: str, side: Side, initiator: Hello, responder: Hello, expected: tuple[str, ...]
    ) -> None: ...


def proofs_of(identity: Identity, world: World) -> Proofs:
    return _Ours(identity, world) if identity.own.handshake is None else _Theirs(identity, world)


class _Ours:
    def __init__(self, identity: Identity, world: World) -> None:
        self._identity, self._nonce = identity, world.nonce

    def hello(self) -> Hello:
        return handshake.hello(self._identity, self._nonce(handshake.NONCE_BYTES))

    def check_peer(self, own: Hello, peer: Hello, expected: tuple[str, ...]) -> None:
        handshake.check_peer(own, peer, expected)

    def prove(self, side: Side, initiator: Hello, responder: Hello) -> str:
        return handshake.prove(self._identity.secret, side, initiator, responder)

    def check_proof(
        self, given: str, side: Side, initiator: Hello, responder: Hello, expected: tuple[str, ...]
    ) -> None:
        handshake.check_proof(given, self._identity.secret, side, initiator, responder)


class _Theirs:
    def __init__(self, identity: Identity, world: World) -> None:
        assert identity.own.handshake is not None
        self._identity = identity
        self._handshake: Any = identity.own.handshake(identity.secret, world.nonce)

    def hello(self) -> Hello:
        nonce = self._asked("nonce")
        try:
            return msgspec.convert(
                {"version": PROTOCOL_VERSION, "role": self._identity.role, "node": self._identity.node, "nonce": nonce},
                Hello,
            )
        except msgspec.ValidationError as error:
            raise HandshakeError(f"nonce gave back {nonce!r}: {error}") from None

    def check_peer(self, own: Hello, peer: Hello, expected: tuple[str, ...]) -> None:
        """Theirs looks at all of it when it has the proof."""

    def prove(self, side: Side, initiator: Hello, responder: Hello) -> str:
        proof = self._asked("prove", side, _told(initiator), _told(responder))
        try:
            return msgspec.convert(proof, handshake.Hex)
        except msgspec.ValidationError as error:
            raise HandshakeError(f"prove gave back something else than 64 hexadecimal digits: {error}") from None

    def check_proof(
        self, given: str, side: Side, initiator: Hello, responder: Hello, expected: tuple[str, ...]
    ) -> None:
        self._asked("check", given, side, _told(initiator), _told(responder), expected)

    def _asked(self, method: str, *arguments: Any) -> Any:
        try:
            return getattr(self._handshake, method)(*arguments)
        except Exception as error:  # somebody else's code: whatever it raises ends this handshake
            raise HandshakeError(f"{method}: {type(error).__name__}: {error_text(error)}") from error


def _told(hello: Hello) -> dict[str, Any]:
    told = msgspec.to_builtins(hello)
    assert isinstance(told, dict)
    return told
