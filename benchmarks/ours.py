"""rpclab's side of every benchmark, each as one small adapter: all that the benchmarks know of its interface.

rpclab is imported within the functions: a peer's process must not carry it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness import pin

__all__ = ["attach", "cluster", "echo", "way_to"]


@contextmanager
def cluster(folder: Path | None = None, **options: Any) -> Iterator[Any]:
    """A cluster on free ports whose data lies in a folder of its own, removed afterwards."""
    from rpclab import LocalCluster

    with (
        tempfile.TemporaryDirectory(dir=folder, prefix="rpclab-") as data,
        LocalCluster(**{"ports": "free", "data": Path(data), "name": "bench", "clients": 1, **options}) as running,
    ):
        yield running


@contextmanager
def echo(text: str, *, trace: bool) -> Iterator[Callable[[], object]]:
    """A call of the manager's `string`, with the manager on the core that we were pinned to."""
    with cluster(servers=1, replicas=1, trace=trace) as running:
        for process_id in running.processes().values():
            pin(process_id)
        string = running.connect("bench").manager.string
        yield lambda: string(text)


def way_to(running: Any) -> dict[str, Any]:
    """What another process needs to become a client of a running cluster."""
    return {"manager": running.addresses["manager"], "secret_file": str(running.secret_file)}


def attach(way: dict[str, Any], name: str) -> Any:
    """A session of a running cluster, in this process, connected; it is a context manager."""
    from rpclab import Client
    from rpclab.rpc.handshake import Identity
    from rpclab.secret import load_secret
    from rpclab.world.real import RealWorld

    identity = Identity(name, "client", load_secret(way["secret_file"]))
    return Client(RealWorld(), identity, tuple(way["manager"])).connect()
