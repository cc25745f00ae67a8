"""A server whose files are kept by a store of somebody's own: versions, tombstones, restarts, and what theirs raises."""

from __future__ import annotations

import pathlib
from typing import Any, ClassVar

import pytest

from rpclab import SimCluster
from rpclab.errors import NoSuchFile, StorageError
from rpclab.own import Own
from rpclab.server.own_store import store_of
from rpclab.server.store import Store
from rpclab.world.real import RealWorld


class Plain:
    """A file for each name."""

    def __init__(self, disk: Any, folder: str) -> None:
        self.folder = pathlib.Path(folder)

    def put(self, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)

    def get(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def delete(self, name: str) -> None:
        (self.folder / name).unlink()

    def names(self) -> list[str]:
        return [path.name for path in self.folder.iterdir()]


class Refuses(Plain):
    def put(self, name: str, data: bytes) -> None:
        raise ValueError("not today")


def opened(folder: pathlib.Path, code: Any = Plain) -> Store:
    return store_of(Own(store=code), RealWorld(), str(folder))


def put(store: Store, name: str, contents: bytes, keep: int | None = None) -> None:
    incoming = store.begin("ann", name, len(contents), keep=keep)
    incoming.write([memoryview(contents)])
    incoming.commit(f"digest of {contents!r}")


def contents(store: Store, name: str, version: int | None = None) -> bytes:
    file, reader = store.open("ann", name, version)
    data = bytearray(file.size)
    assert reader.read_into(memoryview(data)) == file.size
    return bytes(data)


def test_versions_and_tombstones_are_found_again_by_the_next_life(tmp_path: pathlib.Path) -> None:
    store = opened(tmp_path)
    for data in (b"one", b"second", b""):
        put(store, "a", data, keep=2)
    put(store, "x/b", b"in a folder")
    put(store, "gone", b"gone")
    tombstone, _ = store.delete("ann", "gone")
    before = store.inventory()[1:]
    store.close()
    again = opened(tmp_path)
    assert again.inventory()[1:] == before
    assert [(file.name, file.version) for file in again.files()] == [("a", 2), ("a", 3), ("x/b", 1)]
    assert (contents(again, "a", 2), contents(again, "a"), contents(again, "x/b")) == (b"second", b"", b"in a folder")
    with pytest.raises(NoSuchFile):
        again.open("ann", "gone")
    assert again.inventory()[2][-1] == tombstone and not list((tmp_path / "Backups").iterdir())


def test_what_their_put_raises_is_a_storage_error_and_nothing_counts(tmp_path: pathlib.Path) -> None:
    store = opened(tmp_path, Refuses)
    with pytest.raises(StorageError, match="the store's put raised ValueError: not today"):
        put(store, "a", b"one")
    assert store.files() == [] and not list((tmp_path / "Incoming").iterdir())


def test_the_judge_says_that_it_cannot_read_such_a_folder() -> None:
    class InWorld(Plain):
        kept: ClassVar[dict[str, dict[str, bytes]]] = {}

        def __init__(self, disk: Any, folder: str) -> None:
            self.here = self.kept.setdefault(folder, {})

        def put(self, name: str, data: bytes) -> None:
            self.here[name] = data

        def get(self, name: str) -> bytes:
            return self.here[name]

        def delete(self, name: str) -> None:
            self.here.pop(name, None)

        def names(self) -> list[str]:
            return list(self.here)

    with SimCluster(seed=1, servers=2, clients=1, store=InWorld) as cluster:
        cluster.clients["client1"].put("a", bytes(1000))
        cluster.clients["client1"].backup("a")
        for server in sorted(cluster.servers):
            cluster.restart(server)
        restored = cluster.clients["client1"].restore("a")
        assert cluster.clients["client1"].read(restored.path) == bytes(1000)
        found = {judgement.name: judgement for judgement in cluster.check()}
    said = [finding.sentence for finding in found["folders"].findings]
    assert said and all("a store of somebody's own" in sentence for sentence in said)
    assert not any(finding.verdict.value == "invalid" for each in found.values() for finding in each.findings)
