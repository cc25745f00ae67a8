"""A cluster of real processes on this machine: started with a line, seen at a glance, broken on purpose, gone at the end."""

from __future__ import annotations

import os
import pathlib
import time
from collections.abc import Callable
from typing import Any

from ..client.session import Client
from ..config import Address, Limits, address_text
from ..errors import NotRunning, UsageError
from ..names import check_client
from ..own import own_from
from ..records import Location, ServerRecord
from ..rpc.pool import Pool
from ..running import data_folder
from ..secret import load_secret
from ..study.check import Report, check_run
from ..study.history import History
from ..study.tail import Tail
from ..trace import Tracer
from ..world.real import RealWorld
from .backing_up import backup_all
from .local_faults import LocalFaults
from .own_node import OwnNode
from .prepare import empty_servers, fresh_folder, give_certificates, wait_listed
from .process import NodeProcess, identity
from .record import Record, drop_record, owned_by_me, run_folder, save_record, starting, take_over
from .remote_client import Clients, RemoteClient
from .sessions import Sessions
from .settings import Settings
from .stage import Direction
from .tables import Receipts

__all__ = ["LocalCluster"]

_STOP_S = 8.0  # a little more than a node's own clean stop may take


class LocalCluster(LocalFaults):
    """A manager, servers and clients as processes, ready when the constructor returns.

    - `servers`, `clients`: how many; `replicas`: copies of each file.
    - `placement`: a policy's name, or a function `(servers, request, random) -> server`.
    - `replication`: "after" or "pipeline"; `acknowledge`: "all" or "primary".
    - `document_wire`: also serve programs of the description's own wire, on the same ports.
    - `ports`: "default" (65432 and up, as in the description) or "free".
    - `data`: the folder with `clients/` and `servers/` (default: the project's `data/`); `name`: a second cluster beside the
      first needs another name and another data folder.
    - `quota_bytes`: what each server may store; `seed` makes random placement repeat; `trace=False` writes no
      event log, `trace="messages"` writes what each message says too.
    - `keep`: versions of a file that stay; `heartbeat_s`, `dead_s`: after two heartbeats without a sign of life a server is
      suspected, after `dead_s` seconds it is dead and its files are repaired, with at most `repair_bytes_s`; `repair=False`
      leaves every copy where it is; each server reads its files again at `scrub_bytes_s` to find damage (0: never),
      `scrub_round_s` after the last time.
    - `fresh`: delete first what the servers stored in earlier runs.
    - `tls`: encrypt all that is said, with certificates made for this cluster; `certificates`: with those in this folder.

    Running the same line again ends the earlier cluster of that name first. Errors: StartFailed, PortInUse (with the words
    of the part that failed), ClusterRunning (another process runs this one, or it is just being started), UsageError.
    """

    clients: Clients

    def __init__(
        self,
        *,
        servers: int = 3,
        clients: int = 2,
        replicas: int = 2,
        placement: str | Callable[..., Any] = "fewest-bytes",
        replication: str = "after",
        acknowledge: str = "all",
        document_wire: bool = False,
        ports: str = "default",
        data: str | os.PathLike[str] | None = None,
        name: str = "rpclab",
        quota_bytes: int | None = None,
        seed: int | None = None,
        keep: int = 5,
        heartbeat_s: float = 1.0,
        dead_s: float = 10.0,
        repair: bool = True,
        repair_bytes_s: int = 64 << 20,
        scrub_bytes_s: int = 4 << 20,
        scrub_round_s: float = 60.0,
        trace: bool | str = True,
        fresh: bool = False,
        tls: bool = False,
        certificates: str | os.PathLike[str] | None = None,
        start_s: float = 20.0,
        **own: Any,
    ) -> None:
        super().__init__()
        settings = Settings(
            servers=servers,
            clients=clients,
            replicas=replicas,
            placement=placement,
            replication=replication,
            acknowledge=acknowledge,
            document_wire=document_wire,
            ports=ports,
            quota_bytes=quota_bytes,
            seed=seed,
            keep=keep,
            heartbeat_s=heartbeat_s,
            dead_s=dead_s,
            repair=repair,
            repair_bytes_s=repair_bytes_s,
            scrub_bytes_s=scrub_bytes_s,
            scrub_round_s=scrub_round_s,
            own=own_from(own),
        )
        self.name = check_client(name)
        self.data = pathlib.Path(data_folder(data))
        self.folder = run_folder(self.data, self.name)
        self.settings = settings.told()
        self._world = RealWorld()
        self._closed = self._ended = False
        with starting(self.folder):
            take_over(self.folder)
            self.secret_file = fresh_folder(self.folder)
            if fresh:
                empty_servers(self._world, self.data, servers)
            self._make_parts(settings, trace, tls, certificates)
            self._start(time.monotonic() + start_s)

    # ---- starting

    def _make_parts(
        self, settings: Settings, trace: bool | str, tls: bool, certificates: str | os.PathLike[str] | None
    ) -> None:
        """Make the parts, which do not run yet, and what this process connects to them with."""
        events = self.folder / "events" if trace else None
        parts = list(settings.parts(self.folder, self.data))
        self.certificates = None
        if tls or certificates is not None:
            self.certificates = give_certificates(
                parts, self.folder, certificates, document_wire=settings.document_wire
            )
            self.settings["tls"] = True
        secret = load_secret(str(self.secret_file))
        self.stage = Direction(self._world, lambda plan: self._publish())
        self._sessions = Sessions(self._world, secret, events, self.certificates, self.stage, settings.own)
        self._sessions.texts = trace == "messages"
        self._hub = self._sessions.hub()
        more = ["--stage", address_text(self._hub.address), *(["--log-texts"] if trace == "messages" else [])]
        self._nodes = {part.node: NodeProcess(part, self.folder, self.secret_file, events, *more) for part in parts}
        self.clients = Clients((name, self._remote_client(name)) for name in self._names("client"))

    def _start(self, until: float) -> None:
        try:
            for node in self._nodes.values():
                node.start()
            self._save()
            for node in self._nodes.values():
                node.wait_ready(until)
            self._wait_registered(self.servers, until)
            self._save()
        except BaseException:
            self.stop()
            raise

    def _wait_registered(self, servers: list[str], until: float) -> None:
        """Wait until the manager lists those of these servers that run; without a manager there is nothing to wait for."""
        manager = self._nodes["manager"]
        if manager.state == "running":
            missing = {server for server in servers if self.state(server) == "running"}
            with self._looking() as session:
                wait_listed(missing, session, manager, until)

    def _save(self) -> None:
        running = {name: identity(node.pid) for name, node in self._nodes.items() if node.alive and node.pid}
        folder = None if self.certificates is None else str(self.certificates)
        save_record(self.folder, Record(owned_by_me(), running, self.addresses, self.settings, folder))

    # ---- what there is

    def processes(self) -> dict[str, int]:
        """The process number of each part that runs."""
        return {name: node.pid for name, node in self._nodes.items() if node.alive and node.pid}

    @property
    def history(self) -> History:
        """All events so far, read from the event logs now."""
        return History.read(self.folder / "events")

    def tail(self) -> Tail:
        return Tail.of_folder(self.folder / "events")

    def check(self) -> Report:
        return check_run(self.folder, self.data / "servers")

    def files(self) -> list[Location]:
        with self._looking() as session:
            return list(session.list_files())

    def _listed(self) -> dict[str, ServerRecord]:
        with self._looking() as session:
            return {server.node: server for server in session.list_servers()}

    def upkeep(self) -> dict[str, Any]:
        with self._looking() as session:
            upkeep = session.manager.getUpkeep()
        assert isinstance(upkeep, dict)
        return upkeep

    # ---- clients

    def connect(self, name: str = "notebook", *, wire: str = "rpclab", limits: Limits | None = None) -> Any:
        """A client in this process, whose files are stored under `name`; `wire="document"` speaks the description's wire, and
        `limits` say how long it waits."""
        if check_client(name) in self._nodes:
            raise UsageError(
                f"{name} runs as a process of its own: use cluster.clients[{name!r}], or connect under another name"
            )
        return self._sessions.client(name, self._address("manager"), wire, limits)

    def serve(self, name: str, *functions: Callable[..., Any], limits: Limits | None = None) -> OwnNode:
        """A node of your own in this process, whose remote methods are these functions; `client.server(node.address)` is its
        stub. It ends with the cluster. Errors: UsageError."""
        if self._closed:
            raise NotRunning("the cluster is stopped: start it again")
        if check_client(name) in self._nodes:
            raise UsageError(f"{name} runs as a process of its own: give your node another name")
        return self._sessions.serve(name, functions, limits)

    def backup_all(self, *, progress: bool = True) -> Receipts:
        """Have every client back up every file in its folder, and show progress; returns the receipts.

        Files with fewer copies than wanted are stored, and warned of. Errors: those of `Client.backup`; NoSuchFile when the
        clients have no files; UsageError, before anything is sent, when two of a client's files have names that some system
        takes for one.
        """
        return backup_all(self.clients.values(), progress=progress)

    def _looking(self) -> Client:
        return self._sessions.looking(self._address("manager"))

    def _remote_client(self, name: str) -> RemoteClient:
        files = self.data / "clients" / name / "Files"
        return RemoteClient(name, self._world, lambda: self._control(name), files)

    def _control(self, node: str) -> Pool:
        return self._sessions.control(node, self._address(node))

    def _address(self, node: str) -> Address:
        part = self._node(node)
        if self._closed or part.address is None or not part.alive:
            raise NotRunning(
                f"{node} is not running: "
                + ("start the cluster again" if self._closed else f"cluster.restart({node!r})")
            )
        return part.address

    # ---- faults (the others: local_faults.py)

    def restart(self, node: str, *, start_s: float = 20.0) -> None:
        part, until = self._node(node), time.monotonic() + start_s
        if part.alive:
            part.stop(_STOP_S)
        self._sessions.forget(node)
        self.stage.forget(node)
        part.start()
        part.wait_ready(until)
        self._fault("restarted", node)
        self._save()
        self._wait_registered({"manager": self.servers, "server": [node]}.get(part.role, []), until)

    @property
    def _tracer(self) -> Tracer:
        return self._sessions.tracer("cluster")

    # ---- the end

    def stop(self) -> None:
        """End every part: the clients and servers first, cleanly, the manager last.

        May be called twice, and again after Ctrl-C interrupted it: then it ends what is left.
        """
        if self._ended:
            return
        self._closed = True
        self._hub.stop()
        self._sessions.close()
        until = time.monotonic() + _STOP_S
        for last in (False, True):
            parts = [node for node in self._nodes.values() if (node.role == "manager") is last]
            for part in parts:
                part.ask_to_stop()
            for part in parts:
                part.wait_stopped(until)
        self._sessions.close_logs()
        drop_record(self.folder)
        self._ended = True  # only now: a stop that was interrupted has more to do

    def _title(self) -> str:
        return f"Cluster {self.name} ({self._chosen()})"
