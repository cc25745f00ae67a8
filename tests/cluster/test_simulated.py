"""A simulated cluster has the verbs of a real one, and what it does it does again: one seed, one event log, to the byte."""

from __future__ import annotations

import gc
import os
import pathlib
import subprocess
import sys
import weakref

import pytest
from blake3 import blake3
from greenlet import greenlet

from rpclab import SimCluster
from rpclab.errors import ConnectionLost, DiskFull, NoSuchFile, NotRunning, RpclabError, UsageError
from rpclab.study.report import Verdict

ROOT = pathlib.Path(__file__).parents[2]
CONTENTS = bytes(range(256)) * 700


def story(seed: int) -> SimCluster:
    """Backups at once, and every fault there is; stopped."""
    cluster = SimCluster(seed=seed, servers=4, clients=3)
    for client in cluster.clients.values():
        client.put("photo.png", CONTENTS)
        client.put("notes/a.txt", client.name.encode())

    def work(name: str) -> None:
        client = cluster.clients[name]
        for number in range(6):
            try:
                client.backup("photo.png" if number % 2 else "notes/a.txt")
                client.restore("notes/a.txt")
            except RpclabError:
                cluster.sleep(0.3)

    def break_things() -> None:
        cluster.sleep(0.05)
        cluster.cut_power("server1")
        cluster.partition("server2", "client1")
        cluster.sleep(1)
        cluster.kill("manager")
        cluster.heal()
        cluster.restart("manager")
        cluster.restart("server1")
        cluster.reset("server3")
        cluster.fill("server4")
        cluster.pause("server2")
        cluster.sleep(1)
        cluster.resume("server2")
        cluster.empty("server4")
        cluster.fail_syncs("server3", 0.2)
        cluster.sleep(1)
        cluster.fail_syncs("server3", 0)

    cluster.run(*(lambda name=name: work(name) for name in ("client1", "client2", "client3")), break_things)  # type: ignore[misc]
    cluster.sleep(30)
    cluster.stop()
    return cluster


def logs(cluster: SimCluster) -> str:
    return "\n".join(f"{node} {blake3(cluster.event_log(node)).hexdigest()}" for node in ["cluster", *cluster.nodes])


@pytest.fixture(scope="module")
def told() -> SimCluster:
    return story(1)


def test_the_same_seed_gives_the_same_log_twice_in_one_process_and_another_seed_another(told: SimCluster) -> None:
    assert logs(story(1)) == logs(told)
    assert all(told.event_log(node) for node in ["cluster", *told.nodes])
    assert len(told.history) > 500
    kinds = [(event.node, event.kind) for event in told.history.by_time()]
    assert [(event.node, event.kind) for event in story(2).history.by_time()] != kinds


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_the_same_seed_gives_the_same_log_whatever_the_hashes(told: SimCluster, hash_seed: str) -> None:
    program = "from tests.cluster.test_simulated import logs, story; print(logs(story(1)))"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, timeout=60)
    assert found.stdout.decode().strip() == logs(told), found.stderr.decode()


def test_the_judge_reads_a_simulated_run(told: SimCluster) -> None:
    report = told.check()
    assert report.valid, report
    assert int(report["copies"].looked_at.split()[0]) > 5


def test_the_judge_sees_what_is_wrong_in_it() -> None:
    with SimCluster(seed=3, repair=False, scrub_bytes_s=0) as cluster:
        client = cluster.clients["client1"]
        client.put("a", b"contents")
        receipt = client.backup("a")
    one, other = receipt.servers
    cluster.disk(one).place(f"{one}/Backups/client1/a", b"cantents")
    cluster.disk(other).place(f"{other}/Backups/client1/b", b"never stored")
    assert cluster.check().named(Verdict.INVALID) == {"copies", "folders", "counts"}


def test_files_are_backed_up_restored_listed_pruned_and_deleted() -> None:
    with SimCluster(seed=1) as cluster:
        client = cluster.clients["client1"]
        for number in range(3):
            client.put("a/b.txt", b"version %d" % number)
            receipt = client.backup("a/b.txt")
        assert receipt.copies == 2 and receipt.file.name == "a/b.txt"
        assert client.read(client.restore("a/b.txt").path) == b"version 2"
        earlier = client.versions("a/b.txt")[2].file.version
        assert client.read(client.restore("a/b.txt", version=earlier).path) == b"version 0"
        assert [location.file.name for location in client.list_files()] == ["a/b.txt"]
        assert cluster.files() == client.list_files()
        assert sum(cluster.stored_bytes().values()) == 3 * 2 * len(b"version 0")
        assert set(client.verify("a/b.txt").values()) == {True}
        assert len(client.prune("a/b.txt", 1)) == 2 and len(client.versions("a/b.txt")) == 1
        client.delete("a/b.txt")
        with pytest.raises(NoSuchFile):
            client.restore("a/b.txt")
        assert client.manager.getQuantity() == 3 and client.server("server1").sendPath() == "server1"
        assert cluster.connect("ann").is_connected()
    assert cluster.check().valid
    cluster.stop()


def test_a_dead_servers_copies_are_made_anew() -> None:
    with SimCluster(seed=1) as cluster:
        client = cluster.clients["client1"]
        client.put("a", CONTENTS)
        first = client.backup("a").servers[0]
        cluster.cut_power(first)
        cluster.sleep(20)
        (location,) = cluster.files()
        assert len(location.servers) == 2 and first not in [server.node for server in location.servers]
        assert cluster.upkeep()["copied"] == 1 and cluster.state(first) == "stopped"
        cluster.restart(first)
        cluster.sleep(5)
    assert cluster.check().valid


def test_damage_is_found_and_mended() -> None:
    with SimCluster(seed=1) as cluster:
        client = cluster.clients["client1"]
        client.put("a", CONTENTS)
        server = client.backup("a").servers[0]
        cluster.damage(server, "client1/a")
        assert client.verify("a")[server] is False
        cluster.sleep(15)
        assert len(client.verify("a")) == 2 and set(client.verify("a").values()) == {True}
        with pytest.raises(NoSuchFile):
            cluster.damage(server, "client1/none")
    assert cluster.check().valid


def test_partitions_pauses_and_full_disks_are_felt_and_mended() -> None:
    with SimCluster(seed=1, servers=2) as cluster:
        client = cluster.clients["client1"]
        client.put("a", CONTENTS)
        cluster.partition("client1")
        with pytest.raises(RpclabError):
            client.backup("a")
        assert cluster.clients["client2"].is_connected()
        cluster.heal()
        cluster.partition("server2", one_way=True)
        cluster.sleep(4)
        assert cluster.upkeep()["suspected"] == ["server2"] or "server2" not in cluster.stored_bytes()
        cluster.heal()
        cluster.sleep(4)
        assert len(client.backup("a").servers) == 2
        cluster.pause("manager")
        with pytest.raises(UsageError):
            cluster.pause("nobody")
        before = cluster.now
        cluster.sleep(1)
        cluster.resume("manager")
        assert cluster.now >= before + 1
        cluster.fill("server1")
        cluster.fill("server2")
        with pytest.raises(DiskFull):
            client.backup("a", "b")
        cluster.empty("server1")
        cluster.empty("server2")
        assert client.backup("a", "b").complete
    assert cluster.check().valid


def test_a_client_that_is_killed_in_the_middle_says_nothing_more() -> None:
    with SimCluster(seed=1) as cluster:
        client = cluster.clients["client1"]
        client.put("a", CONTENTS)
        with pytest.raises(ConnectionLost, match="client1 was killed"):
            client.backup("a", progress=lambda done, total: cluster.kill("client1"))
        with pytest.raises(NotRunning, match="restart"):
            client.backup("a")
        cluster.restart("client1")
        assert client.backup("a").complete
    assert cluster.check().valid


def test_what_runs_side_by_side_runs_side_by_side() -> None:
    with SimCluster(seed=1, clients=1) as cluster:
        began = cluster.now
        assert cluster.run(lambda: cluster.sleep(2), lambda: cluster.sleep(3), lambda: 4) == [None, None, 4]
        assert began + 3 <= cluster.now < began + 3.1
        with pytest.raises(NoSuchFile):
            cluster.run(lambda: cluster.clients["client1"].restore("none"))


def test_what_is_no_function_is_not_run_and_what_is_no_event_not_gone_back_to() -> None:
    with SimCluster(servers=1) as cluster:
        with pytest.raises(UsageError, match=r"run takes functions, not 5:.*cluster\.sleep"):
            cluster.run(5)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="not by 'the last'"):
            cluster.at("the last")  # type: ignore[arg-type]


def test_it_shows_itself_and_looking_changes_nothing() -> None:
    with SimCluster(seed=1) as cluster:
        client = cluster.clients["client1"]
        client.put("a", CONTENTS)
        client.backup("a")
        before = cluster.now, logs(cluster)
        assert "<table" in cluster._repr_html_() and "server3" in repr(cluster) and "175 KiB" in repr(cluster)
        assert (cluster.now, logs(cluster)) == before
    assert "stopped" in repr(cluster)


def test_a_students_placement_function_chooses_there_too() -> None:
    def last(servers: list, request: object, random: object) -> object:
        return servers[-1]

    with SimCluster(seed=1, placement=last, replicas=1) as cluster:
        client = cluster.clients["client1"]
        client.put("a", b"a")
        assert client.backup("a").servers == ["server3"]
    with pytest.raises(UsageError):
        SimCluster(placement="nowhere")


def test_without_a_trace_there_is_nothing_to_judge() -> None:
    with SimCluster(trace=False) as cluster:
        assert cluster.event_log("manager") == b"" and len(cluster.history) == 0
        with pytest.raises(UsageError, match="trace=False"):
            cluster.check()


def test_a_cluster_that_nobody_has_any_more_leaves_nothing_behind() -> None:
    def waiting() -> int:
        gc.collect()
        return sum(isinstance(each, greenlet) and not each.dead for each in gc.get_objects())

    def use(seed: int) -> weakref.ref[SimCluster]:
        cluster = SimCluster(seed=seed)
        client = cluster.clients["client1"]
        client.put("a", CONTENTS)
        client.backup("a")
        cluster.kill("server1")
        cluster.pause("server2")
        cluster.run(lambda: client.list_files(), lambda: cluster.sleep(1))
        with pytest.raises(NoSuchFile):  # it knows who called
            client.restore("none")
        return weakref.ref(cluster)

    before = waiting()
    for seed in range(4):
        gone = use(seed)
        gc.collect()
        assert gone() is None
    assert waiting() <= before
