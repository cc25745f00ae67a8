"""The store of versions against a dictionary: whatever is done in whatever order, with restarts and power cuts between, they
say the same."""

from __future__ import annotations

import random
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rpclab.errors import NoSuchFile
from rpclab.server.incoming import Incoming
from rpclab.server.store import Store
from rpclab.world.simulated_disk import SimulatedDisk as Disk

from .versions import Model, check

NAMES = st.sampled_from(["a", "x/b"])
VERSIONS = st.integers(1, 9)
CONTENTS = st.sampled_from([b"", b"1", b"2", b"three"])  # few lengths: a size does not tell which version it is


class StoreOfVersions(RuleBasedStateMachine):
    step_world: Any

    @initialize()
    def start(self) -> None:
        self.disk = Disk()
        self.model: Model = {}
        self.buried: dict[str, int] = {}
        self.arriving: list[tuple[Incoming, bytes]] = []
        self.open()

    def open(self) -> None:
        self.store = Store(self.step_world(disk=self.disk), "server")

    def versions(self, name: str) -> dict[int, bytes]:
        return self.model.get(name, {})

    def set(self, name: str, versions: dict[int, bytes]) -> None:
        self.model[name] = versions
        self.model = {each: found for each, found in self.model.items() if found}

    # ---- what may be done

    @rule(name=NAMES, version=VERSIONS, contents=CONTENTS, keep=st.sampled_from([None, 1, 2, 3]))
    def begin(self, name: str, version: int, contents: bytes, keep: int | None) -> None:
        incoming = self.store.begin("ann", name, len(contents), version, keep=keep)
        incoming.write([memoryview(contents)])
        self.arriving.append((incoming, contents))

    @precondition(lambda self: self.arriving)
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        incoming, contents = self.arriving.pop(data.draw(st.integers(0, len(self.arriving) - 1)))
        name, version = incoming.name, incoming.version
        digest = blake3(contents).hexdigest()
        old = self.versions(name)
        if version <= self.buried.get(name, 0):
            with pytest.raises(NoSuchFile, match="was deleted"):
                incoming.commit(digest)
            return
        file = incoming.commit(digest)
        if old.get(version) == contents:
            assert file.version == version and incoming.dropped == []
            return
        new = {**old, version: contents}
        kept = sorted(new)[-(incoming.keep or len(new)) :]
        if version not in kept:
            assert file.version == max(old)
            return
        assert [each.version for each in incoming.dropped] == sorted(new.keys() - set(kept))
        self.set(name, {each: new[each] for each in kept})

    @rule(name=NAMES, version=VERSIONS)
    def delete(self, name: str, version: int) -> None:
        tombstone, removed = self.store.delete("ann", name, version)
        gone = [each for each in sorted(self.versions(name)) if each <= version]
        assert [file.version for file in removed] == gone
        self.buried[name] = max(self.buried.get(name, 0), version)
        assert tombstone.version == self.buried[name]
        self.set(name, {each: found for each, found in self.versions(name).items() if each > version})

    @rule(name=NAMES, version=VERSIONS)
    def drop(self, name: str, version: int) -> None:
        dropped = self.store.drop("ann", name, version)
        assert (dropped is not None) == (version in self.versions(name))
        self.set(name, {each: found for each, found in self.versions(name).items() if each != version})

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def damage_and_quarantine(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        version = data.draw(st.sampled_from(sorted(self.model[name])))
        if self.model[name][version]:
            self.disk.flip_bit(self.store._index.shelf("ann", name).path_of(version))
            file, now = self.store.verify("ann", name, version)
            assert file.digest != now
        assert self.store.quarantine(self.store.get("ann", name, version))
        self.set(name, {each: found for each, found in self.versions(name).items() if each != version})

    def give_up(self) -> None:
        for incoming, _ in self.arriving:
            incoming.discard()
        self.arriving = []

    @rule()
    def restart(self) -> None:
        self.give_up()
        self.store.close()
        self.open()

    @rule(seed=st.integers(0, 1000), power=st.booleans())
    def crash(self, seed: int, power: bool) -> None:
        self.arriving = []
        if power:
            self.disk.lose(random.Random(seed))
        else:
            self.disk.let_go()
        self.open()

    @rule(name=st.sampled_from(["a", "x/b", "by hand"]), contents=CONTENTS)
    def copy_in_by_hand(self, name: str, contents: bytes) -> None:
        if self.versions(name):
            return
        self.give_up()
        self.store.close()
        path = f"server/Backups/ann/{name}"
        self.disk.make_folder(path.rpartition("/")[0])
        writer = self.disk.create(path)
        writer.write([contents])
        writer.sync()
        self.disk.sync_folder(path.rpartition("/")[0])
        self.open()
        file = self.store.get("ann", name)
        assert file.version > self.buried.get(name, 0)
        self.set(name, {file.version: contents})

    # ---- what must hold

    @invariant()
    def they_say_the_same(self) -> None:
        if not hasattr(self, "store"):
            return
        assert check(self.store, len(self.arriving)) == self.model
        tombstones = {file.name: file.version for file in self.store.inventory()[2] if file.deleted}
        assert tombstones == self.buried


def test_the_store_and_a_dictionary_of_versions_say_the_same(step_world: Any) -> None:
    machine = type("Machine", (StoreOfVersions,), {"step_world": step_world})
    limits = settings(
        max_examples=100,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
    run_state_machine_as_test(machine, settings=limits)
