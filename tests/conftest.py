"""What many tests need: a world, small clusters in folders of their own, and the check that nothing is left behind."""

from __future__ import annotations

import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.study.report import Verdict
from rpclab.world.real import RealWorld

WITHIN_S = 20.0  # how long a condition may take on a slow machine before a test gives up
LONG = ("tests/test_notebooks.py", "tests/browser/", "tests/simulation/", "tests/trial/", "tests/cluster/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest first: where two are tested at once, neither process has nothing to do at the end."""
    items.sort(key=lambda item: next((at for at, name in enumerate(LONG) if item.nodeid.startswith(name)), len(LONG)))


@pytest.fixture
def world() -> RealWorld:
    return RealWorld(seed=1)


@pytest.fixture
def default_ports() -> Iterator[None]:
    """The description's ports are this test's alone: of those that run side by side one after the other has them."""
    with socket.socket() as guard:
        until = time.monotonic() + 10 * WITHIN_S
        while True:
            try:
                guard.bind(("127.0.0.1", 65431))
                break
            except OSError:
                assert time.monotonic() < until, "another program uses port 65431"
                threading.Event().wait(0.1)
        yield


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with a cluster's certificates: manager, server1, client1 and mallory, who is a client too."""
    from rpclab import authority

    folder = tmp_path_factory.mktemp("keys")
    authority.make_authority(folder)
    authority.issue(
        folder, [("manager", "manager"), ("server1", "server"), ("client1", "client"), ("mallory", "client")]
    )
    return folder


@pytest.fixture
def start_cluster(tmp_path: pathlib.Path) -> Iterator[Callable[..., LocalCluster]]:
    """Start a small cluster in a folder of its own; it is stopped at the end of the test, and its run judged.

    `expect` names the invariants that the test breaks on purpose, or hides from the judge, each with the reason; with
    `judged=False` the judge is not asked.
    """
    started: list[tuple[LocalCluster, dict[str, str] | None]] = []

    def start(*, expect: dict[str, str] | None = None, judged: bool = True, **options: Any) -> LocalCluster:
        options = {"servers": 3, "clients": 0, "ports": "free", "data": tmp_path / "data"} | options
        cluster = LocalCluster(**options)
        started.append((cluster, (expect or {}) if judged else None))
        return cluster

    yield start
    for cluster, expect in reversed(started):
        cluster.stop()
        if expect is not None:
            judge(cluster, expect)


def judge(cluster: LocalCluster, expect: dict[str, str]) -> None:
    """A cluster that was stopped must have kept every invariant but those that its test broke on purpose: and broken those."""
    if any((cluster.folder / "events").glob("*.jsonl")):
        report = cluster.check()
        broken = {judgement.name for judgement in report if judgement.verdict is not Verdict.VALID}
        assert broken == set(expect), f"expected to be broken: {expect or 'nothing'}\n{report}"


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Three servers for all tests of a module that leave them running; each test takes a client's name of its own."""
    with LocalCluster(servers=3, clients=0, ports="free", data=tmp_path_factory.mktemp("shared") / "data") as cluster:
        yield cluster
    judge(cluster, {})


@pytest.fixture
def copies() -> Callable[..., dict[str, bytes]]:
    """The contents of a file on the disk of each server that has it: looked up there, not asked for."""

    def find(cluster: LocalCluster, key: str) -> dict[str, bytes]:
        found = {}
        for server in cluster.servers:
            path = cluster.data / "servers" / server / "Backups" / key
            if path.is_file():
                found[server] = path.read_bytes()
        return found

    return find


@pytest.fixture
def disk_bytes() -> Callable[[LocalCluster], dict[str, int]]:
    """The bytes that each server stores, in all versions, as `du` counts them."""

    def count(cluster: LocalCluster) -> dict[str, int]:
        return {
            server: sum(
                path.stat().st_size
                for kept in ("Backups", "Versions")
                for path in (cluster.data / "servers" / server / kept).rglob("*")
                if path.is_file()
            )
            for server in cluster.servers
        }

    return count


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait for a condition, with a deadline: no test sleeps and hopes."""

    def wait(condition: Callable[[], object], within_s: float = WITHIN_S, what: str = "the condition") -> None:
        until = time.monotonic() + within_s
        pause = threading.Event()
        while not condition():
            assert time.monotonic() < until, f"{what} did not come true within {within_s} s"
            pause.wait(0.01)

    return wait


@pytest.fixture
def make_file(tmp_path: pathlib.Path) -> Callable[..., pathlib.Path]:
    """Write a file with these contents (or so many random bytes) into a folder of its own."""

    def make(name: str, contents: bytes | int = b"hello") -> pathlib.Path:
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(contents) if isinstance(contents, int) else contents)
        return path

    return make


@pytest.fixture
def small_disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A disk of 8 MiB that can be filled to the last byte; skips where none can be mounted."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    if shutil.which("mount") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("a small disk can be mounted by root on Linux only")
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let root mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """After all tests no node's process runs, and no thread of ours."""
    yield
    left = [
        process for process in psutil.Process().children(recursive=True) if "rpclab." in " ".join(_command(process))
    ]
    _, alive = psutil.wait_procs(left, timeout=5)
    assert not alive, f"processes left behind: {[_command(process) for process in alive]}"
    threads = [
        thread.name for thread in threading.enumerate() if "-serves-" in thread.name or thread.name.endswith("-accept")
    ]
    assert not threads, f"threads left behind: {threads}"


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
