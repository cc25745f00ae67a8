"""A server's disk is full to its last byte: it starts, joins its manager and gives back what it has."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

import pytest
from blake3 import blake3

from rpclab.cluster.local import LocalCluster
from rpclab.errors import DiskFull
from rpclab.server.store import Store
from rpclab.world.real import RealWorld


def fill(disk: pathlib.Path) -> pathlib.Path:
    """Take all that is free of a disk."""
    ballast = disk / "ballast"
    with open(ballast, "ab", buffering=0) as file:
        for piece in (1 << 16, 1):
            while True:
                try:
                    file.write(os.urandom(piece))
                except OSError:
                    break
    return ballast


def test_a_store_opens_on_a_full_disk_though_its_journal_is_torn(small_disk: pathlib.Path) -> None:
    folder, said = small_disk / "server", list[str]()
    store = Store(RealWorld(), str(folder))
    incoming = store.begin("ann", "a", 3)
    incoming.write([memoryview(b"abc")])
    file = incoming.commit(blake3(b"abc").hexdigest())
    store.keep_epoch(1)
    store.close()
    with open(folder / "journal.jsonl", "ab") as journal:
        journal.write(b"torn")
    ballast = fill(small_disk)
    for epoch in (2, 3):
        store = Store(RealWorld(), str(folder), say=said.append)
        assert store.files() == [file] and store.verify("ann", "a") == (file, file.digest)
        with pytest.raises(DiskFull):
            store.begin("ann", "b", 1)
        store.keep_epoch(epoch)
        assert store.epoch == epoch
        store.close()
    assert ["could not be begun anew" in line for line in said] == [True, True]
    assert not (folder / "journal.jsonl.new").exists()
    ballast.unlink()
    store = Store(RealWorld(), str(folder))
    assert store.files() == [file] and store.epoch == 3
    store.close()


def test_a_server_on_a_full_disk_joins_a_new_manager_and_gives_its_files_back(
    small_disk: pathlib.Path,
    start_cluster: Callable[..., LocalCluster],
    make_file: Callable[..., pathlib.Path],
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "data/servers").mkdir(parents=True)
    (small_disk / "server1").mkdir()
    (tmp_path / "data/servers/server1").symlink_to(small_disk / "server1", target_is_directory=True)
    cluster = start_cluster(servers=1, replicas=1)
    with cluster.connect("ann") as client:
        client.backup(make_file("a", b"contents"), "a")
        fill(small_disk)
        for node in ("manager", "server1"):
            cluster.kill(node)
            cluster.restart(node)
            assert pathlib.Path(client.restore("a", tmp_path / "back").path).read_bytes() == b"contents"
