"""The simulated disk: what was synced stays, of the rest any part; what it cannot do it says with the errors of the world."""

from __future__ import annotations

import random

import pytest

from rpclab.errors import DiskFull, FolderNotUsable, NoSuchFile, StorageError, SyncFailed
from rpclab.world.base import walk
from rpclab.world.simulated_disk import SimulatedDisk


@pytest.fixture
def disk() -> SimulatedDisk:
    disk = SimulatedDisk()
    disk.make_folder("f/g")
    return disk


def write(disk: SimulatedDisk, path: str, data: bytes, *, sync: bool = True) -> None:
    writer = disk.append(path)
    writer.write([data[:1], memoryview(data)[1:]])
    if sync:
        writer.sync()
    writer.close()


def after_power_cuts(data: bytes, more: bytes) -> set[bytes | None]:
    """What a file can hold after a power cut that had `data` synced under its name, and `more` written since."""
    found = set[bytes | None]()
    for seed in range(300):
        disk = SimulatedDisk()
        disk.make_folder("f")
        write(disk, "f/a", data)
        disk.sync_folder("f")
        write(disk, "f/a", more, sync=False)
        disk.lose(random.Random(seed))
        found.add(disk.contents("f/a"))
    return found


def test_synced_contents_stay_and_of_what_came_after_any_part() -> None:
    found = after_power_cuts(b"synced", b"abc")
    assert all(each is not None and each.startswith(b"synced") for each in found)
    assert {b"synced", b"synceda", b"syncedabc"} <= found
    assert any(each is not None and each.endswith(b"\0") for each in found)


def names_after(seed: int, *, contents: bool, folder: bool) -> dict[str, bytes]:
    disk = SimulatedDisk()
    disk.make_folder("f")
    write(disk, "f/a", b"old")
    disk.sync_folder("f")
    write(disk, "f/new", b"new", sync=contents)
    disk.rename("f/new", "f/a")
    if folder:
        disk.sync_folder("f")
    disk.lose(random.Random(seed))
    return {name: disk.contents(f"f/{name}") for name, _ in walk(disk, "f")}


def test_a_rename_that_was_not_synced_may_be_lost_and_one_that_was_stays() -> None:
    found = [names_after(seed, contents=True, folder=False) for seed in range(300)]
    assert {each["a"] for each in found} == {b"old", b"new"}
    assert {frozenset(each) for each in found} >= {frozenset({"a"}), frozenset({"a", "new"})}
    assert all(names_after(seed, contents=True, folder=True) == {"a": b"new"} for seed in range(100))


def test_a_rename_before_the_contents_are_synced_can_leave_half_a_file() -> None:
    found = {names_after(seed, contents=False, folder=True)["a"] for seed in range(300)}
    assert b"" in found and b"new" in found and b"n" in found


def test_a_full_disk_takes_what_fits_and_has_room_again_after_a_removal(disk: SimulatedDisk) -> None:
    disk.capacity_bytes = 10
    write(disk, "f/a", b"12345")
    with pytest.raises(DiskFull):
        write(disk, "f/b", b"1234567")
    assert disk.contents("f/b") == b"12345" and disk.free_bytes("f") == 0
    disk.remove("f/b")
    assert disk.free_bytes("f") == 5
    write(disk, "f/c", b"c")
    disk.rename("f/c", "f/a")
    assert disk.free_bytes("f") == 9


def test_what_a_sync_that_failed_was_for_never_reaches_the_disk(disk: SimulatedDisk) -> None:
    write(disk, "f/a", b"first")
    writer = disk.append("f/a")
    writer.write([b"lost"])
    disk.failing = 1.0
    with pytest.raises(SyncFailed):
        writer.sync()
    with pytest.raises(SyncFailed):
        disk.sync_folder("f")
    disk.failing = 0.0
    write(disk, "f/a", b"last")
    disk.sync_folder("f")
    assert disk.contents("f/a") == b"firstlostlast"
    disk.lose(random.Random(1))
    assert disk.contents("f/a") == b"first\0\0\0\0last"


def test_a_bit_rots_and_nobody_is_told(disk: SimulatedDisk) -> None:
    write(disk, "f/a", b"abc")
    reader = disk.open("f/a")
    disk.flip_bit("f/a", 9)
    assert disk.contents("f/a") == b"a`c" and not reader.changed()
    write(disk, "f/empty", b"")
    with pytest.raises(NoSuchFile):
        disk.flip_bit("f/empty")


def test_it_refuses_what_a_real_one_refuses(disk: SimulatedDisk) -> None:
    write(disk, "f/a", b"a")
    with pytest.raises(FolderNotUsable):
        disk.create("f/a")
    with pytest.raises(FolderNotUsable):
        disk.make_folder("f/a/b")
    with pytest.raises(FolderNotUsable):
        disk.rename("f/a", "f/g")
    with pytest.raises(StorageError):
        disk.remove("f")
    for missing in (
        lambda: disk.open("f/x"),
        lambda: disk.remove("f/x"),
        lambda: disk.create("x/y"),
        lambda: disk.open("f"),
    ):
        with pytest.raises(NoSuchFile):
            missing()
    disk.lock("f/lock")
    with pytest.raises(FolderNotUsable):
        disk.lock("f/lock")
    disk.let_go()
    disk.lock("f/lock")
    assert [(entry.name, entry.is_folder) for entry in disk.list("f")] == [("a", False), ("g", True)]
    assert disk.list("nowhere") == []


def test_a_reader_keeps_the_file_it_opened(disk: SimulatedDisk) -> None:
    write(disk, "f/a", b"old")
    write(disk, "f/b", b"newer")
    reader = disk.open("f/a")
    disk.rename("f/b", "f/a")
    buffer = bytearray(10)
    assert reader.size == 3 and reader.read_into(memoryview(buffer)) == 3 and buffer[:3] == b"old"
    assert reader.read_into(memoryview(buffer)) == 0 and disk.contents("f/a") == b"newer"
