"""How each part of a simulated cluster is made anew for each of its lives."""

from __future__ import annotations

from collections.abc import Callable

from ..client.session import Client
from ..config import Address, Limits
from ..manager.placement import policy_named, policy_text
from ..manager.service import Manager
from ..manager.settings import Settings as KeepSettings
from ..manager.watch import watched
from ..own import Own
from ..rpc.handshake import Identity, Role
from ..server.service import Server
from ..trace import Tracer
from ..world.simulated import SimulatedWorld
from .settings import Settings
from .simulated_client import ClientPart
from .simulated_node import Make, Part

__all__ = ["MANAGER", "PORT", "make_client", "make_manager", "make_server"]

MANAGER = "manager"
PORT = 7000
_ADDRESS: Address = (MANAGER, PORT)
_SECRET = bytes(32)  # nobody outside can connect

Say = Callable[[str], None]


def make_manager(chosen: Settings) -> Make:
    named = isinstance(chosen.placement, str)
    limits = Limits(connections=max(Limits().connections, 4 * (chosen.servers + chosen.clients)))
    policy = policy_named(chosen.placement) if isinstance(chosen.placement, str) else chosen.placement

    def make(world: SimulatedWorld, tracer: Tracer, say: Say) -> Part:
        settings = KeepSettings(
            policy=watched(policy, world, say),
            policy_name=str(chosen.placement) if named else policy_text(policy),
            replicas=chosen.replicas,
            replication=chosen.replication,
            acknowledge=chosen.acknowledge,
            keep=chosen.keep,
            heartbeat_s=chosen.heartbeat_s,
            dead_s=chosen.dead_s,
            safe_s=max(30.0, chosen.dead_s),
            repair=chosen.repair,
            repair_bytes_s=chosen.repair_bytes_s,
            scrub_bytes_s=chosen.scrub_bytes_s,
            scrub_round_s=chosen.scrub_round_s,
        )
        identity = _identity(world, "manager", chosen.own)
        return Manager(world, identity, settings=settings, tracer=tracer, limits=limits, say=say)

    return make


def make_server(chosen: Settings) -> Make:
    """A server's folder has its name."""

    def make(world: SimulatedWorld, tracer: Tracer, say: Say) -> Part:
        identity = _identity(world, "server", chosen.own)
        return Server(world, identity, identity.node, _ADDRESS, quota_bytes=chosen.quota_bytes, tracer=tracer, say=say)

    return make


def make_client(chosen: Settings, limits: Limits | None = None) -> Make:
    def make(world: SimulatedWorld, tracer: Tracer, say: Say) -> Part:
        identity = _identity(world, "client", chosen.own)
        return ClientPart(world, Client(world, identity, _ADDRESS, tracer=tracer, limits=limits))

    return make


def _identity(world: SimulatedWorld, role: Role, own: Own) -> Identity:
    return Identity(world.life.node, role, _SECRET, own)
