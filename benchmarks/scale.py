"""How far one manager goes: `python -m benchmarks.scale` measures what `rpclab experiments manager-load` has no time for.

Messages at the manager, idle and while files are backed up, in simulated clusters; and real memory and time of a process whose
manager was told the inventories of many servers. Times are of one core, with what else the machine does in them.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter

from rpclab.cluster.simulated import SimCluster
from rpclab.study.manager_load import filled, settle

__all__ = ["BIG", "SIMULATED", "main", "messages"]

SIMULATED = (10, 100, 300)
BIG = ((10, 100), (1_000, 100), (1_000, 2_000), (100_000, 10))
"""Servers, and copies that each holds: the third is a million files, the fourth half a million."""
_IDLE_S = 30.0
_FILES = 50


def messages(servers: int, *, seed: int = 1) -> tuple[float, float, int, int]:
    """Messages at the manager: for each server and second when nothing happens, and for each backup of a small file beside
    these; then its connections after the backups, and after a rest."""
    with SimCluster(seed=seed, servers=servers, clients=1) as cluster:
        heartbeats, _ = _messages(cluster)
        began = cluster.now
        cluster.sleep(_IDLE_S)
        later, _ = _messages(cluster)
        idle = (later - heartbeats) / (cluster.now - began) / servers
        client = cluster.clients["client1"]
        for number in range(_FILES):
            client.put(f"notes {number}", bytes(1000))
        _, others = _messages(cluster)
        for number in range(_FILES):
            client.backup(f"notes {number}")
        _, after = _messages(cluster)
        opened = _connections(cluster)
        cluster.sleep(_IDLE_S)
        return idle, (after - others) / _FILES, opened, _connections(cluster)


def _messages(cluster: SimCluster) -> tuple[int, int]:
    """At the manager: heartbeats, and all others."""
    found = [event for event in cluster.history.events if event.node == "manager" and event.kind in ("send", "receive")]
    heartbeats = sum(event.method == "heartbeat" for event in found)
    return heartbeats, len(found) - heartbeats


def _connections(cluster: SimCluster) -> int:
    """How many the manager has, less the client's."""
    ended = Counter(event.kind for event in cluster.history.events if event.node == "manager")
    return ended["connected"] - ended["disconnected"]


def _big(servers: int, files: int) -> None:
    """The child: say what a directory of this size took."""
    before = _memory_mib()
    began = time.process_time()
    directory = filled(servers, files)
    told = time.process_time() - began
    after = _memory_mib()
    began = time.process_time()
    looks = settle(directory)
    judged = time.process_time() - began
    print(
        f"{servers:>9,}{files:>9,}{directory.total_files:>11,}{after - before:>10.0f}{_memory_mib() - before:>10.0f}"
        f"{told:>9.1f}{judged:>9.1f}{looks / 2:>9.0f}",
        flush=True,
    )


def _memory_mib() -> float:
    """The most memory that this process has had."""
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Print both tables."""
    print("at the manager: messages a server and second idle, a backup; connections after it, and after a rest")
    for servers in SIMULATED:
        idle, backup, after, rested = messages(servers)
        print(f"{servers:>9,} servers{idle:>12.2f}{backup:>10.2f}{after:>10}{rested:>10}", flush=True)
    if sys.platform == "win32":
        return
    print("\n  servers   copies      files  MiB told    judged   told s judged s  looks s")
    for servers, files in BIG:
        subprocess.run([sys.executable, "-m", "benchmarks.scale", str(servers), str(files)], check=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _big(int(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
