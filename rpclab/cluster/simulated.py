"""A cluster in a simulated world: the same manager, servers and clients, in memory, in virtual time, and again at will.

The same seed gives the same event log, to the byte; another seed another schedule. Time passes only while a verb is
carried out or the cluster is told to `sleep`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from ..config import Limits
from ..errors import StartFailed, UsageError
from ..manager.directory import Directory
from ..manager.service import Manager
from ..names import check_client
from ..own import own_from
from ..records import Location, ServerRecord
from ..rpc.handshake import Role
from ..study.check import Report, check
from ..study.folder import ServerFolder
from ..study.history import History
from ..study.tail import Tail
from ..trace import Tracer
from ..world.simulated import Conditions, Simulation
from ..world.simulated_life import results
from . import given
from .looking import look
from .script import recorded, verbs
from .settings import Settings
from .simulated_client import SimClient, SimClients
from .simulated_faults import SimFaults
from .simulated_node import Facts, Make, MemoryLog, SimNode
from .simulated_parts import MANAGER, PORT, make_client, make_manager, make_server
from .simulated_stepping import SimDirection

__all__ = ["Conditions", "SimCluster"]

_POLL_S = 0.02


@verbs("kill", "pause", "resume", "partition", "slow", "heal", "fill", "empty", "step", "begin")
class SimCluster(SimFaults):
    """A manager, servers and clients in one simulation, ready when the constructor returns.

    `seed` decides everything that happens by chance. `conditions`: what the network is like; `drift`: by which share the nodes'
    clocks may go wrong (0.01: a hundredth); `disk_bytes`: what each disk holds. The other arguments are those of
    `LocalCluster`. Errors: UsageError, StartFailed.
    """

    clients: SimClients

    @recorded
    def __init__(
        self,
        *,
        seed: int = 0,
        servers: int = 3,
        clients: int = 2,
        replicas: int = 2,
        placement: str | Callable[..., Any] = "fewest-bytes",
        replication: str = "after",
        acknowledge: str = "all",
        quota_bytes: int | None = None,
        keep: int = 5,
        heartbeat_s: float = 1.0,
        dead_s: float = 10.0,
        repair: bool = True,
        repair_bytes_s: int = 64 << 20,
        scrub_bytes_s: int = 4 << 20,
        scrub_round_s: float = 60.0,
        disk_bytes: int = 1 << 30,
        conditions: Conditions | None = None,
        drift: float = 0.0,
        trace: bool | str = True,
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
            document_wire=False,
            ports="free",
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
        drift = given.number("drift", drift, "the share by which clocks go wrong, from 0 to 0.5", most=0.5)
        start_s, disk_bytes = (
            given.seconds("start_s", start_s),
            given.whole("disk_bytes", disk_bytes, "bytes, 0 or more"),
        )
        if conditions is not None and not isinstance(conditions, Conditions):
            raise UsageError(f"conditions={conditions!r}: give Conditions(...), with what every link is like")
        self.seed = seed
        self.settings = {
            "seed": seed,
            **({"drift": drift} if drift else {}),
            **{key: each for key, each in settings.told().items() if key != "document_wire"},
        }
        self.simulation = Simulation(seed, conditions, drift)
        self._settings, self._disk_bytes, self._trace = settings, disk_bytes, trace
        self._nodes: dict[str, SimNode] = {}
        self._ended = False
        self.clients = SimClients()
        self._began()
        self._faults = self.simulation.chance("faults")
        self._log = MemoryLog(self.order) if trace else None
        outside = self.simulation.world("cluster", self.simulation.disk("cluster"), exact=True)
        self._events = Tracer(outside, "cluster", self._log)
        self.stage, self.operations = SimDirection(self, outside), {}
        self._start(start_s)

    def _start(self, start_s: float) -> None:
        """Add every part, and start them: the manager, all servers side by side, one client after the other."""
        chosen = self._settings
        manager = self._add("manager", MANAGER, make_manager(chosen), lambda part: {"settings": part.get_settings()})
        for number in range(1, chosen.servers + 1):
            name = f"server{number}"
            facts = {"folder": name, "quota_bytes": chosen.quota_bytes}
            self._add("server", name, make_server(chosen), lambda part, facts=facts: facts)  # type: ignore[misc]
        self.run(manager.start)
        self.run(*(self._nodes[name].start for name in self.servers))
        for number in range(1, chosen.clients + 1):
            self._add_client(f"client{number}")
        self._wait_registered(self.servers, start_s)

    def _add(self, role: Role, name: str, make: Make, facts: Facts = lambda part: {}) -> SimNode:
        node = SimNode(
            self.simulation,
            name,
            role,
            make,
            port=PORT,
            disk_bytes=self._disk_bytes,
            order=self.order if self._trace else None,
            facts=facts,
            stage=self._staging(),
        )
        self._nodes[name] = node
        return node

    def _add_client(self, name: str, limits: Limits | None = None) -> SimClient:
        node = self._add("client", name, make_client(self._settings, limits))
        self.run(node.start)
        self.clients[name] = client = SimClient(self, name)
        return client

    # ---- running

    @recorded
    def run(self, *functions: Callable[[], object]) -> Any:
        """Run functions in the simulation, side by side; returns when all have: the result, or several in a list. What one
        raises is raised here, once all have ended. Errors: UsageError for what is no function."""
        given.functions(functions)
        simulation = self.simulation
        tasks = [simulation.begin(each, simulation.outside, getattr(each, "__name__", "run")) for each in functions]
        simulation.wait_for(*tasks)
        found = results(*tasks)
        return found[0] if len(found) == 1 else found

    @recorded
    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        seconds = given.seconds("seconds", seconds)
        self.run(lambda: self.simulation.scheduler.sleep(seconds))

    @property
    def now(self) -> float:
        """Seconds of virtual time since the beginning."""
        return self.simulation.now

    def _wait_registered(self, servers: Iterable[str], within_s: float) -> None:
        if self.state(MANAGER) != "running":
            return
        until = self.now + within_s
        while missing := {each for each in servers if self.state(each) == "running"} - self._listed().keys():
            if self.now > until:
                raise StartFailed(f"{', '.join(sorted(missing))} did not register with the manager in time")
            self.sleep(_POLL_S)

    def _listed(self) -> dict[str, ServerRecord]:
        """The servers as the manager has them: looked up there, without a message, for looking must not change the picture."""
        directory = self._directory()
        return {} if directory is None else {server.node: server for server in directory.servers()}

    def _directory(self) -> Directory | None:
        part = self._nodes[MANAGER].current_part
        return part.directory if isinstance(part, Manager) else None

    # ---- what there is

    def event_log(self, node: str) -> bytes:
        """A node's event log, as its file would be; "cluster" is what was done to the others."""
        log = self._log if node == "cluster" else self._node(node).log
        return log.contents() if log is not None else b""

    def disk(self, node: str) -> Any:
        """A node's disk; a server's folder there has its name."""
        return self._node(node).disk

    def look(self, node: str) -> dict[str, Any]:
        return look(self._node(node))

    @property
    def history(self) -> History:
        """All events so far."""
        return History(self.events.values())

    def tail(self) -> Tail:
        return Tail(lambda: ["cluster", *self._nodes], lambda node, offset: self.event_log(node)[offset:])

    def check(self) -> Report:
        if not self._trace:
            raise UsageError("there are no events: this cluster has trace=False")
        folders = {server: ServerFolder.read(server, self._nodes[server].disk) for server in self.servers}
        return check(self.history, folders)

    def files(self) -> list[Location]:
        """Every stored file, and the servers that hold it, as the manager has it; nothing while there is none."""
        directory = self._directory()
        return [] if directory is None else directory.files(None, None, sys.maxsize)

    @recorded
    def upkeep(self) -> dict[str, Any]:
        manager = self._nodes[MANAGER].awake(self.inside)
        assert isinstance(manager, Manager)
        found = self.simulation.run(manager.get_upkeep, self._nodes[MANAGER].world.life)
        assert isinstance(found, dict)
        return found

    @recorded
    def connect(self, name: str = "notebook", *, limits: Limits | None = None) -> SimClient:
        """One more client, whose files are stored under `name`; `limits` say how long it waits. Errors: UsageError."""
        if check_client(name) in {*self._nodes, "cluster"}:
            raise UsageError(f"{name} is in this cluster already: use cluster.clients[{name!r}]")
        return self._add_client(name, limits)

    # ---- faults (the others: simulated_faults.py)

    @recorded
    def restart(self, node: str, *, start_s: float = 20.0) -> None:
        part, start_s = self._node(node), given.seconds("start_s", start_s)
        part.stop()
        self._fault("restarted", node)
        self.run(part.start)
        self._wait_registered({"manager": self.servers, "server": [node]}.get(part.role, []), start_s)

    @property
    def _tracer(self) -> Tracer:
        return self._events

    # ---- the end

    @recorded
    def stop(self) -> None:
        if self._ended:
            return
        if self.inside:
            raise UsageError("a function that the cluster runs cannot stop it: say so once it has returned")
        self.heal()
        self.stage.release()
        parts = [node for name, node in self._nodes.items() if name != MANAGER]
        self.run(*(part.stop for part in parts))
        self.run(self._nodes[MANAGER].stop)
        self.simulation.close()
        self._dropped.detach()  # it holds the simulation, in which somebody may hold this cluster
        self._ended = True

    def __exit__(self, *exc: object) -> None:
        if self.stands:
            self.close()
        else:
            self.stop()

    def _title(self) -> str:
        return f"Simulated cluster after {self.now:.3f} s ({self._chosen()})"
