"""A store's versions beside a plain dictionary of them: what is done to both, and how they are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from blake3 import blake3

from rpclab.records import FileRecord
from rpclab.server.store import Store
from rpclab.world.base import walk

Model = dict[str, dict[int, bytes]]
"""Contents by name and version."""


@dataclass(frozen=True)
class Step:
    """One thing that is done to a store: put, delete, drop, quarantine (after a bit was flipped)."""

    what: str
    name: str
    version: int
    contents: bytes = b""
    keep: int | None = None

    def do(self, store: Store) -> Any:
        if self.what == "put":
            return put(store, self.name, self.contents, self.version, self.keep)
        if self.what == "delete":
            return store.delete("ann", self.name, self.version)
        if self.what == "drop":
            return store.drop("ann", self.name, self.version)
        return store.quarantine(store.get("ann", self.name, self.version))

    def after(self, model: Model) -> Model:
        """What a dictionary has after it."""
        versions = dict(model.get(self.name, {}))
        if self.what == "put":
            versions[self.version] = self.contents
            kept = sorted(versions)[-(self.keep or len(versions)) :]
            versions = {version: versions[version] for version in kept}
        elif self.what == "delete":
            versions = {version: each for version, each in versions.items() if version > self.version}
        else:
            versions.pop(self.version, None)
        return {name: each for name, each in {**model, self.name: versions}.items() if each}


def put(store: Store, name: str, contents: bytes, version: int = 0, keep: int | None = None) -> FileRecord:
    incoming = store.begin("ann", name, len(contents), version, keep=keep)
    try:
        if contents:
            incoming.write([memoryview(contents)])
        return incoming.commit(blake3(contents).hexdigest())
    finally:
        incoming.discard()


def read(store: Store, name: str, version: int | None = None) -> bytes:
    _, reader = store.open("ann", name, version)
    try:
        data = bytearray(reader.size)
        assert reader.read_into(memoryview(data)) == len(data)
        return bytes(data)
    finally:
        reader.close()


def stored(store: Store) -> Model:
    """What the store says it has: its contents are those of the digests, its counts are right, and each lies in its place."""
    model: Model = {}
    files = store.files()
    assert files == sorted(files, key=lambda file: (file.client, file.name, file.version))
    for file in files:
        contents = read(store, file.name, file.version)
        assert (len(contents), blake3(contents).hexdigest()) == (file.size, file.digest), file
        model.setdefault(file.name, {})[file.version] = contents
    assert store.report()[1] == sum(file.size for file in files)
    return model


def lying(store: Store) -> Model:
    """What lies on the disk in the places of versions, whatever the store says: the newest has no number there, and gets
    the one that the store knows it by."""
    disk, found = store.place.disk, Model()
    for path, _ in walk(disk, f"{store.place.versions}/ann"):
        name, _, version = path.rpartition("/")
        found.setdefault(name, {})[int(version)] = contents_of(store, f"{store.place.versions}/ann/{path}")
    for name, _ in walk(disk, f"{store.place.backups}/ann"):
        version = store.get("ann", name).version
        assert version > max(found.get(name, {}), default=0), f"the newest of {name} is not under its plain name"
        found.setdefault(name, {})[version] = contents_of(store, f"{store.place.backups}/ann/{name}")
    return found


def contents_of(store: Store, path: str) -> bytes:
    reader = store.place.disk.open(path)
    try:
        data = bytearray(reader.size)
        reader.read_into(memoryview(data))
        return bytes(data)
    finally:
        reader.close()


def check(store: Store, arriving: int = 0) -> Model:
    """What the store says, which is what lies there; in Incoming is only what is arriving."""
    found = stored(store)
    there = lying(store)
    assert there == found
    assert len(store.place.disk.list(store.place.incoming)) == arriving, "something is left in Incoming"
    return found
