"""A cluster that another process of the same person owns, with the verbs and views that a page needs: it can come and go."""

from __future__ import annotations

import os
import pathlib
import threading
import time
from typing import Any

from ..client.session import Client
from ..config import Address
from ..errors import NotRunning, UsageError
from ..records import Location
from ..rpc.handshake import Identity
from ..rpc.opening import open_connection
from ..rpc.pool import Pool
from ..running import data_folder
from ..secret import load_secret
from ..study.history import History
from ..study.tail import Tail
from ..trace import Tracer
from ..world.real import RealWorld
from .desk import DESK, desk_address
from .record import load_record, run_folder
from .remote_client import Clients, RemoteClient
from .sessions import Sessions
from .stage import Direction

__all__ = ["AttachedCluster"]

_SEEN_S = 0.05  # so long what was seen of the parts holds: one look at a page asks often
_LONG_S = 60.0  # a restart may take so long

_Seen = tuple[str, str, Address | None]


class AttachedCluster:
    """Reaches the cluster of this data folder and name through its owner's desk. `close` ends the connections, not the
    cluster. Errors: NotRunning."""

    def __init__(self, data: str | os.PathLike[str] | None = None, name: str = "rpclab") -> None:
        self.name, self.data = name, pathlib.Path(data_folder(data))
        self.folder = run_folder(self.data, name)
        record = load_record(self.folder)
        self.settings = record.settings
        self._world = RealWorld()
        secret = load_secret(str(self.folder / "secret"))
        certificates = None if record.certificates is None else pathlib.Path(record.certificates)
        self._sessions = Sessions(self._world, secret, None, certificates, Direction(self._world, lambda plan: None))
        address, identity = desk_address(self.folder), Identity("control", "client", secret)

        def connect() -> Any:
            return open_connection(self._world, address, identity, Tracer(self._world, "control"), expected=("client",))

        self._desk = Pool(self._world, connect)
        self._lock = threading.Lock()  # guards _parts and _seen_at
        self._parts: dict[str, _Seen] = {}
        self._seen_at = float("-inf")
        self.clients = Clients((client, self._client(client)) for client in self._names("client"))

    def _client(self, name: str) -> RemoteClient:
        return RemoteClient(name, self._world, lambda: self._control(name), self.data / "clients" / name / "Files")

    # ---- what there is

    def _seen(self) -> dict[str, _Seen]:
        with self._lock:
            if time.monotonic() - self._seen_at > _SEEN_S:
                told = self._desk.call("seen", returns=list[tuple[str, str, str, Address | None]])
                self._parts = {name: (role, state, address) for name, role, state, address in told}
                self._seen_at = time.monotonic()
            return self._parts

    def _names(self, role: str) -> list[str]:
        return [name for name, seen in self._seen().items() if seen[0] == role]

    @property
    def nodes(self) -> list[str]:
        """The names of all parts."""
        return list(self._seen())

    @property
    def servers(self) -> list[str]:
        """The names of the servers."""
        return self._names("server")

    @property
    def addresses(self) -> dict[str, Address]:
        """Where each part listens."""
        return {name: address for name, (_, _, address) in self._seen().items() if address is not None}

    def state(self, node: str) -> str:
        """running, paused or stopped."""
        seen = self._seen()
        if node not in seen:
            raise UsageError(f"there is no {node!r} in this cluster; there are {', '.join(seen)}")
        return seen[node][1]

    def log(self, node: str, lines: int = 40) -> str:
        """The last lines that a part printed."""
        self.state(node)
        try:
            text = (self.folder / f"{node}.log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    @property
    def history(self) -> History:
        """All events so far, read from the event logs now."""
        return History.read(self.folder / "events")

    def tail(self) -> Tail:
        """What reads the event logs on and on, each event once."""
        return Tail.of_folder(self.folder / "events")

    def files(self) -> list[Location]:
        """Every stored file, and the servers that hold it."""
        with self._looking() as session:
            return list(session.list_files())

    def stored_bytes(self) -> dict[str, int]:
        """The bytes stored on each server that the manager knows."""
        with self._looking() as session:
            return {server.node: server.stored_bytes for server in session.list_servers()}

    def upkeep(self) -> dict[str, Any]:
        """What the manager does about copies now. See `LocalCluster.upkeep`."""
        with self._looking() as session:
            upkeep = session.manager.getUpkeep()
        assert isinstance(upkeep, dict)
        return upkeep

    def _looking(self) -> Client:
        return self._sessions.looking(self._address("manager"))

    def _control(self, node: str) -> Pool:
        return self._sessions.control(node, self._address(node))

    def _address(self, node: str) -> Address:
        _, state, address = self._seen()[node]
        if state == "stopped" or address is None:
            raise NotRunning(f"{node} is not running: restart it first")
        return address

    def connect(self, name: str = "notebook") -> Any:
        """Not possible here: a client of this process would write no event log. Errors: UsageError."""
        raise UsageError(
            f"{name} is no client of this cluster: use {', '.join(self.clients)}, or the command line as {name}"
        )

    # ---- faults

    def kill(self, node: str) -> None:
        """See `LocalCluster.kill`."""
        self._do("kill", node)

    def pause(self, node: str) -> None:
        """See `LocalCluster.pause`."""
        self._do("pause", node)

    def resume(self, node: str) -> None:
        """See `LocalCluster.resume`."""
        self._do("resume", node)

    def restart(self, node: str) -> None:
        """See `LocalCluster.restart`."""
        self._do("restart", node)

    def _do(self, verb: str, node: str) -> None:
        self._desk.call("do", verb, node, deadline_s=_LONG_S)
        self._sessions.forget(node)
        with self._lock:
            self._seen_at = float("-inf")

    # ---- the end

    def close(self) -> None:
        """End the connections. May be called twice."""
        self._desk.close()
        self._sessions.close()

    def __enter__(self) -> AttachedCluster:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<cluster {self.name} of another process: {', '.join(self._seen())} ({DESK} reached)>"
