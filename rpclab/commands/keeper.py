"""`python -m rpclab.commands.keeper`: the process that owns a cluster from `rpclab up` to `rpclab down`.

It starts a LocalCluster, writes into its outcome file how that went, and waits for a stop file or SIGTERM. It also ends when
the cluster's record is gone, with the whole data folder or alone: nobody could find the cluster any more, to end it. If it
is killed, the cluster's parts end with it, as they do with every parent.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType

from ..cluster.local import LocalCluster
from ..cluster.record import record_file
from ..errors import ClusterRunning, FolderNotUsable, RpclabError, error_to_wire
from ..running import write_whole
from ..world.real_disk import RealLock

__all__ = ["main"]

_POLL_S = 0.1


def main(arguments: Sequence[str]) -> int:
    options = argparse.ArgumentParser(prog="python -m rpclab.commands.keeper", description=__doc__)
    options.add_argument("--settings", required=True, type=json.loads, help="LocalCluster's arguments, as JSON")
    options.add_argument("--lock-file", required=True, help="held as long as this runs: one keeper a cluster")
    options.add_argument("--stop-file", required=True, type=pathlib.Path, help="ends when this file appears")
    options.add_argument("--outcome-file", required=True, help="is told how the start went")
    chosen = options.parse_args(arguments)
    for name in ("SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _end)
    try:
        lock = _lock(chosen.lock_file)
        chosen.stop_file.unlink(missing_ok=True)
        cluster = LocalCluster(**chosen.settings)
    except RpclabError as error:
        write_whole(chosen.outcome_file, json.dumps(error_to_wire(error)))
        return 1
    with cluster:
        write_whole(chosen.outcome_file, "null")
        print(f"keeps {cluster!r}", flush=True)
        _wait(chosen.stop_file, record_file(cluster.folder))
    chosen.stop_file.unlink(missing_ok=True)
    lock.close()
    print("stopped", flush=True)
    return 0


def _lock(path: str) -> RealLock:
    try:
        return RealLock(path)
    except FolderNotUsable:
        raise ClusterRunning("this cluster is already running, or just starting: rpclab status shows it") from None


def _wait(stop_file: pathlib.Path, record: pathlib.Path) -> None:
    pause = threading.Event()
    while record.exists() and not stop_file.exists():
        pause.wait(_POLL_S)


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough: the second would interrupt the end
    sys.exit(0)  # SystemExit: whatever is open is closed on the way out


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
