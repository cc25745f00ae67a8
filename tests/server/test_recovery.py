"""The store dies, or its disk fails, at every single step: what was acknowledged is there, and nothing is ever half there."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from blake3 import blake3

from rpclab.errors import DiskFull, RpclabError, StorageError, SyncFailed
from rpclab.server.store import Store
from rpclab.world.real import RealWorld

Work = list[tuple[str, str, bytes | None]]

WORK: Work = [
    ("put", "a", b"the first contents"),
    ("put", "folder/b", b"in a folder"),
    ("put", "a", b"the second, replacing it"),
    ("put", "same", b"equal length 1"),
    ("put", "same", b"equal length 2"),
    ("delete", "folder/b", None),
    ("put", "folder", b"a file where a folder was"),
    ("put", "empty", b""),
    ("delete", "a", None),
    ("put", "a", b"back again"),
]


def do(store: Store, what: str, name: str, contents: bytes | None) -> None:
    if what == "delete":
        store.delete("ann", name)
        return
    assert contents is not None
    incoming = store.begin("ann", name, len(contents), keep=1)
    try:
        if contents:
            incoming.write([memoryview(contents)])
        incoming.commit(blake3(contents).hexdigest())
    finally:
        incoming.discard()


def stored(store: Store) -> dict[str, bytes]:
    """What the store says it has; its index, its disk and its digests are seen to agree."""
    files = {file.name: file for file in store.files()}
    root = pathlib.Path(store.folder, "Backups/ann")
    disk = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert disk.keys() == files.keys()
    for name, contents in disk.items():
        assert (len(contents), blake3(contents).hexdigest()) == (files[name].size, files[name].digest)
    assert store.report()[1] == sum(map(len, disk.values()))
    return disk


def look(folder: str) -> dict[str, bytes]:
    """What a new store finds in the folder; a second one finds the same."""
    found = []
    for _ in range(2):
        store = Store(RealWorld(), folder)
        found.append(stored(store))
        assert not list(pathlib.Path(folder, "Incoming").iterdir()), "something is left in Incoming"
        store.close()
    assert found[0] == found[1]
    return found[0]


def after(done: Work) -> dict[str, bytes]:
    model: dict[str, bytes] = {}
    for _, name, contents in done:
        model.pop(name, None)
        if contents is not None:
            model[name] = contents
    return model


def how_many_steps(step_world: Callable[..., Any], folder: str) -> int:
    world = step_world()
    store = Store(world, folder)
    for step in WORK:
        do(store, *step)
    store.close()
    assert look(folder) == after(WORK)
    return len(world.steps.steps)


def test_a_process_that_dies_at_any_step_leaves_the_old_or_the_new_contents(
    step_world: Callable[..., Any], power_gone: type[BaseException], new_folder: Callable[[], str]
) -> None:
    total = how_many_steps(step_world, new_folder())
    assert total > 60
    outcomes = set()
    for step in range(1, total + 1):
        folder, world, done = new_folder(), step_world(die_at=step), 0
        with contextlib.suppress(power_gone):
            store = Store(world, folder)
            for work in WORK:
                do(store, *work)
                done += 1
        world.steps.let_go()
        found = look(folder)
        old, new = after(WORK[:done]), after(WORK[: done + 1])
        assert found in (old, new), f"died at step {step}, {world.steps.steps[-1]}, of {WORK[done]}"
        outcomes.add("old" if found == old else "new")
    assert outcomes == {"old", "new"}


def test_a_start_that_dies_at_any_step_can_be_repeated(
    step_world: Callable[..., Any], power_gone: type[BaseException], new_folder: Callable[[], str]
) -> None:
    def crashed() -> tuple[str, set[str]]:
        """A folder whose store died between the journal and the rename, with a changed file and one copied in."""
        folder = new_folder()
        world = step_world()
        store = Store(world, folder)
        do(store, "put", "a", b"old")
        do(store, "put", "b", b"deleted soon")
        do(store, "put", "c", b"changed soon")
        world.steps._die_at = len(world.steps.steps) + 6
        with contextlib.suppress(power_gone):
            do(store, "put", "a", b"new and noted")
        assert world.steps.steps[-1] == "rename to a"
        world.steps.let_go()
        pathlib.Path(folder, "Backups/ann/c").write_bytes(b"changed")
        pathlib.Path(folder, "Backups/ann/d").write_bytes(b"copied in")
        return folder, {"a", "b", "d"}

    step = 0
    while True:
        step += 1
        folder, names = crashed()
        world = step_world(die_at=step)
        with contextlib.suppress(power_gone):
            Store(world, folder).close()
        world.steps.let_go()
        again = Store(RealWorld(), folder)
        assert {file.name for file in again.files()} == names
        assert again.get("ann", "a").digest == blake3(b"new and noted").hexdigest()
        again.close()
        if len(world.steps.steps) < step:
            break
    assert step > 5


def full_or_unsynced(step: str) -> RpclabError:
    return (SyncFailed if step.startswith("sync") else DiskFull)(f"the disk failed: {step}")


def input_output_error(step: str) -> RpclabError:
    return StorageError(f"an input/output error: {step}")


@pytest.mark.parametrize("error", [full_or_unsynced, input_output_error])
def test_a_disk_that_fails_at_any_step_fails_that_upload_and_no_other(
    step_world: Callable[..., Any], new_folder: Callable[[], str], error: Callable[[str], Exception]
) -> None:
    total = how_many_steps(step_world, new_folder())
    for step in range(1, total + 1):
        folder, world = new_folder(), step_world(fail_at=step, error=error)
        try:
            store = Store(world, folder)
        except RpclabError:
            world.steps.let_go()
            assert look(folder) == {}
            continue
        model: dict[str, bytes] = {}
        for what, name, contents in WORK:
            new = {key: value for key, value in model.items() if key != name}
            if contents is not None:
                new[name] = contents
            try:
                do(store, what, name, contents)
                model = new
            except RpclabError:
                found = stored(store)
                allowed = [model, new] if durable_unknown(world.steps.failed, what) else [model]
                assert found in allowed, f"step {step}, {world.steps.failed}, of {what} {name}"
                model = found
                with contextlib.suppress(RpclabError):  # a delete that was carried out finds nothing the second time
                    do(store, what, name, contents)
                    model = new
            store.drop("ann", "nothing", 1)  # before the next change what the disk refused is tried again
            assert stored(store) == model
        store.close()
        assert look(folder) == model == after(WORK), f"step {step}, {world.steps.failed}"


def durable_unknown(step: str, what: str) -> bool:
    """Once a file has its name, or has lost it, a failure can no longer undo that."""
    return step.startswith(("sync folder", "remove incoming")) or (what == "delete" and step.startswith("remove"))


@pytest.mark.parametrize("step", ["sync incoming", "write journal.jsonl", "sync journal.jsonl", "rename to a"])
def test_a_failure_before_the_rename_keeps_the_old_version(
    step_world: Callable[..., Any], new_folder: Callable[[], str], step: str
) -> None:
    folder, world = new_folder(), step_world(error=lambda at: SyncFailed(f"failed: {at}"))
    store = Store(world, folder)
    do(store, "put", "a", b"old")
    dry = [
        "create incoming",
        "write incoming",
        "sync incoming",
        "write journal.jsonl",
        "sync journal.jsonl",
        "rename to a",
    ]
    world.steps._fail_at = len(world.steps.steps) + 1 + dry.index(step)
    with pytest.raises(SyncFailed):
        do(store, "put", "a", b"new")
    assert world.steps.failed == step
    assert stored(store) == {"a": b"old"}
    store.close()
    assert look(folder) == {"a": b"old"}


def test_an_upload_that_failed_is_not_stored_by_the_next_start(
    step_world: Callable[..., Any], power_gone: type[BaseException], new_folder: Callable[[], str]
) -> None:
    """The rename fails, and the process dies before it has removed the file in Incoming that the journal names."""
    folder, world = new_folder(), step_world(error=lambda at: StorageError(f"failed: {at}"))
    store = Store(world, folder)
    do(store, "put", "a", b"old")
    world.steps._fail_at = len(world.steps.steps) + 6
    world.steps._die_at = world.steps._fail_at + 3
    with pytest.raises(power_gone):
        do(store, "put", "a", b"new, and refused")
    assert (world.steps.failed, world.steps.steps[-1]) == ("rename to a", "remove incoming")
    world.steps.let_go()
    assert look(folder) == {"a": b"old"}
