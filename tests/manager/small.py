"""Short ways to say what the tests of the manager's parts are about."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from rpclab.config import Address
from rpclab.manager.directory import Directory
from rpclab.manager.placement import POLICIES, Policy
from rpclab.manager.placing import Plan
from rpclab.records import FileRecord, ServerRecord

RESERVATION_S = 120.0
ANNA = "anna"


def directory_of(
    *stored: int,
    policy: str | Policy = "fewest-bytes",
    keep: int = 5,
    replicas: int = 2,
    dead_s: float = 10.0,
    **more: Any,
) -> Directory:
    """A directory with a server for each number of stored bytes; `more` is of these servers."""
    directory = Directory(
        policy=POLICIES[policy] if isinstance(policy, str) else policy,
        policy_name=policy if isinstance(policy, str) else policy.__name__,
        reservation_s=RESERVATION_S,
        keep=keep,
        replicas=replicas,
        dead_s=dead_s,
    )
    for number, size in enumerate(stored):
        directory.add(server(number, size, **more))
    return directory


def address(number: int) -> Address:
    return ("127.0.0.1", 1000 + number)


def number_of(server: ServerRecord) -> int:
    return server.address[1] - 1000


def server(number: int, stored: int = 0, **more: Any) -> ServerRecord:
    return ServerRecord(f"server{number}", address(number), stored, **more)


def file(
    name: str = "a", version: int = 1, size: int = 10, client: str = ANNA, digest: str = "", **more: Any
) -> FileRecord:
    return FileRecord(client, name, size, digest or f"{name}{version}", version, **more)


def tombstone(name: str = "a", version: int = 1) -> FileRecord:
    return FileRecord(ANNA, name, 0, "", version, deleted=True)


def place(directory: Directory, name: str = "a", size: int = 10, **more: Any) -> Plan:
    options = {"wanted": 1, "now": 0.0, "random": Random(1), "upload": f"upload of {name}", **more}
    return directory.placing.place(ANNA, name, size, **options)


def nodes(servers: Iterable[ServerRecord]) -> list[str]:
    return [server.node for server in servers]
