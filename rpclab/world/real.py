"""The real world: this machine's clock, sockets, files, threads and randomness."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .base import Disk, Network
from .real_disk import RealDisk
from .real_network import RealNetwork

if TYPE_CHECKING:
    from .real_certificates import Certificates

__all__ = ["RealWorld"]


class RealClock:
    """`perf_counter` is one clock for all processes of a machine, on Linux, macOS and Windows, and finer than `monotonic`."""

    now = staticmethod(time.perf_counter)
    wall = staticmethod(time.time)
    sleep = staticmethod(time.sleep)


class RealTask:
    def __init__(self, function: Callable[[], object], name: str) -> None:
        self.name = name
        # A daemon: a thread that hangs on a dead peer must not keep the process from ending; owners join what they spawn.
        self._thread = threading.Thread(target=function, name=name, daemon=True)

    def start(self) -> RealTask:
        self._thread.start()
        return self

    def join(self, timeout: float | None = None) -> bool:
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()


class RealTasks:
    lock = staticmethod(threading.Lock)
    condition = staticmethod(threading.Condition)

    def spawn(self, function: Callable[[], object], name: str) -> RealTask:
        return RealTask(function, name).start()

    def is_end(self, error: BaseException) -> bool:
        return False  # a thread ends by itself


class RealWorld:
    """All that a node may touch, for real. With `seed` its choices (not its nonces) repeat.

    `certificates` (TLS) and `loopback_only` are those of `RealNetwork`.
    """

    def __init__(
        self, seed: int | None = None, *, certificates: Certificates | None = None, loopback_only: bool = False
    ) -> None:
        self.clock = RealClock()
        network = RealNetwork(self.clock.now, certificates, loopback_only=loopback_only)
        self.check_allowed = network.check_allowed
        self.network: Network = network
        self.disk: Disk = RealDisk()
        self.tasks = RealTasks()
        self.random = random.Random(seed)

    def nonce(self, length: int) -> bytes:
        return os.urandom(length)
