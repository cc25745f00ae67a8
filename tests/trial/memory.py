"""What a process takes of the machine: memory of its own, threads, sockets."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import psutil

__all__ = ["Memory", "open_sockets", "sockets_allowed"]


class Memory:
    """One process's memory and threads now. Pages that it shares (its event log's among them) are not its own."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        process = psutil.Process(pid)
        info = process.memory_info()
        self.mib = (info.rss - getattr(info, "shared", 0)) / 2**20
        self.rss_mib = info.rss / 2**20
        self.threads = process.num_threads()

    @staticmethod
    @contextlib.contextmanager
    def watching(processes: dict[str, int]) -> Iterator[dict[str, float]]:
        """The most MiB that each of these processes has while the block runs, all of its pages counted."""
        peaks, stop = dict.fromkeys(processes, 0.0), threading.Event()

        def watch() -> None:
            while not stop.wait(0.02):
                for node, pid in processes.items():
                    peaks[node] = max(peaks[node], Memory(pid).rss_mib)

        watcher = threading.Thread(target=watch, name="watching memory")
        watcher.start()
        try:
            yield peaks
        finally:
            stop.set()
            watcher.join()


def open_sockets(pid: int) -> int:
    return len([each for each in psutil.Process(pid).net_connections("tcp") if each.status == "ESTABLISHED"])


@contextlib.contextmanager
def sockets_allowed(count: int) -> Iterator[None]:
    """So many sockets, or as many as the system allows, for what this process opens in the block, and starts in it."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count if hard == resource.RLIM_INFINITY else min(count, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
