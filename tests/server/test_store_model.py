"""The store against a dictionary: whatever is done in whatever order, with restarts and crashes between, they say the same."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import tempfile
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

from rpclab.errors import NameCollision, NoSuchFile, QuotaExceeded
from rpclab.names import fold
from rpclab.server.store import Store

QUOTA = 120
CLIENTS = st.sampled_from(["ann", "bob"])
NAMES = st.sampled_from(["a", "A", "b", "b/c", "b/C", "b/c/d", "Straße", "strasse", "e\u0301"])
CONTENTS = st.binary(max_size=40)


class StoreAgainstDictionary(RuleBasedStateMachine):
    step_world: Any
    power_gone: type[BaseException]

    @initialize()
    def start(self) -> None:
        memory = pathlib.Path("/dev/shm")
        self.folder = tempfile.mkdtemp(prefix="rpclab-test-", dir=memory if memory.is_dir() else None)
        self.files: dict[tuple[str, str], bytes] = {}
        self.open()

    def open(self, **faults: Any) -> None:
        self.world = self.step_world(**faults)
        self.store = Store(self.world, self.folder, quota_bytes=QUOTA)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.store.close()
            shutil.rmtree(self.folder)

    # ---- what may be done

    @rule(client=CLIENTS, name=NAMES, contents=CONTENTS)
    def put(self, client: str, name: str, contents: bytes) -> None:
        name = "\u00e9" if name == "e\u0301" else name
        if self.collides(client, name):
            with pytest.raises(NameCollision):
                self.store.begin(client, name, len(contents), keep=1)
        elif self.bytes() + len(contents) - len(self.files.get((client, name), b"")) > QUOTA and contents:
            with pytest.raises(QuotaExceeded):
                self.store.begin(client, name, len(contents), keep=1)
        else:
            self.send(client, name, contents)
            self.files[client, name] = contents

    def send(self, client: str, name: str, contents: bytes) -> None:
        incoming = self.store.begin(client, name, len(contents), keep=1)
        if contents:
            incoming.write([memoryview(contents)])
        incoming.commit(blake3(contents).hexdigest())

    @rule(client=CLIENTS, name=NAMES)
    def begin_and_give_up(self, client: str, name: str) -> None:
        with contextlib.suppress(NameCollision, QuotaExceeded):
            incoming = self.store.begin(client, name, 5)
            incoming.write([memoryview(b"12345")])
            incoming.discard()

    @rule(client=CLIENTS, name=NAMES)
    def delete(self, client: str, name: str) -> None:
        if (client, name) in self.files:
            _, removed = self.store.delete(client, name)
            assert [file.size for file in removed] == [len(self.files.pop((client, name)))]
        else:
            with pytest.raises(NoSuchFile):
                self.store.delete(client, name)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.open()

    @rule(client=CLIENTS, name=st.sampled_from(["by hand", "e/by hand"]), contents=st.binary(max_size=3))
    def copy_in_by_hand(self, client: str, name: str, contents: bytes) -> None:
        if (client, name) not in self.files:
            self.store.close()
            path = pathlib.Path(self.folder, "Backups", client, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents)
            self.files[client, name] = contents
            self.open()

    @precondition(lambda self: self.files)
    @rule(data=st.data(), contents=st.binary(max_size=3), step=st.integers(1, 12))
    def die_while_replacing(self, data: st.DataObject, contents: bytes, step: int) -> None:
        client, name = data.draw(st.sampled_from(sorted(self.files)))
        self.store.close()
        self.open()
        self.world.steps._die_at = len(self.world.steps.steps) + step
        old = self.files[client, name]
        with contextlib.suppress(self.power_gone, QuotaExceeded):
            self.send(client, name, contents)
            self.files[client, name] = contents
        self.world.steps.let_go()
        self.open()
        found = pathlib.Path(self.folder, "Backups", client, name).read_bytes()
        assert found in ([contents] if self.files[client, name] is contents else [old, contents])
        self.files[client, name] = found

    # ---- what must hold

    @invariant()
    def they_say_the_same(self) -> None:
        if not hasattr(self, "folder"):
            return
        said = {(file.client, file.name): (file.size, file.digest) for file in self.store.files()}
        assert said == {key: (len(each), blake3(each).hexdigest()) for key, each in self.files.items()}
        assert self.store.report()[1] == self.bytes()
        root = pathlib.Path(self.folder, "Backups")
        lying = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        assert lying == {f"{client}/{name}": each for (client, name), each in self.files.items()}
        assert not list(pathlib.Path(self.folder, "Incoming").iterdir())

    def bytes(self) -> int:
        return sum(map(len, self.files.values()))

    def collides(self, client: str, name: str) -> bool:
        if (client, name) in self.files:
            return False
        mine = fold(f"{client}/{name}")
        others = [fold(f"{each}/{other}") for each, other in self.files]
        return any(mine == other or other.startswith(f"{mine}/") or mine.startswith(f"{other}/") for other in others)


def test_the_store_and_a_dictionary_say_the_same(step_world: Any, power_gone: type[BaseException]) -> None:
    machine = type("Machine", (StoreAgainstDictionary,), {"step_world": step_world, "power_gone": power_gone})
    limits = settings(
        max_examples=60,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
    run_state_machine_as_test(machine, settings=limits)
