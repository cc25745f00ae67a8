"""What a manager costs, measured on its own code: bytes of memory, and seconds of one core, with servers that exist only by what
they say. The big ones are told to the directory; what a message costs with all of the wire is measured over real sockets."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from ..config import Address
from ..manager.directory import Directory
from ..manager.membership import Membership
from ..manager.placement import POLICIES
from ..manager.service import Manager
from ..manager.settings import Settings
from ..records import FileRecord, ServerRecord
from ..rpc.connection import Connection
from ..rpc.handshake import Identity
from ..rpc.opening import open_connection
from ..trace import Tracer
from ..world.real import RealWorld

__all__ = ["Costs", "WireCosts", "costs", "filled", "memory_bytes", "settle", "wire_costs"]

COPIES = 2
SIZE = 100_000
_ROUNDS = 5  # the best of so many: what the code costs when nothing else runs
_WIRE_ROUNDS = 3
_CONNECTIONS = 20
_ASKED = 20  # a connection and round


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of one core, the wire left out: a heartbeat, one look at who is silent, placing a file of two copies, a report of a
    copy, believing a copy of an inventory, judging a file."""

    heartbeat: float
    look: float
    place: float
    report: float
    inventory: float
    judge: float


@dataclass(frozen=True, slots=True)
class WireCosts:
    """Seconds of one core that the manager's own thread takes, with all of the wire: receiving, answering, the lock. `open` is a
    connection with its handshake, both ends; `inventory` is a copy in a page of a hundred."""

    heartbeat: float
    place: float
    report: float
    inventory: float
    open: float


def _address(number: int) -> Address:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 65433


def _file(server: int, number: int) -> FileRecord:
    name = f"course/2026/week {number % 14}/notes {server} {number}.txt"
    return FileRecord(
        f"client{server % 50}", name, SIZE, f"{server:032x}{number:032x}", 1 + number, saved=1_700_000_000.0
    )


def inventory(server: int, servers: int, files: int) -> list[FileRecord]:
    """What a server tells: half of it lies on the next one too, the other half on the one before. As it comes off the wire: no
    two servers share a text in memory."""
    own = [_file(of, number) for of in (server, (server - 1) % servers) for number in range(files // COPIES)]
    return msgspec.json.decode(msgspec.json.encode(own), type=list[FileRecord])


def filled(servers: int, files: int) -> Directory:
    """The directory of a manager whose servers have told that each holds so many copies."""
    policy = "fewest-bytes"
    directory = Directory(policy=POLICIES[policy], policy_name=policy, reservation_s=120.0)
    for number in range(servers):
        record = ServerRecord(f"server{number}", _address(number), files * SIZE, quota_bytes=2**40)
        directory.add(record, report=1)
        directory.add_files(record.address, inventory(number, servers, files))
    directory.placing.is_other(frozenset())  # the orders that choices are made by are built when first asked for
    return directory


def settle(directory: Directory) -> int:
    """Judge every file, as the manager does in its looks; returns in how many looks."""
    looks, now = 1, 10.0
    directory.upkeep.waiting(now)
    while directory.upkeep.unsettled:
        now += 0.5
        directory.upkeep.waiting(now)
        looks += 1
    return looks


def memory_bytes(servers: int, files: int) -> int:
    """What the directory of so many servers takes when every file has been judged, as Python's own account of it says."""
    gc.collect()
    tracemalloc.start()
    try:
        directory = filled(servers, files)
        settle(directory)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
        return taken
    finally:
        tracemalloc.stop()


def costs(servers: int, files: int, *, count: int = 300, seed: int = 1) -> Costs:
    """Seconds of one core for one of each, with so many servers that hold so many copies each."""
    random = Random(seed)
    directory = filled(servers, 0)
    told = [(_address(number), inventory(number, servers, files)) for number in range(min(servers, 300))]
    began = time.process_time()
    for address, records in told:
        directory.add_files(address, records)
    believing = (time.process_time() - began) / max(1, len(told) * files)
    known = directory.total_files
    began = time.process_time()
    settle(directory)
    judging = (time.process_time() - began) / max(1, known)

    members = Membership(Settings(), 0.0)
    for number in range(servers):
        members.register(_address(number), f"server{number}", number, 0.0, watched=True, end=lambda: None)
    chosen = [random.randrange(servers) for _ in range(count)]

    def heartbeats() -> None:
        for number in chosen:
            members.heard(_address(number), number, 0.5)

    def place(round_number: int) -> None:
        for number in range(count):
            upload = f"{round_number} {number}"
            directory.placing.place("anna", upload, SIZE, wanted=COPIES, now=20.0, random=random, upload=upload)

    def report(round_number: int) -> None:
        for index, number in enumerate(chosen):
            file = msgspec.structs.replace(_file(number, index), version=10_000 + round_number)
            directory.update(_address(number), stored_bytes=files * SIZE, report=2 + round_number, stored=[file])

    return Costs(
        _best(lambda _: heartbeats()) / count,
        _best(lambda number: members.look(0.5 + number / 1000)),
        _best(place) / count,
        _best(report) / count,
        believing,
        judging,
    )


def _best(work: Any) -> float:
    taken = []
    for number in range(_ROUNDS):
        began = time.process_time()
        work(number)
        taken.append(time.process_time() - began)
    return min(taken)


# ---- with all of the wire


@contextmanager
def _manager() -> Iterator[tuple[RealWorld, Address]]:
    world = RealWorld()
    manager = Manager(world, Identity("manager", "manager", bytes(32)), settings=Settings(repair=False))
    manager.registry.register_method(_thread_seconds_now, "threadSeconds", reads=True)
    try:
        yield world, manager.start(("127.0.0.1", 0))
    finally:
        manager.stop()


def _thread_seconds_now() -> float:
    """Seconds of a core that the thread which serves the caller has taken."""
    return time.thread_time()


def wire_costs() -> WireCosts:
    """Twenty servers and a client on real sockets: what each message costs the thread of the manager that answers it.

    The servers take turns, so that each message finds its thread asleep, as in a cluster.
    """
    with _manager() as (world, manager), ExitStack() as opened:

        def connect(node: str, role: Any) -> Connection:
            identity = Identity(node, role, bytes(32))
            return opened.enter_context(
                open_connection(world, manager, identity, Tracer(world, node), expected=("manager",))
            )

        began = time.process_time()
        servers = [connect(f"server{number}", "server") for number in range(_CONNECTIONS)]
        opening = (time.process_time() - began) / _CONNECTIONS
        for number, server in enumerate(servers):
            server.call("addServer", _address(number), 0, f"server{number}", None, 1)
        client = connect("anna", "client")
        page = inventory(0, 1, 100)
        turn = range(_ASKED)
        uploads = iter(range(1_000_000))

        def place(caller: Connection, _: int, __: int) -> None:
            name = f"notes {next(uploads)}"
            caller.call("placeFile", "anna", name, SIZE, name)

        def report(caller: Connection, number: int, index: int) -> None:
            stored = [_file(number, index)]
            caller.call("updateServer", _address(number), SIZE, 2 + next(uploads), stored, [], "")

        return WireCosts(
            _thread_seconds(servers, turn, lambda caller, number, _: caller.notify("heartbeat", [_address(number)])),
            _thread_seconds([client], range(_ASKED * 5), place),
            _thread_seconds(servers, turn, report),
            _thread_seconds(
                servers, range(2), lambda caller, number, _: caller.call("addFiles", _address(number), page)
            )
            / len(page),
            opening,
        )


def _thread_seconds(callers: list[Connection], turns: range, ask: Any) -> float:
    """Seconds of the manager's threads for one of what `ask` does, the asking for the time itself taken off; the best round."""
    best = float("inf")
    for _ in range(_WIRE_ROUNDS):
        _seconds(callers)
        empty = _seconds(callers)
        before = _seconds(callers)
        for turn in turns:
            for number, caller in enumerate(callers):
                ask(caller, number, turn)
        taken = _seconds(callers) - before - (before - empty)
        best = min(best, taken / len(turns) / len(callers))
    return best


def _seconds(callers: list[Connection]) -> float:
    return sum(float(caller.call("threadSeconds")) for caller in callers)
