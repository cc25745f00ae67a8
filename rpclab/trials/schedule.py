"""A trial's schedule: who does what after which pause, and what is broken when. A seed has one; a file may hold any.

All else that happens by chance follows from the schedule's seed. What is left out of it does not happen, and nothing else
changes its place: the pause before it is added to the next one's.
"""

from __future__ import annotations

import dataclasses
import pathlib
import random
from collections.abc import Collection, Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from ..errors import RpclabError, UsageError
from ..names import check_name
from .nemesis import KINDS as FAULTS
from .nemesis import Fault, faults, names
from .workload import KINDS, Operation, operations

__all__ = ["Schedule"]

VERSION = 1
SERVERS = 5
CLIENTS = 8
SECONDS = 12.0
SETTLE_S = 180.0  # of virtual time: a reservation that nobody releases ends after 120
THINK_S = 0.5
DRIFTING = 0.25  # of the seeds
DRIFT = 0.05  # at most: a quartz goes wrong by 0.0001, and nothing here may hang on so little
# as the trial's on real disks, but that most of a run is not the copying of a few large files: a block more than one packet, and
# one more than sixteen, come often enough
SIZES = {0: 2, 1: 2, 100: 8, 4_096: 12, 65_536: 4, 65_537: 4, 200_000: 4, (1 << 20) + 1: 1}
DEAD_S = (1.2, 3.0)  # soon, so that much is repaired, also from a copy that has rotted; or late
SCRUB_ROUND_S = (5.0, 60.0)
REPLICAS = (2, 2, 2, 3, 1)  # two are what most clusters have; of three the middle one of a pipeline may fail
KEEP = (3, 3, 1, 5)  # versions of a file
_MOST_BYTES = 64 << 20
_MOST_NODES = 100
_MOST_S = 86_400.0

T = TypeVar("T", Operation, Fault)


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done and broken in one trial. `operations`: each client's, by its name; a `pause` is in seconds here."""

    rpclab: str = "schedule"
    version: int = VERSION
    seed: int
    seconds: float = SECONDS
    servers: int = SERVERS
    clients: int = CLIENTS
    dead_s: float = DEAD_S[-1]
    scrub_round_s: float = SCRUB_ROUND_S[0]
    drift: float = 0.0
    replicas: int = REPLICAS[0]
    keep: int = KEEP[0]
    settle_s: float = SETTLE_S
    """How long it may take at the end, once nothing is broken any more, until everything is as it has to be."""
    operations: dict[str, list[Operation]]
    faults: list[Fault]

    @classmethod
    def of(cls, seed: int, seconds: float = SECONDS) -> Schedule:
        """A seed's: as much as there may be time for."""
        trial, chance, kept = (random.Random(f"{seed}/{what}") for what in ("trial", "clocks", "copies"))
        drift = DRIFT * chance.random() if chance.random() < DRIFTING else 0.0
        planned = {
            client: _in_time(map(_in_seconds, operations(seed, client, SIZES)), seconds)
            for client in names("client", CLIENTS)
        }
        return cls(
            seed=seed,
            seconds=seconds,
            dead_s=trial.choice(DEAD_S),
            scrub_round_s=trial.choice(SCRUB_ROUND_S),
            drift=drift,
            replicas=kept.choice(REPLICAS),
            keep=kept.choice(KEEP),
            operations=planned,
            faults=_in_time(faults(seed, SERVERS, CLIENTS), seconds),
        )

    @property
    def size(self) -> tuple[int, int]:
        """How many faults and how many operations."""
        return len(self.faults), sum(map(len, self.operations.values()))

    def __str__(self) -> str:
        broken, done = self.size
        clients = sum(map(bool, self.operations.values()))
        return (
            f"{_counted(broken, 'fault')}, {_counted(done, 'operation')} of {_counted(clients, 'client')}, "
            f"{_counted(self.servers, 'server')}"
        )

    # ---- less of it

    def only(self, operations: Collection[tuple[str, int]], faults: Collection[int]) -> Schedule:
        """With these operations (client, number) and these faults alone."""
        left = {
            client: _left(planned, {number for name, number in operations if name == client})
            for client, planned in self.operations.items()
        }
        return msgspec.structs.replace(self, operations=left, faults=_left(self.faults, set(faults)))

    def smaller(self, servers: int, clients: int) -> Schedule:
        """With fewer nodes; what concerned the others is left out."""
        nodes = {"manager", *names("server", servers), *names("client", clients)}
        return msgspec.structs.replace(
            self,
            servers=servers,
            clients=clients,
            operations={client: planned for client, planned in self.operations.items() if client in nodes},
            faults=_left(self.faults, {fault.number for fault in self.faults if fault.node in nodes}),
        )

    def renamed(self) -> Schedule:
        """With the clients that do something alone, as client1 and so on."""
        used = [client for client, planned in self.operations.items() if planned]
        name = dict(zip(used, names("client", len(used)), strict=True))
        kept = [fault for fault in self.faults if not fault.node.startswith("client") or fault.node in name]
        return msgspec.structs.replace(
            self,
            clients=len(used),
            operations={name[client]: self.operations[client] for client in used},
            faults=[
                dataclasses.replace(fault, node=name.get(fault.node, fault.node))
                for fault in _left(self.faults, {fault.number for fault in kept})
            ],
        )

    def exact(self) -> Schedule:
        """With clocks that are right."""
        return msgspec.structs.replace(self, drift=0.0)

    # ---- in a file

    def save(self, path: str | pathlib.Path) -> pathlib.Path:
        """Write it as JSON, an operation and a fault a line."""
        whole = msgspec.to_builtins(self)
        planned = {client: [_line(each) for each in whole["operations"][client]] for client in self.operations}
        head = {key: value for key, value in whole.items() if key not in ("operations", "faults")}
        lines = [f' "{key}": {_line(value)},' for key, value in head.items()]
        lines.append(' "operations": {')
        lines.append(",\n".join(f"  {_line(client)}: {_listed(planned[client])}" for client in planned) + "\n },")
        lines.append(f' "faults": {_listed([_line(each) for each in whole["faults"]])}')
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{\n" + "\n".join(lines) + "\n}\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: str | pathlib.Path) -> Schedule:
        """Errors: UsageError, for a file that there is not, or that is no schedule of this version."""
        try:
            data = pathlib.Path(path).read_bytes()
        except OSError as error:
            raise UsageError(
                f"{path} cannot be read: {error.strerror}; give a seed (a number), or a schedule's file"
            ) from None
        try:
            head = msgspec.json.decode(data, type=_Head)
            if head.rpclab != "schedule":
                raise UsageError(f"{path} is no schedule of rpclab")
            if head.version != VERSION:
                raise UsageError(f"{path} is a schedule of version {head.version}; this rpclab reads version {VERSION}")
            schedule = msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} is no schedule: {error}") from None
        for wrong in schedule._wrong():
            raise UsageError(f"{path}: {wrong}")
        return schedule

    def _wrong(self) -> Iterator[str]:
        """What cannot be, a sentence each."""
        for name, count in (("servers", self.servers), ("clients", self.clients)):
            if not 0 <= count <= _MOST_NODES:
                yield f"{name}={count}: from 0 to {_MOST_NODES}"
        if not 0 < self.seconds <= _MOST_S or not 0 <= self.drift <= 0.5:
            yield f"seconds={self.seconds}, drift={self.drift}: above 0 and at most {_MOST_S:,.0f}; from 0 to 0.5"
        if (
            not 0 <= self.settle_s <= _MOST_S
            or not 0.1 <= self.dead_s <= _MOST_S
            or not 0 <= self.scrub_round_s <= _MOST_S
        ):
            yield f"settle_s={self.settle_s}, dead_s={self.dead_s}, scrub_round_s={self.scrub_round_s}: too little or too much"
        if not 1 <= self.replicas <= _MOST_NODES or not 1 <= self.keep <= _MOST_NODES:
            yield f"replicas={self.replicas}, keep={self.keep}: each from 1 to {_MOST_NODES}"
        clients, nodes = names("client", self.clients), {"manager", *names("server", self.servers)}
        for client, planned in self.operations.items():
            if client not in clients:
                yield f"{client!r} has operations, and there are {self.clients} clients, client1 and so on"
            yield from filter(None, map(_wrong_operation, planned))
        for fault in self.faults:
            if fault.kind not in FAULTS or fault.node not in nodes.union(clients):
                yield f"fault {fault.number}: {fault.kind!r} of {fault.node!r} is none that there is"
            if not (0 <= fault.wait_s <= _MOST_S and 0 <= fault.hold_s <= _MOST_S):
                yield f"fault {fault.number}: wait_s={fault.wait_s}, hold_s={fault.hold_s} cannot be waited"


class _Head(msgspec.Struct):
    rpclab: str = ""
    version: int = 0


def _wrong_operation(operation: Operation) -> str:
    what = f"operation {operation.number}"
    if operation.kind not in KINDS:
        return f"{what}: {operation.kind!r} is none of {', '.join(KINDS)}"
    if not 0 <= operation.size <= _MOST_BYTES or operation.keep < 0:
        return f"{what}: size={operation.size:,}, keep={operation.keep}: a size is from 0 to {_MOST_BYTES:,} bytes"
    if not (0 <= operation.choice < 1 and 0 <= operation.pause <= _MOST_S):
        return f"{what}: choice={operation.choice} is below 1, pause={operation.pause} seconds"
    if set(operation.options) - {"replication", "acknowledge"}:
        return f"{what}: its options are replication and acknowledge"
    try:
        check_name(operation.name)
    except RpclabError as error:
        return f"{what}: {error}"
    return ""


def _in_time(plan: Iterable[T], seconds: float) -> list[T]:
    """As much of a plan as its pauses alone leave time for."""
    found: list[T] = []
    for each in plan:
        seconds -= _pause(each)
        if seconds < 0:
            break
        found.append(each)
    return found


def _in_seconds(operation: Operation) -> Operation:
    return dataclasses.replace(operation, pause=operation.pause * THINK_S)


def _pause(each: Operation | Fault) -> float:
    return each.pause if isinstance(each, Operation) else each.wait_s


def _left(plan: list[T], numbers: set[int]) -> list[T]:
    left: list[T] = []
    waited = 0.0
    for each in plan:
        waited += _pause(each)
        if each.number in numbers:
            changes: dict[str, Any] = {"pause" if isinstance(each, Operation) else "wait_s": waited}
            left.append(dataclasses.replace(each, **changes))
            waited = 0.0
    return left


def _line(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _listed(lines: list[str]) -> str:
    return "[\n" + ",\n".join(f"   {line}" for line in lines) + "\n  ]" if lines else "[]"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
