"""A cluster from cold to ready and to stopped: ours beside dask's, ipyparallel's and four bare processes.

Each time a fresh Python process runs one of the programs below; its clock starts before its first import. dask and
ipyparallel are ready when they have given a first result. Ours is ready when the `with` block is entered (nodes
registered and answering); the time to its first answer stands in a row of its own.
"""

from __future__ import annotations

import compileall
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from benchmarks.figures import Figure, figure, missing
from benchmarks.harness import LIMIT_S, ROOT, ChildError, Settings, interleave

__all__ = ["measure"]

BEGIN = "from time import perf_counter\nstart = perf_counter()\nleft = []\n"
END = """
stopped = perf_counter()
import json
if left:
    import psutil
    psutil.wait_procs(left, timeout=20)  # the next program must not run beside them
print(json.dumps({"ready": ready - start, "answer": answer - start, "stop": stopped - answer}))
"""

RPCLAB = """
from rpclab import LocalCluster
with LocalCluster(servers=3, clients=2, ports="free", data=FOLDER, name="bench") as cluster:
    ready = perf_counter()
    assert cluster.connect("bench").manager.string("hello") == "hello"
    answer = perf_counter()
"""

DASK = """
from distributed import Client, LocalCluster
with LocalCluster(n_workers=3, processes=True, dashboard_address=":0") as cluster, Client(cluster) as client:
    assert client.submit(sum, (1, 2)).result() == 3
    ready = answer = perf_counter()
"""

IPYPARALLEL = """
import os
os.environ["IPYTHONDIR"] = FOLDER
import ipyparallel, psutil
cluster = ipyparallel.Cluster(n=3)
client = cluster.start_and_connect_sync()
assert client[:].apply_sync(sum, (1, 2)) == [3, 3, 3]
ready = answer = perf_counter()
left = psutil.Process().children(recursive=True)
client.close()
cluster.stop_cluster_sync()
"""

BARE = '''
import socket, subprocess, sys
ECHO = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
while data := connection.recv(65536):
    connection.sendall(data)
"""
nodes = [subprocess.Popen([sys.executable, "-c", ECHO], stdout=subprocess.PIPE) for _ in range(4)]
connections = [socket.create_connection(("127.0.0.1", int(node.stdout.readline()))) for node in nodes]
for connection in connections:
    connection.sendall(b"hello")
    assert connection.recv(65536) == b"hello"
ready = answer = perf_counter()
for connection, node in zip(connections, nodes):
    connection.close()
    node.wait()
'''

PROGRAMS = {"rpclab": RPCLAB, "dask": DASK, "ipyparallel": IPYPARALLEL, "bare nodes": BARE}
PEERS = [name for name in PROGRAMS if name != "rpclab"]


def measure(settings: Settings) -> list[Figure]:
    """Seconds of ours to each peer's, to ready and from there to stopped."""
    compileall.compile_dir(ROOT / "rpclab", quiet=1)  # as pip has done with the peers
    rounds = 2 if settings.quick else 9
    failed: dict[str, str] = {}
    measures = {}
    for name, program in PROGRAMS.items():
        try:
            run(program)
            measures[name] = lambda program=program: run(program)
        except ChildError as error:
            failed[name] = f"startup {name}: {error}"
    results = interleave(measures, rounds, warm=False)
    settings.notes.append(f"start-up: {rounds} rounds of fresh processes; the clock starts before the imports")
    return [
        _ratio(results, failed, "dask", "ready", "ready", at_most=0.4),
        _ratio(results, failed, "dask", "answer", "answer"),
        *(_ratio(results, failed, peer, "ready", "ready") for peer in PEERS if peer != "dask"),
        *(_ratio(results, failed, peer, "stop", "stopped") for peer in PEERS),
    ]


def _ratio(
    results: dict[str, list[Any]], failed: dict[str, str], peer: str, key: str, what: str, at_most: float | None = None
) -> Figure:
    name = f"{what}, {peer}"
    seconds = {side: [one[key] for one in series] for side, series in results.items()}
    for side in ("rpclab", peer):
        if side in failed:
            return missing(name, failed[side], "s", seconds.get(peer, ()), at_most=at_most)
    return figure(name, "s", seconds["rpclab"], seconds[peer], at_most=at_most)


def run(program: str) -> dict[str, float]:
    """Run one program in a fresh process and return what its clock said."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        text = BEGIN + program.replace("FOLDER", repr(folder)) + END
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(
            [sys.executable, "-c", text],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    if done.returncode:
        raise ChildError((done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[-1])
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))
