"""A cluster of real processes on this machine: started with a line, seen at a glance, broken on purpose, gone at the end."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..client.document import DocumentClient
from ..client.session import Client
from ..config import ACKNOWLEDGE, MANAGER_PORT, REPLICATION, Address, address_text
from ..errors import NotRunning, RpclabError, StartFailed, TooFewCopies, UsageError
from ..manager.placement import POLICIES
from ..names import check_client
from ..records import Location
from ..rpc.connection import open_connection
from ..rpc.handshake import Identity
from ..rpc.pool import Pool
from ..running import data_folder, load_secret, new_secret
from ..study.history import History
from ..text import bytes_text
from ..trace import Tracer
from ..world.real import RealWorld
from .options import placement_options
from .process import NodeProcess, identity, wait_until
from .record import Record, drop_record, owned_by_me, run_folder, save_record, take_over
from .remote_client import RemoteClient
from .tables import Receipts, html_table, text_table

__all__ = ["LocalCluster"]

_STOP_S = 8.0  # a little more than a node's own clean stop may take


class LocalCluster:
    """A manager, servers and clients as processes, ready when the constructor returns.

    - `servers`, `clients`: how many; `replicas`: copies of each file.
    - `placement`: a policy's name, or a function `(servers, request, random) -> server`.
    - `replication`: "after" or "pipeline"; `acknowledge`: "all" or "primary".
    - `document_wire`: also serve programs of the description's own wire, on the same ports.
    - `ports`: "default" (65432 and up, as in the description) or "free".
    - `data`: the folder with `clients/` and `servers/` (default: the project's `data/`); `name`: a second cluster beside the
      first needs another name and another data folder.
    - `quota_bytes`: what each server may store; `seed` makes random placement repeat; `trace=False` writes no event log.
    - `fresh`: delete first what the servers stored in earlier runs.

    Running the same line again ends the earlier cluster of that name first. Errors: StartFailed, PortInUse (with the words
    of the part that failed), ClusterRunning (another process runs this one), UsageError.
    """

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
        trace: bool = True,
        fresh: bool = False,
        start_s: float = 20.0,
    ) -> None:
        _check(servers, clients, replicas, ports, placement, replication, acknowledge)
        self.name = check_client(name)
        self.data = pathlib.Path(data_folder(data))
        self.folder = run_folder(self.data, self.name)
        self._trace, self._world = trace, RealWorld()
        self._tracers: dict[str, Tracer] = {}
        self._sessions: list[Client | DocumentClient] = []
        self._pools: dict[str, Pool] = {}
        self._lock = threading.Lock()  # guards the three above
        self._closed = False
        self.settings: dict[str, str | int | bool | None] = {
            "replicas": replicas,
            "placement": placement if isinstance(placement, str) else getattr(placement, "__name__", "a function"),
            "replication": replication,
            "acknowledge": acknowledge,
            "document_wire": document_wire,
        }
        self._prepare_folder()
        if fresh:
            self._empty_servers(servers)
        own = {
            "replicas": str(replicas),
            "replication": replication,
            "acknowledge": acknowledge,
            "document_wire": document_wire,
            "quota_bytes": quota_bytes,
            "seed": seed,
        }
        placing = placement_options(placement, self.folder)
        self._nodes = {node.node: node for node in self._parts(servers, clients, ports, own, placing)}
        self.clients = {name: self._remote_client(name) for name in self._names("client")}
        self._start(time.monotonic() + start_s)

    # ---- starting

    def _prepare_folder(self) -> None:
        take_over(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.secret_file = new_secret(self.folder / "secret")
        (self.folder / "events").mkdir()
        self._secret = load_secret(str(self.secret_file))

    def _empty_servers(self, count: int) -> None:
        """Delete what the servers stored before; raises FolderNotUsable if one of the folders is in use."""
        for number in range(1, count + 1):
            folder = self.data / "servers" / f"server{number}"
            if folder.exists():
                with contextlib.closing(self._world.disk.lock(str(folder / "lock"))):
                    shutil.rmtree(folder / "Incoming", ignore_errors=True)
                    for client in (folder / "Backups").glob("*/"):
                        shutil.rmtree(client, ignore_errors=True)
                    (folder / "journal.jsonl").unlink(missing_ok=True)

    def _parts(
        self, servers: int, clients: int, ports: str, own: Mapping[str, Any], placing: list[str]
    ) -> list[NodeProcess]:
        """Every part with its command-line options."""
        document = ["--document-wire"] if own["document_wire"] else []
        seed = [] if own["seed"] is None else ["--seed", str(own["seed"])]
        quota = [] if own["quota_bytes"] is None else ["--quota-bytes", str(own["quota_bytes"])]
        cluster = [
            "--replicas",
            own["replicas"],
            "--replication",
            own["replication"],
            "--acknowledge",
            own["acknowledge"],
        ]
        where = ["--manager-file", str(self.folder / "manager.ready.json"), "--data", str(self.data)]
        fixed = ports == "default"
        parts = [self._part("manager", "manager", [*cluster, *placing, *document, *seed], MANAGER_PORT if fixed else 0)]
        for number in range(1, servers + 1):
            port = MANAGER_PORT + number if fixed else 0
            parts.append(self._part(f"server{number}", "server", [str(number), *where, *quota, *document, *seed], port))
        for number in range(1, clients + 1):
            parts.append(self._part(f"client{number}", "client", [str(number), *where, "--agent", *seed], 0))
        return parts

    def _part(self, node: str, role: str, options: list[str], port: int) -> NodeProcess:
        log = ["--log", str(self.folder / "events" / f"{node}.jsonl")] if self._trace else []
        return NodeProcess(node, role, [*options, *log], self.folder, self.secret_file, port)

    def _start(self, until: float) -> None:
        try:
            for node in self._nodes.values():
                node.start()
            self._save()
            for node in self._nodes.values():
                node.wait_ready(until)
            self._wait_registered(until)
            self._save()
        except BaseException:
            self.stop()
            raise

    def _wait_registered(self, until: float) -> None:
        """Wait until the manager knows every server that runs."""
        manager = self._control("manager")
        expected = sum(self._nodes[name].alive and not self._nodes[name].paused for name in self._names("server"))
        if not wait_until(lambda: manager.call("getQuantity") >= expected, until):
            raise StartFailed(
                f"only {manager.call('getQuantity')} of {expected} servers have registered with the manager; it said:\n"
                + self._nodes["manager"].log_tail()
            )

    def _save(self) -> None:
        running = {name: identity(node.pid) for name, node in self._nodes.items() if node.alive and node.pid}
        save_record(self.folder, Record(owned_by_me(), running, self.addresses, self.settings))

    # ---- what there is

    def _names(self, role: str) -> list[str]:
        return [name for name, node in self._nodes.items() if node.role == role]

    @property
    def nodes(self) -> list[str]:
        """The names of all parts."""
        return list(self._nodes)

    @property
    def servers(self) -> list[str]:
        """The names of the servers."""
        return self._names("server")

    @property
    def addresses(self) -> dict[str, Address]:
        """Where each part listens."""
        return {name: node.address for name, node in self._nodes.items() if node.address}

    def processes(self) -> dict[str, int]:
        """The process number of each part that runs."""
        return {name: node.pid for name, node in self._nodes.items() if node.alive and node.pid}

    def state(self, node: str) -> str:
        """running, paused or stopped."""
        return self._node(node).state

    def log(self, node: str, lines: int = 40) -> str:
        """The last lines that a part printed."""
        return self._node(node).log_tail(lines)

    @property
    def history(self) -> History:
        """All events so far, read from the event logs now."""
        return History.read(self.folder / "events")

    def files(self) -> list[Location]:
        """Every stored file, and the servers that hold it."""
        with self._session() as session:
            return list(session.list_files())

    def stored_bytes(self) -> dict[str, int]:
        """The bytes stored on each server that the manager knows."""
        with self._session() as session:
            return {server.node: server.stored_bytes for server in session.list_servers()}

    def _node(self, name: str) -> NodeProcess:
        if name not in self._nodes:
            raise UsageError(f"there is no {name!r} in this cluster; there are {', '.join(self._nodes)}")
        return self._nodes[name]

    # ---- clients

    def connect(self, name: str = "notebook", *, wire: str = "rpclab") -> Any:
        """A client in this process, whose files are stored under `name`; `wire="document"` speaks the description's wire."""
        if name in self._nodes:
            raise UsageError(
                f"{name} runs as a process of its own: use cluster.clients[{name!r}], or connect under another name"
            )
        if wire not in ("rpclab", "document"):
            raise UsageError(f"wire={wire!r} is not known: choose 'rpclab' or 'document'")
        address = self._address("manager")
        session: Client | DocumentClient
        if wire == "document":
            session = DocumentClient(self._world, name, address, tracer=self._tracer(name))
        else:
            session = Client(self._world, Identity(name, "client", self._secret), address, tracer=self._tracer(name))
        with self._lock:
            self._sessions.append(session)
        return session.connect()

    def backup_all(self, *, progress: bool = True) -> Receipts:
        """Have every client back up every file in its folder, and show progress; returns the receipts."""
        from tqdm.auto import tqdm

        work = [(client, name, size) for client in self.clients.values() for name, size in client.files.items()]
        receipts = Receipts()
        with tqdm(
            total=sum(size for _, _, size in work), unit="B", unit_scale=True, unit_divisor=1024, disable=not progress
        ) as bar:
            for client, name, size in work:
                bar.set_postfix_str(f"{client.name}/{name}"[-30:], refresh=False)
                try:
                    receipts.append(client.backup(name))
                except TooFewCopies as error:
                    receipts.append(error.receipt)
                bar.update(size)
        return receipts

    def _session(self) -> Client:
        """The session behind `files` and `stored_bytes`; it is not traced, looking must not change the picture."""
        return Client(self._world, Identity("looking", "client", self._secret), self._address("manager"))

    def _remote_client(self, name: str) -> RemoteClient:
        files = self.data / "clients" / name / "Files"
        return RemoteClient(name, self._world, lambda: self._control(name), files)

    def _control(self, node: str) -> Pool:
        """Connections to a part, for what the notebook tells it; these calls are not traced."""
        address = self._address(node)
        me = Identity("control", "client", self._secret)
        with self._lock:
            if node not in self._pools:
                self._pools[node] = Pool(
                    self._world,
                    lambda: open_connection(
                        self._world, address, me, Tracer(self._world, "control"), expected=("manager", "client")
                    ),
                )
            return self._pools[node]

    def _address(self, node: str) -> Address:
        part = self._node(node)
        if self._closed or part.address is None or not part.alive:
            raise NotRunning(
                f"{node} is not running: "
                + ("start the cluster again" if self._closed else f"cluster.restart({node!r})")
            )
        return part.address

    def _tracer(self, node: str) -> Tracer:
        with self._lock:
            if node not in self._tracers:
                path = str(self.folder / "events" / f"{node}.jsonl")
                self._tracers[node] = Tracer(
                    self._world, node, self._world.disk.open_log(path) if self._trace else None
                )
            return self._tracers[node]

    # ---- faults

    def kill(self, node: str) -> None:
        """End a part as `kill -9` does: at once, without a word."""
        self._node(node).kill()
        self._fault("killed", node)

    def pause(self, node: str) -> None:
        """Stop a part's time: it keeps its connections and answers nothing."""
        self._node(node).pause()
        self._fault("paused", node)

    def resume(self, node: str) -> None:
        """Let a paused part go on."""
        self._node(node).resume()
        self._fault("resumed", node)

    def restart(self, node: str, *, start_s: float = 20.0) -> None:
        """Start a part again on its port and folder, ending it first if it runs; returns when it serves again."""
        part, until = self._node(node), time.monotonic() + start_s
        if part.alive:
            part.stop(_STOP_S)
        with self._lock:
            pool = self._pools.pop(node, None)
        if pool is not None:
            pool.close()
        part.start()
        part.wait_ready(until)
        self._fault("restarted", node)
        self._save()
        self._wait_registered(until)

    def _fault(self, kind: str, node: str) -> None:
        self._tracer("cluster").event(kind, peer=node)

    # ---- the end

    def stop(self) -> None:
        """End every part: the clients and servers first, cleanly, the manager last. May be called twice."""
        if self._closed:
            return
        self._closed = True
        for session in self._sessions:
            session.disconnect()
        for pool in self._pools.values():
            pool.close()
        until = time.monotonic() + _STOP_S
        for last in (False, True):
            parts = [node for node in self._nodes.values() if (node.role == "manager") is last]
            for part in parts:
                part.ask_to_stop()
            for part in parts:
                part.wait_stopped(until)
        for tracer in self._tracers.values():
            tracer.close()
        drop_record(self.folder)

    def __enter__(self) -> LocalCluster:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # ---- seeing it

    def _rows(self) -> list[list[str]]:
        known: dict[str, tuple[int, int]] = {}
        try:
            with self._session() as session:
                known = {server.node: (server.files, server.stored_bytes) for server in session.list_servers()}
        except RpclabError:
            known = {}  # no manager, no figures: the states below say so
        rows = []
        for name, node in self._nodes.items():
            files, stored = known.get(name, (None, None))
            rows.append(
                [
                    name,
                    node.role,
                    address_text(node.address) if node.address else "",
                    node.state,
                    "" if files is None else str(files),
                    "" if stored is None else bytes_text(stored),
                ]
            )
        return rows

    def _title(self) -> str:
        chosen = ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in self.settings.items())
        return f"Cluster {self.name} ({chosen})"

    def _repr_html_(self) -> str:
        return html_table(self._title(), _HEADS, self._rows(), right=(4, 5))

    def __repr__(self) -> str:
        return text_table(self._title(), _HEADS, self._rows())


_HEADS = ("part", "role", "address", "state", "files", "stored")


def _check(
    servers: int, clients: int, replicas: int, ports: str, placement: object, replication: str, acknowledge: str
) -> None:
    if servers < 0 or clients < 0 or replicas < 1:
        raise UsageError(f"servers={servers}, clients={clients}, replicas={replicas}: a cluster cannot have that")
    if ports not in ("default", "free"):
        raise UsageError(f"ports={ports!r} is not known: choose 'default' or 'free'")
    for value, known, what in ((replication, REPLICATION, "replication"), (acknowledge, ACKNOWLEDGE, "acknowledge")):
        if value not in known:
            raise UsageError(f"{what}={value!r} is not known: choose {' or '.join(known)}")
    if isinstance(placement, str) and placement not in POLICIES:
        raise UsageError(f"placement={placement!r} is not known: choose {', '.join(POLICIES)}, or give a function")
    if not isinstance(placement, str) and not callable(placement):
        raise UsageError(f"placement is a policy's name or a function, not a {type(placement).__name__}")
