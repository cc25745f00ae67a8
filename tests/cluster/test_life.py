"""The life of a cluster: started twice, seen, interrupted, orphaned, stopped; and nobody is left behind."""

from __future__ import annotations

import os
import pathlib
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.cluster.process import NodeProcess
from rpclab.cluster.record import load_record
from rpclab.cluster.settings import Part
from rpclab.cluster.tables import Receipts
from rpclab.errors import ClusterRunning, NameRefused, NotRunning, PortInUse, UsageError
from rpclab.text import bytes_text


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids)


def script(data: pathlib.Path, then: str) -> str:
    return textwrap.dedent(
        f"""
        import os, sys, signal, time
        from rpclab import LocalCluster
        cluster = LocalCluster(servers=2, clients=1, ports="free", data={str(data)!r})
        print(*cluster.processes().values(), flush=True)
        """
    ) + textwrap.dedent(then)


# ---- started again


def test_the_same_line_again_gives_a_clean_new_cluster(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, tmp_path: pathlib.Path
) -> None:
    first = start_cluster(servers=2, clients=1)
    with first.connect("ann") as session:
        session.backup(make_file("a"))
    before = first.processes()
    second = start_cluster(servers=2, clients=1)
    assert gone(list(before.values())) and second.processes().keys() == before.keys()
    assert [location.file.name for location in second.files()] == ["a"]
    first.stop()
    assert load_record(second.folder).addresses == {name: tuple(each) for name, each in second.addresses.items()}
    assert second.state("manager") == "running" and first.state("manager") == "stopped"
    with pytest.raises(NotRunning):
        first.connect("ann")


def test_the_default_ports_are_those_of_the_description_and_free_again_at_once(
    tmp_path: pathlib.Path, default_ports: None
) -> None:
    for _ in range(2):
        try:
            cluster = LocalCluster(servers=3, clients=0, data=tmp_path)
        except PortInUse:
            pytest.skip("somebody else on this machine uses ports 65432 to 65435")
        with cluster:
            assert [port for _, port in cluster.addresses.values()] == [65432, 65433, 65434, 65435]


def test_two_clusters_of_different_names_and_data_live_side_by_side(
    start_cluster: Callable[..., LocalCluster], tmp_path: pathlib.Path
) -> None:
    one = start_cluster(servers=1, data=tmp_path / "one", name="one")
    other = start_cluster(servers=1, data=tmp_path / "other", name="other")
    assert one.state("server1") == other.state("server1") == "running"


def test_the_running_cluster_of_another_process_is_left_alone(tmp_path: pathlib.Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", script(tmp_path, "sys.stdin.read(); cluster.stop()")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None and other.stdin is not None
        pids = [int(pid) for pid in other.stdout.readline().split()]
        with pytest.raises(ClusterRunning, match=f"process {other.pid}"):
            LocalCluster(servers=1, ports="free", data=tmp_path)
        assert len(pids) == 4 and all(psutil.pid_exists(pid) for pid in pids)
        other.stdin.close()
        assert other.wait(30) == 0
    assert gone(pids)


def test_of_two_that_start_the_same_cluster_at_once_one_wins(tmp_path: pathlib.Path) -> None:
    together = threading.Barrier(2)

    def start(_: int) -> LocalCluster | ClusterRunning:
        together.wait()
        try:
            return LocalCluster(servers=2, clients=0, ports="free", data=tmp_path)
        except ClusterRunning as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(start, range(2)))
    clusters = [each for each in outcomes if isinstance(each, LocalCluster)]
    try:
        assert ["just being started" in str(each) for each in outcomes if isinstance(each, ClusterRunning)] == [True]
        assert [clusters[0].state(node) for node in clusters[0].nodes] == ["running"] * 3
        assert load_record(clusters[0].folder).addresses.keys() == clusters[0].addresses.keys()
    finally:
        for cluster in clusters:
            cluster.stop()


# ---- the parent's end


def test_the_parts_end_when_their_parent_is_killed(tmp_path: pathlib.Path, eventually: Callable) -> None:
    code = script(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in done.stdout.split()]
    eventually(lambda: gone(pids), within_s=10, what="the children's end")
    with LocalCluster(servers=1, clients=0, ports="free", data=tmp_path) as again:
        assert again.state("server1") == "running"


def test_paused_parts_of_a_killed_parent_make_way_for_the_next_cluster(tmp_path: pathlib.Path) -> None:
    code = script(tmp_path, "cluster.pause('server1'); os.kill(os.getpid(), signal.SIGKILL)")
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    with LocalCluster(servers=1, clients=0, ports="free", data=tmp_path):
        assert gone([int(pid) for pid in done.stdout.split()])


def test_a_parent_that_ends_without_a_word_takes_its_parts_along(tmp_path: pathlib.Path, eventually: Callable) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script(tmp_path, "")], stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    eventually(lambda: gone([int(pid) for pid in done.stdout.split()]), within_s=10)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked on this system")
def test_the_parts_end_when_their_parent_is_killed_though_a_forked_child_of_it_lives(
    tmp_path: pathlib.Path, eventually: Callable
) -> None:
    then = """
        child = os.fork()
        if child == 0:
            signal.pause()
        print(child, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    with (tmp_path / "said").open("w+") as said:
        subprocess.run([sys.executable, "-c", script(tmp_path, then)], stdout=said, timeout=60, check=False)
        said.seek(0)
        *pids, child = (int(pid) for pid in said.read().split())
    try:
        eventually(lambda: gone(pids), within_s=10, what="the parts' end")
        assert not gone([child])
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_lifeline_that_somebody_else_holds_open_does_not_delay_the_stop(
    start_cluster: Callable[..., LocalCluster],
) -> None:
    cluster = start_cluster(servers=1)
    children = [cluster._nodes[node]._child for node in cluster.nodes]
    held = [os.dup(child.stdin.fileno()) for child in children if child and child.stdin]
    try:
        began = time.monotonic()
        cluster.stop()
        assert time.monotonic() - began < 5 and [child and child.returncode for child in children] == [0, 0]
    finally:
        for fd in held:
            os.close(fd)


def test_ctrl_c_in_the_parents_terminal_is_not_for_the_parts(tmp_path: pathlib.Path) -> None:
    then = """
        try:
            os.killpg(0, signal.SIGINT)
            time.sleep(30)
        except KeyboardInterrupt:
            pass
        print(*(cluster.state(node) for node in cluster.nodes), len(cluster.files()), flush=True)
        cluster.stop()
        """
    done = subprocess.run(
        [sys.executable, "-c", script(tmp_path, then)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
        start_new_session=True,
    )
    assert done.stdout.splitlines()[1] == "running running running running 0"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_part_that_is_asked_to_end_ends_cleanly(start_cluster: Callable[..., LocalCluster], number: int) -> None:
    cluster = start_cluster(servers=1, clients=1)
    for node, pid in reversed(cluster.processes().items()):
        os.kill(pid, number)
        child = cluster._nodes[node]._child
        assert child is not None and child.wait(20) == 0
        assert "stopped" in cluster.log(node) and "Fatal" not in cluster.log(node)


# ---- stopping, breaking


def test_stop_may_be_called_twice_and_leaves_nothing(start_cluster: Callable[..., LocalCluster]) -> None:
    cluster = start_cluster(servers=1, clients=1)
    pids = list(cluster.processes().values())
    cluster.stop()
    cluster.stop()
    assert gone(pids) and set(map(cluster.state, cluster.nodes)) == {"stopped"}
    assert not (cluster.folder / "cluster.json").exists()
    with pytest.raises(NotRunning, match="start the cluster again"):
        cluster.files()
    assert "stopped" in repr(cluster) and "stopped" in cluster._repr_html_()
    assert cluster.history


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_stop_that_was_interrupted_is_finished_by_the_next(
    start_cluster: Callable[..., LocalCluster], eventually: Callable
) -> None:
    cluster = start_cluster(servers=1, clients=1)
    pids = cluster.processes()
    os.kill(pids["server1"], signal.SIGSTOP)  # it keeps the first stop waiting

    def interrupt() -> None:
        eventually(lambda: gone([pids["client1"]]), what="the stop's begin")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt, name="ctrl-c")
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        cluster.stop()
    interrupter.join()
    assert psutil.pid_exists(pids["server1"]) and cluster.state("manager") == "running"
    os.kill(pids["server1"], signal.SIGCONT)
    cluster.stop()
    assert gone(list(pids.values())) and not (cluster.folder / "cluster.json").exists()


def test_a_paused_or_killed_part_does_not_keep_the_cluster_from_stopping(
    start_cluster: Callable[..., LocalCluster],
) -> None:
    cluster = start_cluster(servers=2, clients=1)
    cluster.pause("server1")
    cluster.kill("client1")
    began, pids = time.monotonic(), list(cluster.processes().values())
    cluster.stop()
    assert gone(pids) and time.monotonic() - began < 5


def test_faults_are_told_plainly_and_written_down(start_cluster: Callable[..., LocalCluster]) -> None:
    cluster = start_cluster(servers=1, clients=1)
    with pytest.raises(UsageError, match="there is no 'server9'"):
        cluster.kill("server9")
    cluster.kill("server1")
    cluster.kill("server1")
    for verb in (cluster.pause, cluster.resume):
        with pytest.raises(NotRunning, match="restart"):
            verb("server1")
    cluster.restart("server1")
    cluster.pause("server1")
    cluster.restart("server1")
    cluster.kill("client1")
    with pytest.raises(NotRunning, match="client1"):
        cluster.clients["client1"].is_connected()
    cluster.restart("client1")
    assert cluster.clients["client1"].is_connected()
    kinds = [event.kind for event in cluster.history if event.node == "cluster"]
    assert kinds == ["killed", "killed", "restarted", "paused", "restarted", "killed", "restarted"]


def test_a_server_is_listed_when_its_restart_returns_whatever_the_others_do(
    start_cluster: Callable[..., LocalCluster],
) -> None:
    cluster = start_cluster(servers=2)
    cluster.pause("server2")
    for _ in range(5):
        cluster.restart("server1")
        assert "server1" in cluster.stored_bytes()
    cluster.kill("manager")
    cluster.restart("manager")
    assert "server1" in cluster.stored_bytes()


def test_a_server_is_restarted_without_a_manager_and_registers_once_there_is_one(
    start_cluster: Callable[..., LocalCluster], eventually: Callable
) -> None:
    cluster = start_cluster(servers=1)
    cluster.pause("manager")
    cluster.restart("server1")
    assert cluster.state("server1") == "running"
    cluster.resume("manager")
    eventually(lambda: "server1" in cluster.stored_bytes())
    cluster.kill("manager")
    cluster.restart("server1")
    assert cluster.state("server1") == "running"
    cluster.restart("manager")
    assert "server1" in cluster.stored_bytes()


@pytest.mark.parametrize(
    "options",
    [{"servers": -1}, {"replicas": 0}, {"ports": "any"}, {"name": "../up"}, {"name": ""}, {"replication": "sideways"},
     {"acknowledge": "nobody"}],
)  # fmt: skip
def test_wrong_settings_are_refused(tmp_path: pathlib.Path, options: dict[str, object]) -> None:
    with pytest.raises((UsageError, NameRefused)):
        LocalCluster(data=tmp_path, **options)  # type: ignore[arg-type]
    assert not (tmp_path / "runs/rpclab/cluster.json").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"servers": -1}, "servers=-1"),
        ({"servers": "three"}, "servers='three': it is a whole number"),
        ({"replicas": 1.5}, "replicas=1.5: it is a whole number"),
        ({"replicas": 0}, "replicas=0: it is 1 at least"),
        ({"quota_bytes": -1}, "quota_bytes=-1"),
        ({"keep": 0}, "keep=0: it is 1 at least"),
        ({"scrub_bytes_s": -1}, "scrub_bytes_s=-1"),
        ({"heartbeat_s": 0}, "heartbeat_s=0: .* more than 0"),
        ({"dead_s": 2}, "dead_s=2: .* two heartbeats"),
    ],
)
def test_a_wrong_setting_is_named_alone(tmp_path: pathlib.Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=f"^{said}"):
        LocalCluster(data=tmp_path, **options)


def test_a_name_that_a_part_has_is_no_clients_name(shared_cluster: LocalCluster) -> None:
    with pytest.raises(UsageError, match="server1"):
        shared_cluster.connect("server1")
    with pytest.raises(UsageError, match="wire"):
        shared_cluster.connect("ann", wire="smoke signals")


# ---- what a person sees


def test_a_cluster_shows_each_part_and_says_nothing_else(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data/clients/client1/Files").mkdir(parents=True)
    (tmp_path / "data/clients/client1/Files/a.txt").write_bytes(b"x" * 2048)
    with LocalCluster(servers=2, clients=1, ports="free", data=tmp_path / "data") as cluster:
        receipts = cluster.backup_all(progress=False)
        for text in (cluster._repr_html_(), repr(cluster)):
            for part in ("manager", "server1", "server2", "client1"):
                host, port = cluster.addresses[part]
                assert part in text and f"{host}:{port}" in text
            assert text.count(bytes_text(2048)) == 2 and text.count("running") == 4
        cluster.kill("server2")
        cluster.pause("server1")
        assert "stopped" in cluster._repr_html_() and "paused" in cluster._repr_html_()
        assert "a.txt" in receipts._repr_html_() and "2 of 2" in repr(receipts)
    assert capfd.readouterr() == ("", "")


def test_logs_are_files_and_names_in_tables_are_text(
    start_cluster: Callable[..., LocalCluster], make_file: Callable
) -> None:
    cluster = start_cluster(servers=1, clients=1, replicas=1)
    for node in cluster.nodes:
        assert "ready at 127.0.0.1" in cluster.log(node)
        assert (cluster.folder / f"{node}.log").is_file() and (cluster.folder / f"events/{node}.jsonl").is_file()
    with cluster.connect("ann") as session:
        html = Receipts([session.backup(make_file("x"), "&amp;'b'.txt")])._repr_html_()
    assert "&amp;amp;" in html


def test_without_a_trace_no_event_log_is_written(
    start_cluster: Callable[..., LocalCluster], make_file: Callable
) -> None:
    cluster = start_cluster(servers=1, replicas=1, trace=False)
    with cluster.connect("ann") as session:
        session.backup(make_file("a"))
    assert list((cluster.folder / "events").iterdir()) == [] and list(cluster.history) == []


def test_the_secret_is_for_this_user_alone_and_in_no_argument_list(shared_cluster: LocalCluster) -> None:
    secret = shared_cluster.secret_file.read_text().strip()
    assert stat.S_IMODE(shared_cluster.secret_file.stat().st_mode) == 0o600 and len(secret) == 64
    for pid in shared_cluster.processes().values():
        process = psutil.Process(pid)
        assert secret not in " ".join(process.cmdline()) and secret not in str(process.environ())
    for log in shared_cluster.folder.rglob("*.*"):
        if log.is_file():
            assert secret.encode() not in log.read_bytes()


def test_a_part_that_does_not_start_says_why_and_soon(
    start_cluster: Callable[..., LocalCluster], tmp_path: pathlib.Path
) -> None:
    began = time.monotonic()
    with start_cluster(servers=1, name="first") as first:
        port = first.addresses["manager"][1]
        taken = NodeProcess(Part("manager", "manager", [], port), tmp_path, first.secret_file, None)
        taken.start()
        with pytest.raises(PortInUse, match=f"port {port} on 127.0.0.1 is in use"):
            taken.wait_ready(time.monotonic() + 20)
    assert time.monotonic() - began < 10


def test_servers_that_wait_for_a_manager_end_with_their_parent(
    start_cluster: Callable[..., LocalCluster], tmp_path: pathlib.Path
) -> None:
    with start_cluster(servers=0) as cluster:
        options = ["1", "--manager-file", str(tmp_path / "never"), "--data", str(tmp_path / "other")]
        waiting = NodeProcess(Part("server1", "server", options, 0), tmp_path, cluster.secret_file, None)
        waiting.start()
        began = time.monotonic()
        assert waiting.stop(20) and time.monotonic() - began < 5
    assert "Traceback" not in waiting.log_tail()
