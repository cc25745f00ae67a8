"""The store of versions dies, or its disk fails, at every single step, on a disk that loses what was not synced: what was
acknowledged is there, what was not is there whole or not at all."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

import pytest

from rpclab.errors import DiskFull, RpclabError, StorageError, SyncFailed
from rpclab.server.store import Store
from rpclab.world.simulated_disk import SimulatedDisk as Disk

from .versions import Model, Step, check, read, stored

SEEDS = range(5)
WORK = [
    Step("put", "a", 1, b"the first"),
    Step("put", "a", 2, b"as long 1", keep=3),
    Step("put", "a", 3, b"as long 2", keep=3),
    Step("put", "x/b", 1, b"in a folder"),
    Step("put", "a", 4, b"the first makes way", keep=3),
    Step("put", "x/b", 3, b"in a f0lder", keep=5),
    Step("put", "x/b", 2, b"late", keep=5),
    Step("drop", "a", 3),
    Step("drop", "a", 4),
    Step("put", "a", 5, b"as long 3", keep=2),
    Step("put", "one", 1, b"longer"),
    Step("put", "one", 2, b"2", keep=1),
    Step("quarantine", "x/b", 2),
    Step("quarantine", "x/b", 3),
    Step("delete", "a", 2),
    Step("put", "a", 6, b"", keep=2),
    Step("delete", "a", 9),
    Step("put", "x/b", 4, b"4", keep=5),
    Step("quarantine", "one", 2),
    Step("delete", "x/b", 4),
    Step("put", "x", 1, b"a file where a folder was"),
    Step("drop", "x", 1),
]


def model_after(steps: list[Step]) -> Model:
    model: Model = {}
    for step in steps:
        model = step.after(model)
    return model


def run(store: Store, disk: Disk, acknowledged: Callable[[], object] = lambda: None) -> None:
    for step in WORK:
        if step.what == "quarantine":
            disk.flip_bit(store._index.shelf("ann", step.name).path_of(step.version))
        step.do(store)
        acknowledged()


@pytest.fixture
def total(step_world: Callable[..., Any]) -> int:
    disk = Disk()
    world = step_world(disk=disk)
    store = Store(world, "server")
    run(store, disk)
    assert check(store) == model_after(WORK) == {}
    store.close()
    return len(world.steps.steps)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_power_cut_at_any_step_costs_nothing_that_was_acknowledged(
    step_world: Callable[..., Any], power_gone: type[BaseException], total: int, seed: int
) -> None:
    assert total > 200
    outcomes = set()
    for at in range(1, total + 1):
        chance = random.Random(f"{seed} {at}")
        disk, done = Disk(), 0
        world = step_world(disk=disk, die_at=at)

        def acknowledged() -> None:
            nonlocal done
            done += 1

        with contextlib.suppress(power_gone):
            run(Store(world, "server"), disk, acknowledged)
        fail_power_or_kill(disk, chance)
        again = step_world(disk=disk, die_at=chance.choice([0, chance.randint(1, 12)]))
        with contextlib.suppress(power_gone):  # the start after it dies too, sometimes
            Store(again, "server").close()
        fail_power_or_kill(disk, chance)
        where = f"seed {seed}, died at {at}, {world.steps.steps[-1]}, of {WORK[done] if done < len(WORK) else 'close'}"
        old, new = model_after(WORK[:done]), model_after(WORK[: done + 1])
        found = looked_at_twice(step_world, disk, chance, WORK[done] if done < len(WORK) else None, where)
        assert found in (old, new), where
        outcomes.add("old" if found == old else "new")
    assert outcomes == {"old", "new"}


def fail_power_or_kill(disk: Disk, chance: random.Random) -> None:
    """A process that dies alone leaves what was not synced where it shows: it may be lost by the next one's power cut."""
    if chance.random() < 0.5:
        disk.lose(chance)
    else:
        disk.let_go()


def looked_at_twice(
    step_world: Callable[..., Any], disk: Disk, chance: random.Random, step: Step | None, where: str
) -> Model:
    """What a start finds, and the next one too, though the power fails between. A version that was about to be quarantined may
    still be there, damaged: it is quarantined now, or the start has found out that it is damaged."""
    said: list[str] = []
    doubtful = f"server/Backups/ann/{step.name} is none of" if step is not None and step.what == "quarantine" else "-"
    found: list[Model] = []
    for _ in range(2):
        store = Store(step_world(disk=disk), "server", say=said.append)
        if step is not None and step.what == "quarantine":
            for file in store.files():
                if store.verify("ann", file.name, file.version)[1] != file.digest:
                    assert (file.name, file.version) == (step.name, step.version), where
                    store.quarantine(file)
        seen_through = any(line.startswith(doubtful) for line in said)
        found.append(stored(store) if seen_through else check(store))
        fail_power_or_kill(disk, chance)
    assert found[0] == found[1], where
    wrong = [line for line in said if "taken in" in line or "somebody" in line]
    assert not [line for line in wrong if not line.startswith(doubtful)], (where, said)
    return found[0]


def full_or_unsynced(step: str) -> RpclabError:
    return (SyncFailed if step.startswith("sync") else DiskFull)(f"the disk failed: {step}")


def input_output_error(step: str) -> RpclabError:
    return StorageError(f"an input/output error: {step}")


@pytest.mark.parametrize("error", [full_or_unsynced, input_output_error])
def test_a_failure_at_any_step_undoes_what_failed_and_nothing_else(
    step_world: Callable[..., Any], total: int, error: Callable[[str], Exception]
) -> None:
    refused = carried_out = 0
    for at in range(1, total + 1):
        disk = Disk()
        world = step_world(disk=disk, fail_at=at, error=error)
        try:
            store = Store(world, "server")
        except RpclabError:
            continue
        model: Model = {}
        for step in WORK:
            where = f"step {at}, {world.steps.failed}, of {step}"
            if step.what == "quarantine" and step.version in model.get(step.name, {}):
                disk.flip_bit(store._index.shelf("ann", step.name).path_of(step.version))
            try:
                step.do(store)
                model = step.after(model)
                carried_out += 1
            except RpclabError:
                refused += 1
                if step.what == "quarantine":
                    step.do(store)
                    model = step.after(model)
                    continue
                found = stored(store)
                late = step.what == "put" and world.steps.failed.startswith(("sync folder", "remove incoming"))
                if late and found != model:  # it is there without a promise
                    assert found.get(step.name, {}).get(step.version) == step.contents, where
                else:
                    assert found == model, where
                step.do(store)
                model = stored(store)
                assert model.get(step.name, {}) == step.after(found).get(step.name, {}), where
            assert stored(store) == model, where
        store.drop("ann", "nothing", 1)  # before the next change what the disk refused is tried again
        assert check(store) == model
        store.close()
        again = Store(step_world(disk=disk), "server")
        assert check(again) == model, where
    assert refused > 50 and carried_out > total


@pytest.mark.parametrize("fail_for", [2, 3, 5, 9])
@pytest.mark.parametrize("end", ["stop", "kill", "power"])
def test_a_disk_that_fails_for_a_while_leaves_what_was_there_or_what_was_asked_for(
    step_world: Callable[..., Any], total: int, fail_for: int, end: str
) -> None:
    """Also the line that would take back another one fails: what is told to nobody must not be found at the next start."""
    for at in range(1, total + 1):
        disk = Disk()
        world = step_world(disk=disk, fail_at=at, fail_for=fail_for, error=full_or_unsynced)
        try:
            store = Store(world, "server")
        except RpclabError:
            continue
        possible: dict[str, list[dict[int, bytes]]] = {}
        for step in (step for step in WORK if step.what != "quarantine"):
            before = stored(store)
            known, after = before.get(step.name, {}), step.after(before).get(step.name, {})
            try:
                if step.do(store) is not None:  # else there was nothing to drop, and nothing was noted
                    possible[step.name] = [after]
            except RpclabError:
                both = {**known, step.version: step.contents} if step.what == "put" else after
                possible[step.name] = [*possible.get(step.name, [{}]), known, after, both]
        where = f"failed for {fail_for} from {at}, {world.steps.failed}"
        with contextlib.suppress(RpclabError):
            store.close()
        if end == "power":
            disk.lose(random.Random(at))
        else:
            disk.let_go()
        again = Store(step_world(disk=disk), "server")
        for name, found in check(again).items():
            assert found in possible[name], (where, name, found, possible[name])
        again.close()


def test_one_that_failed_leaves_the_newest_readable_under_its_plain_name(step_world: Callable[..., Any]) -> None:
    """Every step from the journal's line to the rename fails in turn."""
    for step in ("write journal.jsonl", "sync journal.jsonl", "rename to 1", "sync folder a", "rename to a"):
        disk = Disk()
        world = step_world(disk=disk, error=lambda at: StorageError(f"failed: {at}"))
        store = Store(world, "server")
        Step("put", "a", 1, b"old").do(store)
        names: list[str] = [
            "create",
            "write",
            "sync",
            "write journal.jsonl",
            "sync journal.jsonl",
        ]
        names += ["make folder a", "rename to 1", "sync folder a", "rename to a"]
        world.steps._fail_at = len(world.steps.steps) + 1 + names.index(step)
        with pytest.raises(StorageError, match=step):
            Step("put", "a", 2, b"new").do(store)
        assert check(store) == {"a": {1: b"old"}} and read(store, "a") == b"old", step
        store.close()
        assert check(Store(step_world(disk=disk), "server")) == {"a": {1: b"old"}}, step
