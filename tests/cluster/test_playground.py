"""A notebook's own data folder: files to back up, and nobody else's backups in it."""

from __future__ import annotations

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


def test_without_a_number_the_waiting_files_are_copied_and_what_was_there_goes(data: pathlib.Path) -> None:
    folder = data / "clients" / "client2" / "Files" / "deep"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"a")
    playground("y", files=2)
    made = playground("y")
    assert contents(made) == {str(pathlib.Path("clients/client2/Files/deep/a.txt")): b"a"}


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
