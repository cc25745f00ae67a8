"""The race on a shared connection: it happens, again by seed, and a lock cures it; and the original's server that has it."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
from collections.abc import Callable

from rpclab.cluster.local import LocalCluster
from rpclab.lessons import Exchange, Exchanges, OriginalServer, OriginalServers, race, simulated_race
from rpclab.world.real import RealWorld

Start = Callable[..., LocalCluster]


def test_the_same_seed_has_the_same_answers_go_astray_and_another_seed_others() -> None:
    first = simulated_race(3)
    assert first == simulated_race(3) != simulated_race(4)
    assert first.counts["crossed"] > 0 and sum(first.counts.values()) == len(first) == 40


def test_crossed_answers_are_answers_to_somebody() -> None:
    ended = simulated_race(5, tasks=3, calls=4)
    asked = [each.asked for each in ended]
    assert sorted(str(each.answered) for each in ended) == sorted(asked)


def test_with_a_lock_no_answer_goes_astray_under_any_of_fifty_seeds() -> None:
    for seed in range(50):
        assert simulated_race(seed, lock=True).wrong == [], f"seed {seed}"


def test_alone_nobody_can_race() -> None:
    assert simulated_race(1, tasks=1).counts["right"] == 10


def test_it_happens_on_real_sockets_too_and_a_lock_cures_it(start_cluster: Start, world: RealWorld) -> None:
    cluster = start_cluster(servers=0, document_wire=True, judged=False)
    manager = cluster.addresses["manager"]
    assert any(race(world, manager, wait_s=0.2).wrong for _ in range(20))
    assert race(world, manager, lock=True, wait_s=5).counts["right"] == 40


def test_a_verdict_is_told_by_what_came() -> None:
    said = [
        Exchange(1, "task 1, call 1", "task 1, call 1"),
        Exchange(1, "task 1, call 2", "task 2, call 1"),
        Exchange(1, "task 1, call 3", "these 80 bytes are no request"),
        Exchange(1, "task 1, call 4", 3),
        Exchange(1, "task 1, call 5", fault="JSONDecodeError"),
        Exchange(1, "task 1, call 6", fault="DeadlineExceeded"),
    ]
    assert [each.verdict for each in said] == ["right", "crossed", "garbled", "garbled", "garbled", "lost"]
    shown = Exchanges(said)
    assert "6 calls: 1 right, 1 crossed, 3 garbled, 1 lost" in repr(shown)
    assert "task 2, call 1" in shown._repr_html_() and "task 1, call 1" not in shown._repr_html_()


def send_all(cluster: LocalCluster, folder: pathlib.Path, count: int) -> list[bool]:
    folder.mkdir()
    for number in range(count):
        (folder / f"file{number}").write_bytes(os.urandom(500))

    def send(number: int) -> bool:
        with cluster.connect(f"client{number}", wire="document") as client:
            return bool(client.send_file(str(folder), f"file{number}"))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(send, range(count)))


def test_the_originals_servers_lose_copies_and_their_clients_are_told_that_all_is_well(
    start_cluster: Start, tmp_path: pathlib.Path
) -> None:
    cluster = start_cluster(servers=0, document_wire=True, judged=False)
    with OriginalServers(cluster.addresses["manager"], tmp_path / "originals") as servers:
        said = send_all(cluster, tmp_path / "source", 40)
    kept = [servers.copies(f"file{number}") for number in range(40)]
    assert any(well and count < 2 for well, count in zip(said, kept, strict=True))
    assert servers.faults
    assert all(servers.copies(name) == 1 for name in servers.alone)
    servers[0].close()  # a second time


def test_with_a_lock_the_originals_servers_keep_two_copies_of_each(
    start_cluster: Start, tmp_path: pathlib.Path
) -> None:
    cluster = start_cluster(servers=0, document_wire=True, judged=False)
    with OriginalServers(cluster.addresses["manager"], tmp_path / "originals", lock=True) as servers:
        assert all(send_all(cluster, tmp_path / "source", 20))
    assert [servers.copies(f"file{number}") for number in range(20)] == [2] * 20
    assert servers.faults == servers.alone == []
    for number in range(20):
        sent = (tmp_path / "source" / f"file{number}").read_bytes()
        kept = [server.folder / f"file{number}" for server in servers]
        assert all(path.read_bytes() == sent for path in kept if path.exists())


def test_the_originals_server_stores_a_name_that_leaves_its_folder(
    start_cluster: Start, tmp_path: pathlib.Path
) -> None:
    cluster = start_cluster(servers=0, document_wire=True, judged=False)
    (tmp_path / "x.txt").write_bytes(b"mine now")
    with OriginalServer(cluster.addresses["manager"], tmp_path / "deep" / "originals") as server:
        with cluster.connect("ann", wire="document") as client:
            client.backup(str(tmp_path / "x.txt"), "../outside.txt")
        server.wait()
    assert (tmp_path / "deep" / "outside.txt").read_bytes() == b"mine now"
