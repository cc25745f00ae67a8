"""Lab 8's checks of a cluster, simulated or real, that works with the student's part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ...config import address_text
from ...errors import HandshakeError, RpclabError
from ...rpc.handshake import Identity
from ...rpc.opening import open_connection
from ...trace import Tracer
from ...world.real import RealWorld
from ..lab import Broken, Mine
from ..scenes import blamed, works_through_restarts
from ..trial import Trial
from .about import LAB

__all__ = ["real", "simulated"]


@LAB.check("a simulated cluster comes together, and again after each node was restarted", points=2, after=("friends",))
def simulated(mine: Mine, trial: Trial) -> None:
    with blamed("cluster", "in the simulated cluster"), trial.simulated(handshake=mine.Handshake) as cluster:
        works_through_restarts(cluster, trial)


@LAB.check("so does a real one, and no stranger comes in", points=3, after=("strangers",))
def real(mine: Mine, trial: Trial) -> None:
    with blamed("cluster", "in the real cluster"), trial.local(handshake=mine.Handshake, clients=1) as cluster:
        works_through_restarts(cluster, trial)
        client = cluster.connect("ada")
        own = client._identity
        for what, identity in _wrong(own, trial):
            for node, expected in (("manager", "manager"), ("server1", "server")):
                if _comes_in(cluster.addresses[node], identity, expected):
                    seen = f"{what} came in at {node}, {address_text(cluster.addresses[node])}"
                    raise Broken("cluster", seen)


def _wrong(own: Identity, trial: Trial) -> Iterator[tuple[str, Identity]]:
    yield "a stranger with another secret", replace(own, secret=trial.random.randbytes(32))
    yield "a stranger without a secret", replace(own, secret=b"")


def _comes_in(address: tuple[str, int], identity: Identity, expected: str) -> bool:
    """Whether a node with this identity can call something; a stranger does not ask whether the other side is right."""
    credulous = replace(identity, own=replace(identity.own, handshake=_believing(identity.own.handshake)))
    world = RealWorld()
    try:
        with open_connection(
            world, address, credulous, Tracer(world, identity.node), expected=(expected,)
        ) as connection:
            return bool(connection.call("string", "let me in") == "let me in")
    except (HandshakeError, RpclabError):
        return False


def _believing(handshake: Callable[..., Any] | None) -> Callable[..., Any]:
    assert handshake is not None

    class Believing(handshake):  # type: ignore[misc,valid-type]
        def check(self, *anything: Any) -> None:
            return None

    return Believing
