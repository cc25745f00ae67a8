"""Where other processes of the same person ask for a cluster's verbs: only the owner of its parts can kill or start them.

It listens on loopback and asks for the cluster's secret, as everybody does; its address lies in the run folder.
"""

from __future__ import annotations

import json
import pathlib

from ..config import DEFAULT_HOST, Address
from ..errors import NotRunning, UsageError
from ..rpc.handshake import Identity
from ..rpc.listener import Listener
from ..rpc.registry import Registry
from ..running import write_whole
from ..secret import load_secret
from ..trace import Tracer
from ..world.real import RealWorld
from .local import LocalCluster

__all__ = ["DATA_VARIABLE", "DESK", "NAME_VARIABLE", "ROOT_VARIABLE", "Desk", "desk_address"]

DESK = "desk"
# By these the owner tells a process that it starts which cluster is meant, and below which folder files may be chosen.
DATA_VARIABLE, NAME_VARIABLE, ROOT_VARIABLE = "RPCLAB_APP_DATA", "RPCLAB_APP_NAME", "RPCLAB_APP_ROOT"
_VERBS = ("kill", "pause", "resume", "restart")


class Desk:
    """Serves from its construction to `close`."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        world, registry = RealWorld(), Registry()
        registry.register_method(self.seen, reads=True)
        registry.register_method(self.do)
        identity = Identity(DESK, "client", load_secret(str(cluster.secret_file)))
        self._listener = Listener(world, registry, identity, Tracer(world, DESK), expected=("client",))
        self.address: Address = self._listener.start((DEFAULT_HOST, 0))
        write_whole(_file(cluster.folder), json.dumps(self.address))

    # ---- remote methods

    def seen(self) -> list[tuple[str, str, str, Address | None]]:
        """Every part: name, role, state, address."""
        cluster, addresses = self._cluster, self._cluster.addresses
        roles = {**dict.fromkeys(cluster.servers, "server"), **dict.fromkeys(cluster.clients, "client")}
        return [(name, roles.get(name, "manager"), cluster.state(name), addresses.get(name)) for name in cluster.nodes]

    def do(self, verb: str, node: str) -> None:
        """Kill, pause, resume or restart a part. Errors: those of the cluster's verbs."""
        if verb not in _VERBS:
            raise UsageError(f"there is no {verb!r} here; there are {', '.join(_VERBS)}")
        getattr(self._cluster, verb)(node)

    # ---- the end

    def close(self) -> None:
        """End it; the cluster goes on. May be called twice."""
        _file(self._cluster.folder).unlink(missing_ok=True)
        self._listener.stop()

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def desk_address(folder: pathlib.Path) -> Address:
    """Where the desk of the cluster in this run folder is. Errors: NotRunning."""
    try:
        host, port = json.loads(_file(folder).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise NotRunning(f"the cluster in {folder} has ended: start it again with rpclab app") from None
    return str(host), int(port)


def _file(folder: pathlib.Path) -> pathlib.Path:
    return folder / "desk.json"
