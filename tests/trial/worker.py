"""A client of a real cluster at its random work, in a thread of its own."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from rpclab.cluster.local import LocalCluster
from rpclab.trials.model import Ledger
from rpclab.trials.workload import Work, operations

__all__ = ["THINK_S", "Worker"]

THINK_S = 0.15  # at most, between two operations; more in a long trial, whose event log would outgrow the memory


class Worker(Work):
    """One client at work, in a thread of its own."""

    def __init__(
        self,
        cluster: LocalCluster,
        client: Any,
        seed: int,
        folder: pathlib.Path,
        ledgers: Mapping[str, Ledger],
        note: Callable[[str], None],
        think_s: float = THINK_S,
    ) -> None:
        super().__init__(client, seed, ledgers, note)
        self.cluster, self._folder = cluster, folder / self.name
        self._think_s = think_s
        self._stop = threading.Event()
        self.doing = ""
        self.thread = threading.Thread(target=self._run, name=f"trial-{self.name}", daemon=True)

    @property
    def is_process(self) -> bool:
        return self.name in self.cluster.nodes

    def start(self) -> None:
        self._folder.mkdir(parents=True)
        self.thread.start()

    def ask_to_stop(self) -> None:
        self._stop.set()

    def wait_stopped(self, within_s: float) -> bool:
        self.thread.join(within_s)
        return not self.thread.is_alive()

    def _run(self) -> None:
        for operation in operations(self._seed, self.name):
            if self._stop.wait(operation.pause * self._think_s):
                return
            if self.is_process and not self._process_is_there():
                return
            self.doing = f"#{operation.number} {operation.kind} {operation.name!r} since {time.perf_counter():.3f}"
            self.carry_out(operation)
            self.doing = ""

    def _process_is_there(self) -> bool:
        while self.cluster.state(self.name) == "stopped":
            if self._stop.wait(0.02):
                return False
        return True

    def _now(self) -> float:
        return time.perf_counter()

    def _source(self, data: bytes) -> pathlib.Path:
        source = self._folder / "source"
        source.write_bytes(data)
        return source

    def _restored(self, name: str, **options: Any) -> tuple[Any, bytes]:
        target = self._folder / "back"
        try:
            restored = self.client.restore(name, target, **options)
            return restored, pathlib.Path(restored.path).read_bytes()
        finally:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(target)  # what a killed client leaves in its own folder is its own
