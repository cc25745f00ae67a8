"""A notebook's own data folder: files to back up, and nobody else's backups in it."""

from __future__ import annotations

import os
import pathlib

import pytest

from rpclab import LocalCluster, playground
from rpclab.cluster.playground import sizes_like_real_ones
from rpclab.errors import NameRefused, NoSuchFile, UsageError


@pytest.fixture(autouse=True)
def data(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv("RPCLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_cluster_there_leaves_the_data_folders_own_servers_alone(data: pathlib.Path) -> None:
    stored = data / "servers" / "server1" / "Backups" / "ann" / "precious"
    stored.parent.mkdir(parents=True)
    stored.write_bytes(b"mine")
    with LocalCluster(servers=2, clients=1, data=playground("one", files=3), ports="free", fresh=True) as cluster:
        receipts = cluster.backup_all(progress=False)
        assert sorted(receipt.file.name for receipt in receipts) == ["file1", "file2", "file3"]
        assert cluster.data == data / "notebooks" / "one"
    assert contents(data / "servers") == {str(stored.relative_to(data / "servers")): b"mine"}


def test_the_same_seed_makes_the_same_files_and_another_others(data: pathlib.Path) -> None:
    one, again = contents(playground("x", files=12)), contents(playground("x", files=12))
    other = contents(playground("x", files=12, seed=2))
    assert one == again and len(one) == 12
    assert one.keys() == other.keys() and one != other


def test_without_a_number_the_waiting_files_are_copied_beside_what_was_put_there_by_hand(data: pathlib.Path) -> None:
    waiting = data / "clients" / "client2" / "Files"
    for name in ("deep/a.txt", "b.txt"):
        (waiting / name).parent.mkdir(parents=True, exist_ok=True)
        (waiting / name).write_bytes(b"waiting")
    there = playground("y") / "clients" / "client2" / "Files"
    assert contents(there) == contents(waiting)

    (there / "mine.txt").write_bytes(b"by hand")
    (there / "b.txt").write_bytes(b"instead")
    now = (there / "b.txt").stat().st_mtime
    (waiting / "deep" / "a.txt").write_bytes(b"newer")
    os.utime(waiting / "deep" / "a.txt", (now + 10, now + 10))
    playground("y")
    assert contents(there) == {
        str(pathlib.Path("deep/a.txt")): b"newer",
        "b.txt": b"instead",
        "mine.txt": b"by hand",
    }


def test_made_files_are_the_only_ones(data: pathlib.Path) -> None:
    there = playground("y", files=2)
    (there / "clients" / "client1" / "Files" / "more").write_bytes(b"")
    playground("y", files=2)
    assert [pathlib.Path(name).name for name in sorted(contents(there))] == ["file1", "file2"]


def test_a_few_large_files_hold_most_of_the_bytes() -> None:
    sizes = sorted(sizes_like_real_ones(200), reverse=True)
    assert sum(sizes[:50]) > sum(sizes) / 2 and min(sizes) >= 4096 and max(sizes) <= 64 << 10


def test_what_cannot_be_is_refused(data: pathlib.Path) -> None:
    with pytest.raises(UsageError, match="files=-1"):
        playground("z", files=-1)
    with pytest.raises(NameRefused):
        playground("../z", files=1)
    with pytest.raises(NoSuchFile, match="nothing to copy"):
        playground("z")
