"""A client of a simulated cluster: the verbs of `Client`, carried out by its node, each returning its plain result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..client.session import Client
from ..config import Address
from ..errors import UsageError
from ..names import check_name
from ..records import Receipt, Restored
from ..rpc.listener import WhenBound
from ..world.base import walk
from ..world.simulated import SimulatedWorld
from .given import bytes_of
from .script import recorded
from .simulated_node import SimNode

__all__ = ["ClientPart", "SimClient", "SimClients"]

_FILES = "Files"
_VERBS = (
    "delete",
    "find",
    "is_connected",
    "list_files",
    "list_servers",
    "prune",
    "send_file",
    "verify",
    "versions",
)


class ClientPart:
    """A client as a part: it listens nowhere."""

    def __init__(self, world: SimulatedWorld, client: Client) -> None:
        self.client, self._world = client, world

    def start(self, address: Address, when_bound: WhenBound = lambda address: None) -> Address:
        when_bound(address)
        self._world.disk.make_folder(_FILES)
        return address

    def stop(self, within_s: float = 0.0) -> None:
        self.client.close()


class SimClients(dict[str, "SimClient"]):
    """A cluster's clients by name."""

    def __missing__(self, name: str) -> SimClient:
        raise UsageError(f"there is no client {name!r} in this cluster; there are: {', '.join(self) or 'none'}")


class SimClient:
    """`put` a file on its disk, and back it up. Any verb of `Client` may be called, from outside the simulation or from a
    function that runs in it; while the client is dead it raises NotRunning, and ConnectionLost if it dies meanwhile."""

    def __init__(self, cluster: Any, name: str) -> None:
        self.name = name
        self._cluster, self._place = cluster, ("clients", name)

    @property
    def _node(self) -> SimNode:
        node = self._cluster._node(self.name)
        assert isinstance(node, SimNode)
        return node

    # ---- its disk

    @recorded
    def put(self, name: str, contents: bytes) -> str:
        """Put a file into this client's folder, in no time; returns its path. A file there is replaced. Errors: NameRefused,
        UsageError."""
        disk, path = self._node.disk, f"{_FILES}/{check_name(name)}"
        disk.place(path, bytes_of(name, contents))
        return path

    def read(self, path: str) -> bytes:
        """What a file on this client's disk holds, such as a restored one. Errors: NoSuchFile."""
        return self._node.disk.contents(path)

    @property
    def files(self) -> dict[str, int]:
        """The files that wait to be backed up: name and bytes."""
        return dict(walk(self._node.disk, _FILES))

    # ---- its verbs

    @recorded
    def backup(self, path: str, name: str | None = None, **options: Any) -> Receipt:
        """Back a file of this client's disk up: one of its `files` by its name, or any by its path. See `Client.backup`."""
        if self._node.disk.is_file(f"{_FILES}/{path}"):
            path, name = f"{_FILES}/{path}", name or path
        receipt = self._do(lambda client: client.backup(path, name, **options))
        assert isinstance(receipt, Receipt)
        return receipt

    @recorded
    def restore(self, name: str, folder: str = "restored", **options: Any) -> Restored:
        """Write a stored file into a folder of this client's disk. See `Client.restore`."""
        restored = self._do(lambda client: client.restore(name, folder, **options))
        assert isinstance(restored, Restored)
        return restored

    @property
    def manager(self) -> _Remote:
        """The manager's remote methods: `client.manager.getServer()`."""
        return _Remote(self, "")

    def server(self, which: str) -> _Remote:
        """The remote methods of a server, by its name."""
        return _Remote(self, which)

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        if verb not in _VERBS:
            raise AttributeError(f"a client has no {verb!r}")
        return lambda *args, **options: self.do(verb, *args, **options)

    @recorded
    def do(self, verb: str, *args: Any, **options: Any) -> Any:
        """Carry out any verb of `Client`, by its name."""
        return self._do(lambda client: getattr(client, verb)(*args, **options))

    @recorded
    def ask(self, server: str, method: str, *args: Any, **named: Any) -> Any:
        """Call a remote method of a server, by its name, or of the manager (server "")."""
        return self._do(
            lambda client: getattr(client.server(server) if server else client.manager, method)(*args, **named)
        )

    def _do(self, function: Callable[[Client], object]) -> Any:
        part = self._node.awake(self._cluster.inside)
        assert isinstance(part, ClientPart)

        def carry_out() -> object:
            result = function(part.client)
            return list(result) if isinstance(result, Iterator) else result

        return self._cluster.simulation.run(carry_out, self._node.world.life, f"{self.name}-works")

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *_VERBS])

    def __repr__(self) -> str:
        return f"<simulated client {self.name}, {self._node.state}>"


class _Remote:
    """A stub whose calls a client's node makes."""

    def __init__(self, client: SimClient, server: str) -> None:
        self._client, self._server = client, server

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *args, **named: self._client.ask(self._server, method, *args, **named)
