"""One small cluster in either world, with a client that backs files up: tests of the stage and of faults are written for it."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

from rpclab import LocalCluster, SimCluster
from rpclab.config import Limits
from rpclab.trace import Event

__all__ = ["WORLDS", "Stand", "real", "simulated"]

WORLDS = ("simulated", "real")


class Stand:
    """`cluster` and its client "ann"."""

    def __init__(self, cluster: Any, folder: pathlib.Path, limits: Limits | None = None) -> None:
        self.cluster, self._folder = cluster, folder
        self.simulated = isinstance(cluster, SimCluster)
        self.ann = cluster.connect("ann", limits=limits)

    def put(self, name: str, contents: bytes) -> str:
        """Give ann a file; returns what to call `backup` with."""
        if self.simulated:
            self.ann.put(name, contents)
            return name
        path = self._folder / name
        path.write_bytes(contents)
        return str(path)

    def backup(self, name: str = "a", contents: bytes = b"contents") -> Any:
        return self.ann.backup(self.put(name, contents))

    def begin(self, name: str = "a", contents: bytes = b"contents") -> Any:
        path = self.put(name, contents)
        return self.cluster.begin(lambda: self.ann.backup(path))

    def restored(self, name: str = "a") -> bytes:
        if self.simulated:
            return self.ann.read(self.ann.restore(name).path)
        return pathlib.Path(self.ann.restore(name, str(self._folder / "restored")).path).read_bytes()

    def of(self, *kinds: str) -> list[Event]:
        return self.cluster.history.of(*kinds)

    def wait(self, condition: Callable[[], object], within_s: float = 20.0) -> None:
        """Let the cluster's time pass until something is so."""
        waited = 0.0
        while not condition():
            assert waited < within_s, f"it is not so after {within_s} s"
            self.cluster.sleep(0.05)
            waited += 0.05

    def wait_done(self, operation: Any) -> None:
        """Wait for the end of an operation whose cluster was stopped."""
        if not self.simulated:
            operation.wait()
        assert operation.done

    def finish(self, operation: Any) -> Any:
        """Deliver all that is held until an operation has ended."""
        for _ in range(200):
            if operation.done:
                return operation.result()
            self.cluster.step()
        raise AssertionError(f"{operation} does not end")


def simulated(**options: Any) -> SimCluster:
    return SimCluster(**{"seed": 1, "servers": 3, "clients": 0} | options)


def real(folder: pathlib.Path, **options: Any) -> LocalCluster:
    return LocalCluster(**{"servers": 3, "clients": 0, "ports": "free", "data": folder / "data"} | options)
