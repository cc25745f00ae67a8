"""The main path with real processes: what is restored is what was backed up, and the books agree with the disks."""

from __future__ import annotations

import os
import pathlib
import random
from collections.abc import Callable

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.errors import (
    FolderNotUsable,
    NameCollision,
    NameRefused,
    NoSuchFile,
    NotAllowed,
    QuotaExceeded,
    RpclabError,
    StorageError,
    UsageError,
)

MEBIBYTE = 1 << 20
SIZES = [0, 1, 65_535, 65_536, 65_537, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 5 * MEBIBYTE]


@pytest.mark.parametrize("replication", ["after", "pipeline"])
@pytest.mark.parametrize("size", SIZES)
def test_a_file_of_any_size_comes_back_byte_for_byte(
    shared_cluster: LocalCluster,
    make_file: Callable,
    copies: Callable,
    tmp_path: pathlib.Path,
    size: int,
    replication: str,
) -> None:
    path, client = make_file("file.bin", size), f"sizes-{replication}"
    contents = path.read_bytes()
    with shared_cluster.connect(client) as session:
        receipt = session.backup(path, f"{size}.bin", replication=replication)
        assert (receipt.copies, receipt.file.size, receipt.problems) == (2, size, [])
        assert copies(shared_cluster, f"{client}/{size}.bin") == dict.fromkeys(receipt.servers, contents)
        restored = session.restore(f"{size}.bin", tmp_path / "restored")
        assert pathlib.Path(restored.path).read_bytes() == contents and restored.problems == []
        assert session.verify(f"{size}.bin") == dict.fromkeys(receipt.servers, True)
        assert sorted(session.delete(f"{size}.bin")) == sorted(receipt.servers)
        assert copies(shared_cluster, f"{client}/{size}.bin") == {}


@pytest.mark.parametrize(
    "name",
    ["Übersicht-日本語.txt", "😀 with spaces.txt", "x/y/z/deep.txt", "e\u0301 decomposed", ".hidden", "-", "a'b;c&d$e"],
)
def test_any_lawful_name_makes_the_round(
    shared_cluster: LocalCluster, make_file: Callable, tmp_path: pathlib.Path, name: str
) -> None:
    with shared_cluster.connect("names") as session:
        receipt = session.backup(make_file("source", name.encode()), name)
        assert [each.file for each in session.list_files("names") if each.file.name == receipt.file.name] == [
            receipt.file
        ]
        restored = session.restore(name, tmp_path / "restored")
        assert pathlib.Path(restored.path).read_bytes() == name.encode()
        assert pathlib.Path(restored.path).is_relative_to(tmp_path / "restored")


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a\\b", "CON", "x" * 300, "a\0b", "a:b", ""])
def test_a_bad_name_is_refused_before_anything_is_sent(
    shared_cluster: LocalCluster, make_file: Callable, name: str
) -> None:
    with shared_cluster.connect("bad-names") as session, pytest.raises(NameRefused):
        session.backup(make_file("a"), name)


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "CON", "a\0b"])
def test_a_server_refuses_a_bad_name_of_a_client_that_does_not(shared_cluster: LocalCluster, name: str) -> None:
    with shared_cluster.connect("bad-names") as session:
        server = session.server(shared_cluster.addresses["server1"])
        with pytest.raises(NameRefused, match="server1"):
            server.sendFilename(name)
        for method in (server.deleteFile, server.verifyFile, server.getFile):
            with pytest.raises(NameRefused):
                method(name, "bad-names")
        with pytest.raises(NotAllowed):
            server.deleteFile("a", "somebody else")
        assert server.string("still there") == "still there"


def test_a_folder_keeps_its_tree(shared_cluster: LocalCluster, make_file: Callable, tmp_path: pathlib.Path) -> None:
    tree = {"a.txt": b"1", "course/week 1/notes.txt": b"22", "course/b.txt": b"", "ü/ö.txt": b"4444"}
    folder = make_file("tree/a.txt").parent
    for name, contents in tree.items():
        make_file(f"tree/{name}", contents)
    os.mkfifo(folder / "pipe")
    with shared_cluster.connect("tree") as session:
        found = session.files_below(str(folder))
        assert sorted(found) == sorted((name, len(contents)) for name, contents in tree.items())
        for name, _ in found:
            session.backup(folder / name, name)
        for location in session.list_files("tree"):
            session.restore(location.file.name, tmp_path / "back")
    back = tmp_path / "back"
    assert {str(path.relative_to(back)): path.read_bytes() for path in back.rglob("*") if path.is_file()} == tree


def test_the_same_name_of_two_clients_is_two_files(
    shared_cluster: LocalCluster, make_file: Callable, copies: Callable, tmp_path: pathlib.Path
) -> None:
    with shared_cluster.connect("twin1") as one, shared_cluster.connect("twin2") as two:
        one.backup(make_file("1", b"from one"), "same.txt")
        two.backup(make_file("2", b"from two"), "same.txt")
        assert pathlib.Path(one.restore("same.txt", tmp_path / "1").path).read_bytes() == b"from one"
        assert pathlib.Path(one.restore("same.txt", tmp_path / "2", client="twin2").path).read_bytes() == b"from two"
        two.delete("same.txt")
        assert set(copies(shared_cluster, "twin1/same.txt").values()) == {b"from one"}


def test_names_that_collide_on_some_system_are_told(shared_cluster: LocalCluster, make_file: Callable) -> None:
    with shared_cluster.connect("collide") as session:
        session.backup(make_file("a"), "Notes.txt", replicas=3)
        with pytest.raises(NameCollision, match="one name on some systems"):
            session.backup(make_file("a"), "notes.TXT", replicas=3)
        with pytest.raises(NameCollision, match="would lie in a folder"):
            session.backup(make_file("a"), "Notes.txt/deeper", replicas=3)
        assert sum(server.reserved_bytes for server in session.list_servers()) == 0


@pytest.mark.parametrize("replication", ["after", "pipeline"])
def test_a_file_sent_again_takes_the_name_and_the_earlier_ones_are_kept(
    shared_cluster: LocalCluster, make_file: Callable, copies: Callable, disk_bytes: Callable, replication: str
) -> None:
    key = f"again-{replication}"
    with shared_cluster.connect(key) as session:
        bytes_before = sum(shared_cluster.stored_bytes().values())
        for contents in (b"first version", b"", b"second", b"s3cond"):
            receipt = session.backup(make_file("a", contents), "a", replication=replication)
            assert copies(shared_cluster, f"{key}/a") == dict.fromkeys(receipt.servers, contents)
            bytes_before += 2 * len(contents)
            assert sum(shared_cluster.stored_bytes().values()) == bytes_before
            assert shared_cluster.stored_bytes() == disk_bytes(shared_cluster)
        assert [each.file.name for each in session.list_files(key)] == ["a"]


@pytest.mark.parametrize("replication", ["after", "pipeline"])
@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_there_are_as_many_copies_as_were_asked_for(
    shared_cluster: LocalCluster,
    make_file: Callable,
    copies: Callable,
    disk_bytes: Callable,
    replicas: int,
    replication: str,
) -> None:
    path = make_file("a", 200_000)
    with shared_cluster.connect("copies") as session:
        receipt = session.backup(path, f"{replicas} {replication}", replicas=replicas, replication=replication)
    assert receipt.copies == len(set(receipt.servers)) == replicas
    assert copies(shared_cluster, f"copies/{replicas} {replication}") == dict.fromkeys(
        receipt.servers, path.read_bytes()
    )
    assert shared_cluster.stored_bytes() == disk_bytes(shared_cluster)


@pytest.mark.parametrize("replication", ["after", "pipeline"])
def test_acknowledged_by_the_primary_the_copies_follow(
    shared_cluster: LocalCluster, make_file: Callable, copies: Callable, eventually: Callable, replication: str
) -> None:
    path, name = make_file("a", 3 * MEBIBYTE), f"primary-{replication}"
    with shared_cluster.connect("ack") as session:
        receipt = session.backup(path, name, replicas=3, acknowledge="primary", replication=replication)
        assert (receipt.copies, receipt.pending, receipt.complete) == (1, 2, True)
        assert copies(shared_cluster, f"ack/{name}")[receipt.servers[0]] == path.read_bytes()
        eventually(lambda: len(session.find(name).servers) == 3, what="all three copies")
    assert set(copies(shared_cluster, f"ack/{name}").values()) == {path.read_bytes()}


@pytest.mark.parametrize("wish", [{"replicas": 0}, {"replication": "sideways"}, {"acknowledge": "nobody"}])
def test_a_wish_that_nobody_understands_is_refused(
    shared_cluster: LocalCluster, make_file: Callable, wish: dict
) -> None:
    with shared_cluster.connect("wishes") as session, pytest.raises(UsageError):
        session.backup(make_file("a"), **wish)


def test_a_file_that_is_not_there_is_told_plainly(shared_cluster: LocalCluster, tmp_path: pathlib.Path) -> None:
    with shared_cluster.connect("nothing") as session:
        with pytest.raises(NoSuchFile, match="no such file"):
            session.backup(tmp_path / "none")
        for ask in (session.find, session.verify, session.delete, lambda name: session.restore(name, tmp_path)):
            with pytest.raises(NoSuchFile, match="nothing/none"):
                ask("none")
        assert session.send_file(tmp_path, "none") is False
        with pytest.raises(FolderNotUsable):
            session.backup(tmp_path, "a folder")


def test_what_is_no_path_is_refused(
    start_cluster: Callable[..., LocalCluster],
    make_file: Callable,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    cluster = start_cluster(servers=1, clients=1, replicas=1)
    with cluster.connect("paths") as session:
        session.backup(make_file("paths", 10), "paths")
        for who in (session, cluster.clients["client1"]):
            for path in (None, 5, ""):
                with pytest.raises(UsageError, match=f"folder={path!r}: it is a path"):
                    who.restore("paths", path)  # type: ignore[arg-type]
                with pytest.raises(UsageError, match=f"path={path!r}: it is a path"):
                    who.backup(path, "paths")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="keep='1'"):
            session.prune("paths", "1")  # type: ignore[arg-type]
    assert not (tmp_path / "None").exists() and not (tmp_path / "5").exists()


def test_send_file_says_true_or_false(shared_cluster: LocalCluster, make_file: Callable) -> None:
    path = make_file("a")
    with shared_cluster.connect("document-like") as session:
        assert session.send_file(str(path.parent), path.name) is True
        assert session.is_connected()
        session.disconnect()
        session.disconnect()


def test_progress_ends_at_the_whole_and_never_falls(
    shared_cluster: LocalCluster, make_file: Callable, tmp_path: pathlib.Path
) -> None:
    sent: list[tuple[int, int]] = []
    got: list[tuple[int, int]] = []
    with shared_cluster.connect("progress") as session:
        session.backup(make_file("a", 3 * MEBIBYTE), "a", progress=lambda *step: sent.append(step))
        session.restore("a", tmp_path / "back", progress=lambda *step: got.append(step))
    for steps in (sent, got):
        assert steps == sorted(steps) and steps[-1] == (3 * MEBIBYTE, 3 * MEBIBYTE)


def test_many_files_are_listed_in_order_over_several_pages(shared_cluster: LocalCluster, make_file: Callable) -> None:
    names = [f"{number:03} {'x' * 200}" for number in range(210)]
    path = make_file("a", b"1")
    with shared_cluster.connect("pages") as session:
        for name in random.Random(1).sample(names, len(names)):
            session.backup(path, name, replicas=1)
        assert [each.file.name for each in session.list_files("pages")] == names


# ---- restoring


def test_a_restore_replaces_what_is_there_and_follows_no_link(
    shared_cluster: LocalCluster, make_file: Callable, tmp_path: pathlib.Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("untouched")
    target = tmp_path / "target"
    target.mkdir()
    (target / "file").symlink_to(outside / "victim")
    (target / "folder").symlink_to(outside)
    (target / "old").write_text("old")
    with shared_cluster.connect("links") as session:
        for name in ("file", "folder/victim", "old", "deep/er"):
            session.backup(make_file("new", b"new"), name)
        session.restore("file", target)
        session.restore("old", target)
        session.restore("deep/er", target)
        with pytest.raises(FolderNotUsable, match="symbolic link"):
            session.restore("folder/victim", target)
    assert (outside / "victim").read_text() == "untouched" and list(outside.iterdir()) == [outside / "victim"]
    assert [(target / name).read_bytes() for name in ("file", "old", "deep/er")] == [b"new"] * 3
    assert not (target / "file").is_symlink()


def test_a_restore_that_has_no_place_leaves_nothing_behind(
    shared_cluster: LocalCluster, make_file: Callable, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "busy/a").mkdir(parents=True)
    (tmp_path / "busy/a/kept").touch()
    (tmp_path / "file").touch()
    with shared_cluster.connect("no-place") as session:
        session.backup(make_file("a", 100_000), "a")
        for folder in ("busy", "file", "file/below"):
            with pytest.raises(StorageError):
                session.restore("a", tmp_path / folder)
    assert [path.name for path in (tmp_path / "busy").iterdir()] == ["a"] and (tmp_path / "busy/a/kept").exists()


def test_bit_rot_is_passed_over_and_verify_says_where(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, tmp_path: pathlib.Path
) -> None:
    path = make_file("a", 300_000)
    cluster = start_cluster(servers=2, repair=False)
    with cluster.connect("rot") as session:
        rotten, sound = session.backup(path, "a").servers
        cluster.damage(rotten, "rot/a")
        passed_over = []
        for _ in range(30):
            restored = session.restore("a", tmp_path / "back")
            assert pathlib.Path(restored.path).read_bytes() == path.read_bytes() and restored.server == sound
            passed_over += restored.problems
        assert 1 <= len(passed_over) < 5 and all(
            rotten in each for each in passed_over
        )  # it is put aside when it is found
        cluster.damage(sound, "rot/a")
        assert session.verify("a") == {sound: False}
        with pytest.raises(StorageError):
            session.restore("a", tmp_path / "back")
        assert (tmp_path / "back/a").read_bytes() == path.read_bytes()
        assert [each.name for each in (tmp_path / "back").iterdir()] == ["a"]
        assert session.backup(path, "a").copies == 2
        assert session.verify("a") == {rotten: True, sound: True}


def test_a_copy_that_was_removed_by_hand_is_no_sound_copy(
    shared_cluster: LocalCluster, make_file: Callable, tmp_path: pathlib.Path
) -> None:
    with shared_cluster.connect("removed") as session:
        gone, there = session.backup(make_file("a", b"1"), "a").servers
        (shared_cluster.data / "servers" / gone / "Backups/removed/a").unlink()
        assert session.verify("a") == {gone: False, there: True}
        assert [server.node for server in session.find("a").servers] == [there]
        assert session.restore("a", tmp_path / "back").server == there
        session.delete("a")  # before it is repaired: its run is judged


# ---- room


def test_a_quota_refuses_clearly_and_takes_what_fits(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, disk_bytes: Callable
) -> None:
    cluster = start_cluster(servers=2, quota_bytes=1000, keep=1)
    with cluster.connect("ann") as session:
        session.backup(make_file("a", 600), "a")
        with pytest.raises(RpclabError, match="room"):
            session.backup(make_file("b", 600), "b")
        server = session.server(cluster.addresses["server1"])
        with pytest.raises(QuotaExceeded, match="quota is 1,000"):
            server.sendFilename("b", size=600)
        session.backup(make_file("b", 400), "b")
        session.backup(make_file("a", 500), "a")
    assert cluster.stored_bytes() == disk_bytes(cluster) == {"server1": 900, "server2": 900}
