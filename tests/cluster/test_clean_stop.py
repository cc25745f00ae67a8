"""A clean stop in the middle of something: it is finished, or it did not happen; and a manager's restart that nobody sees."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import pathlib
import signal
from collections.abc import Callable

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.errors import NoServer, TooFewCopies

MEBIBYTE = 1024 * 1024


def tell_to_stop(cluster: LocalCluster, node: str) -> None:
    process = cluster._nodes[node]
    assert process.pid is not None
    if os.name == "posix":
        os.kill(process.pid, signal.SIGTERM)
    else:  # there SIGTERM ends a process at once
        process.ask_to_stop()


@pytest.mark.parametrize("told", ["primary", "secondary"])
@pytest.mark.parametrize("replication", ["after", "pipeline"])
def test_an_upload_under_way_when_a_server_is_told_to_stop_is_acknowledged_and_true(
    told: str,
    replication: str,
    start_cluster: Callable[..., LocalCluster],
    make_file: Callable[..., pathlib.Path],
    eventually: Callable[..., None],
    copies: Callable[[LocalCluster, str], dict[str, bytes]],
) -> None:
    """The file is announced along the line at its first byte, and the servers are told when a third of it is sent."""
    cluster = start_cluster(servers=2, replication=replication)
    path = make_file("a", 12 * MEBIBYTE)
    with cluster.connect("ann") as session:
        first = session.backup(make_file("b", b"b"), "a").servers  # a file goes where its earlier versions are
        node = first[told == "secondary"]
        if (told, replication) == ("secondary", "after"):
            pytest.skip("nothing is under way at a second server before the first one has all of the file")

        def stop_it(done: int, total: int) -> None:
            if done > total // 3 and cluster.state(node) == "running" and not stopped:
                stopped.append(node)
                tell_to_stop(cluster, node)

        stopped: list[str] = []
        receipt = session.backup(path, "a", progress=stop_it)
        assert receipt.servers == first and not receipt.problems
        eventually(lambda: cluster.state(node) == "stopped")
        assert cluster._nodes[node]._child.returncode == 0  # type: ignore[union-attr]
        assert copies(cluster, "ann/a") == dict.fromkeys(["server1", "server2"], path.read_bytes())
        assert not any(path.is_file() for path in cluster.data.glob("servers/*/Incoming/*"))
        cluster.restart(node)
        assert session.verify("a") == {"server1": True, "server2": True}


def test_whoever_asks_while_the_manager_is_started_anew_waits_for_it(
    start_cluster: Callable[..., LocalCluster], make_file: Callable[..., pathlib.Path]
) -> None:
    """The new manager may say that it knows no servers yet: that is an answer. Nobody is told that there is no manager."""
    cluster = start_cluster(servers=2)
    path = make_file("a")
    with cluster.connect("ann") as session, concurrent.futures.ThreadPoolExecutor(4) as tasks:

        def work(task: int) -> int:
            stored = number = 0
            while not restarted.done() or stored < 3:
                number += 1
                with contextlib.suppress(NoServer, TooFewCopies):
                    session.backup(path, f"{task} {number}")
                    stored += 1
                assert session.manager.string("still there") == "still there"
            return stored

        restarted = tasks.submit(lambda: cluster.restart("manager"))
        counts = [each.result(60) for each in [tasks.submit(work, task) for task in range(3)]]
        restarted.result()
        assert len(cluster.files()) >= sum(counts) >= 9
