"""The verdict, once everything is healed: whether the system kept what it promised. Every sentence names file, version, node."""

from __future__ import annotations

import pathlib
import threading
import time
from typing import Any

import psutil

from rpclab.cluster.local import LocalCluster
from rpclab.errors import RpclabError
from rpclab.records import Location, file_key

from .disks import digest_of, held_bytes, stored_files

__all__ = ["Surroundings", "leftovers", "settle"]

_POLL_S = 0.25


def settle(cluster: LocalCluster, reader: Any, within_s: float) -> list[str]:
    """Read every copy again, until each file has as many good copies as are wanted and the manager's bytes are the disks'; or
    what is still wrong after so many seconds."""
    until = time.monotonic() + within_s
    while True:
        try:
            wrong = _unsettled(cluster, reader)
        except RpclabError as error:
            wrong = [f"{type(error).__name__}: {error}"]
        if not wrong or time.monotonic() > until:
            return wrong
        threading.Event().wait(_POLL_S)


def _unsettled(cluster: LocalCluster, reader: Any) -> list[str]:
    wrong = []
    records = {server.node: server for server in reader.list_servers()}
    for server in cluster.servers:
        held = held_bytes(cluster, server)
        if server not in records:
            wrong.append(f"{server} is not registered with the manager")
        elif records[server].stored_bytes != held:
            wrong.append(f"{server}: the manager counts {records[server].stored_bytes:,} bytes, the disk has {held:,}")
        elif records[server].reserved_bytes:
            wrong.append(f"{server}: {records[server].reserved_bytes:,} bytes are still reserved")
        arriving = [path.name for path in (cluster.data / "servers" / server / "Incoming").iterdir()]
        if arriving:
            wrong.append(f"{server}: still arriving are {arriving}")
    for location in reader.list_files():
        for version in _versions(reader, location):
            wrong += _copies_wrong(cluster, reader, version)
    return wrong


def _versions(reader: Any, location: Location) -> list[Location]:
    found: list[Location] = reader.versions(location.file.name, location.file.client)
    return found


def _copies_wrong(cluster: LocalCluster, reader: Any, location: Location) -> list[str]:
    file = location.file
    what = f"{file_key(file.client, file.name)} version {file.version}"
    nodes = [server.node for server in location.servers]
    wanted = file.wanted or int(str(cluster.settings["replicas"]))
    lying = {
        server: [path for path in stored_files(cluster, server, file_key(file.client, file.name))]
        for server in cluster.servers
    }
    good = [server for server, paths in lying.items() if any(digest_of(path) == file.digest for path in paths)]
    wrong = []
    if len(nodes) != wanted:
        wrong.append(f"{what} has {len(nodes)} copies, on {nodes}; {wanted} are wanted, good on disks {good}")
    if not set(nodes) <= set(good):
        reader.verify(file.name, file.client, file.version)  # what is damaged is put aside, and made anew
        wrong.append(f"{what} is said to be on {nodes}, and is good on the disks of {good} only")
    return wrong


# ---- what is left over


class Surroundings:
    """This process's threads and sockets at one moment."""

    def __init__(self) -> None:
        self.threads = set(threading.enumerate())
        self.sockets = {(each.laddr, each.raddr) for each in psutil.Process().net_connections(kind="tcp")}


def leftovers(before: Surroundings, data: pathlib.Path, within_s: float = 10.0) -> list[str]:
    """Processes, threads, sockets and temporary files that should be gone after the cluster has stopped."""
    until = time.monotonic() + within_s
    while True:
        now = Surroundings()
        children = [_shown(child) for child in psutil.Process().children(recursive=True)]
        left = [f"a process is left: {child}" for child in children if "rpclab." in child]
        left += [f"a thread is left: {thread.name}" for thread in now.threads - before.threads]
        left += [f"a socket is left: {pair}" for pair in now.sockets - before.sockets]
        left += [f"a temporary file is left: {path}" for path in temporary_files(data)]
        if not left or time.monotonic() > until:
            return left
        threading.Event().wait(_POLL_S)


def temporary_files(data: pathlib.Path) -> list[str]:
    found = [path for path in (data / "servers").glob("*/**/*") if path.suffix in (".part", ".new") and path.is_file()]
    found += [path for path in (data / "servers").glob("*/Incoming/*")]
    return sorted(map(str, found))


def _shown(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
