"""The versions of a file: which are kept and where, how one goes, and what becomes of damaged ones."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from blake3 import blake3

from rpclab.errors import DiskFull, NoSuchFile, QuotaExceeded
from rpclab.server.store import Store
from rpclab.world.real import RealWorld

from .versions import check, put, read, stored


@pytest.fixture
def open_store(new_folder: Callable[[], str]) -> Iterator[Callable[..., Store]]:
    """Open a store on one folder, again and again; the one before is closed."""
    folder, last = new_folder(), list[Store]()

    def opened(**options: Any) -> Store:
        for each in last:
            each.close()
        last.append(Store(RealWorld(), folder, **options))
        return last[-1]

    yield opened
    for each in last:
        each.close()


def paths(store: Store) -> set[str]:
    root = pathlib.Path(store.folder)
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return {path for path in files if "/" in path}


def test_the_newest_lies_under_its_plain_name_and_earlier_ones_in_versions(open_store: Callable[..., Store]) -> None:
    store = open_store()
    for version in (3, 7, 9):
        put(store, "x/a", b"version %d" % version, version)
    assert paths(store) == {"Backups/ann/x/a", "Versions/ann/x/a/3", "Versions/ann/x/a/7"}
    assert read(store, "x/a") == b"version 9" and read(store, "x/a", 3) == b"version 3"
    assert check(open_store()) == {"x/a": {version: b"version %d" % version for version in (3, 7, 9)}}
    with pytest.raises(NoSuchFile, match="in version 4"):
        store.get("ann", "x/a", 4)


def test_more_than_keep_make_way_and_are_told(open_store: Callable[..., Store]) -> None:
    store = open_store()
    for version in range(1, 5):
        put(store, "a", b"%d" % version, version, keep=3)
    incoming = store.begin("ann", "a", 1, 5, keep=2)
    incoming.write([memoryview(b"5")])
    incoming.commit(blake3(b"5").hexdigest())
    assert [file.version for file in incoming.dropped] == [2, 3]
    assert check(store) == {"a": {4: b"4", 5: b"5"}}


def test_an_older_version_takes_its_place_among_the_kept_ones_or_none(open_store: Callable[..., Store]) -> None:
    store = open_store()
    for version in (5, 2, 4):
        put(store, "a", b"%d" % version, version, keep=3)
    assert put(store, "a", b"1", 1, keep=3).version == 5  # three newer ones are there
    assert check(store) == {"a": {2: b"2", 4: b"4", 5: b"5"}}
    store.delete("ann", "a", 3)
    with pytest.raises(NoSuchFile, match="was deleted while"):
        put(store, "a", b"3", 3)


def test_a_version_that_is_there_is_stored_once(open_store: Callable[..., Store]) -> None:
    store = open_store()
    put(store, "a", b"one", 1)
    journal = pathlib.Path(store.folder, "journal.jsonl")
    before = journal.read_bytes()
    put(store, "a", b"one", 1)
    assert journal.read_bytes() == before and check(store) == {"a": {1: b"one"}}


def test_a_delete_up_to_a_version_leaves_the_later_ones(open_store: Callable[..., Store]) -> None:
    store = open_store()
    for version in (1, 2, 3):
        put(store, "a", b"%d" % version, version)
    tombstone, removed = store.delete("ann", "a", 2)
    assert (tombstone.version, [file.version for file in removed]) == (2, [1, 2])
    assert store.delete("ann", "a", 1) == (tombstone, [])
    assert store.delete("ann", "a")[1][0].version == 3
    assert check(open_store()) == {} and paths(store) == set()


def test_when_the_newest_is_dropped_the_one_before_gets_the_plain_name(open_store: Callable[..., Store]) -> None:
    store = open_store()
    put(store, "a", b"one", 1)
    put(store, "a", b"two", 2)
    dropped = store.drop("ann", "a", 2)
    assert dropped is not None and dropped.version == 2 and store.drop("ann", "a", 2) is None
    assert paths(store) == {"Backups/ann/a"} and read(store, "a") == b"one"
    put(store, "a", b"two", 2)  # there is no tombstone
    assert check(open_store()) == {"a": {1: b"one", 2: b"two"}}


@pytest.mark.parametrize("damaged", [1, 2, 3])
def test_a_flipped_bit_is_found_and_quarantined_and_the_others_stay_readable(
    open_store: Callable[..., Store], damaged: int
) -> None:
    store = open_store()
    model = {version: b"contents %d" % version for version in (1, 2, 3)}
    for version, contents in model.items():
        put(store, "x/a", contents, version)
    place = "Backups/ann/x/a" if damaged == 3 else f"Versions/ann/x/a/{damaged}"
    path = pathlib.Path(store.folder, place)
    path.write_bytes(b"Contents" + model[damaged][8:])
    file, now = store.verify("ann", "x/a", damaged)
    assert now != file.digest
    assert store.quarantine(file) and not store.quarantine(file)
    del model[damaged]
    assert check(store) == {"x/a": model} and store.report()[1] == 20
    assert pathlib.Path(store.folder, f"Quarantine/ann/x/a/{damaged}").read_bytes() == b"Contents %d" % damaged
    assert check(open_store()) == {"x/a": model}


def test_a_copy_that_was_made_anew_while_the_damaged_one_was_read_stays(open_store: Callable[..., Store]) -> None:
    store = open_store()
    put(store, "a", b"one", 1)
    pathlib.Path(store.folder, "Backups/ann/a").write_bytes(b"0ne")
    found, digest = store.verify("ann", "a")
    assert digest != found.digest and store.quarantine(store.get("ann", "a"))  # somebody else has read it too
    put(store, "a", b"one", 1)
    assert not store.quarantine(found)
    assert store.get("ann", "a").version == 1


def test_the_same_version_can_be_quarantined_twice_and_nothing_there_is_touched(
    open_store: Callable[..., Store],
) -> None:
    store = open_store()
    for _ in range(2):
        store.quarantine(put(store, "a", b"one", 1))
        store = open_store()
    assert paths(store) == {"Quarantine/ann/a/1", "Quarantine/ann/a/1-2"}
    assert store.report()[1] == 0


def test_room_is_what_is_added_less_what_makes_way(open_store: Callable[..., Store]) -> None:
    store = open_store(quota_bytes=10)
    put(store, "a", b"1234", 1)
    put(store, "a", b"5678", 2)
    with pytest.raises(QuotaExceeded, match=r"earlier versions take 4 bytes: `rpclab rm --keep 1`"):
        store.begin("ann", "a", 4)
    put(store, "a", b"9abcde", 3, keep=2)
    with pytest.raises(DiskFull, match="rm --keep 1"):
        open_store().begin("ann", "b", 1 << 60)


def test_what_nobody_knows_in_versions_is_left_alone_and_said(open_store: Callable[..., Store]) -> None:
    store = open_store()
    put(store, "a", b"one", 1)
    root = pathlib.Path(store.folder, "Versions/ann")
    for name in ("a/7", "a/notes.txt", "gone/3"):
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_bytes(b"somebody's")
    said: list[str] = []
    assert stored(open_store(say=said.append)) == {"a": {1: b"one"}}
    assert len([line for line in said if "left alone" in line]) == 3
    assert {"Versions/ann/a/7", "Versions/ann/a/notes.txt", "Versions/ann/gone/3"} <= paths(store)


def test_a_changed_newest_no_longer_counts_and_the_one_before_is_given(open_store: Callable[..., Store]) -> None:
    store = open_store()
    put(store, "a", b"one", 1)
    put(store, "a", b"two", 2)
    pathlib.Path(store.folder, "Backups/ann/a").write_bytes(b"edited")
    for _ in range(3):
        assert stored(open_store()) == {"a": {1: b"one"}}
    assert pathlib.Path(store.folder, "Backups/ann/a").read_bytes() == b"edited"
    store = open_store()
    put(store, "a", b"two", 2)  # a copy from another server
    assert check(open_store()) == {"a": {1: b"one", 2: b"two"}}


def test_a_journal_of_before_there_were_versions_is_read(open_store: Callable[..., Store]) -> None:
    store = open_store()
    put(store, "a", b"one", 1)
    put(store, "a", b"two", 2, keep=1)
    put(store, "b", b"gone", 1)
    store.delete("ann", "b", 4)
    store.close()
    journal = pathlib.Path(store.folder, "journal.jsonl")
    text = b""
    for line in journal.read_bytes().splitlines():
        entry = line.partition(b" ")[2]
        if b"settled" not in entry and entry:
            entry = (
                entry[: entry.rindex(b',"saved"')] + b"}}"
                if b"deleted" in entry
                else entry.replace(b',"saved":0.0', b"")
            )
            text += blake3(entry).hexdigest(8).encode() + b" " + entry + b"\n"
    journal.write_bytes(text)
    again = open_store()
    assert check(again) == {"a": {2: b"two"}}
    (tombstone,) = [file for file in again.inventory()[2] if file.deleted]
    assert tombstone.version == 4 and abs(tombstone.saved - RealWorld().clock.wall()) < 60
    assert tombstone in open_store().inventory()[2]  # its time is noted, and does not begin again


class LaterWorld(RealWorld):
    """The real world, so many seconds later by the wall clock."""

    def __init__(self, later_s: float) -> None:
        super().__init__()
        clock = self.clock
        self.clock = type("Later", (), {"wall": lambda _: clock.wall() + later_s, "now": clock.now})()  # type: ignore[assignment]


def test_old_tombstones_are_forgotten_at_the_start_and_young_ones_are_not(open_store: Callable[..., Store]) -> None:
    store = open_store(tombstone_s=1000)
    store.delete("ann", "a", 5)
    store.close()
    for later_s, left in ((900, 1), (1100, 0)):
        later = Store(LaterWorld(later_s), store.folder, tombstone_s=1000)
        assert len(later.inventory()[2]) == left
        later.close()
    put(again := open_store(tombstone_s=1000), "a", b"1", 1)
    assert check(again) == {"a": {1: b"1"}}


def test_the_journal_is_begun_anew_while_the_store_runs(open_store: Callable[..., Store]) -> None:
    store = open_store()
    put(store, "kept", b"kept", 1)
    sizes = []
    for version in range(1, 1300):
        put(store, "a", b"%d" % version, version, keep=2)
        sizes.append(store._journal.lines)
    assert max(sizes) < 1020 and min(sizes[1100:]) < 300
    expected = {"kept": {1: b"kept"}, "a": {1298: b"1298", 1299: b"1299"}}
    assert check(store) == expected
    store._held.close()  # as a process that is killed
    assert check(Store(RealWorld(), store.folder)) == expected


def test_an_overwrite_moves_the_old_version_away_durably_before_the_new_one_gets_the_name(
    step_world: Callable[..., Any], new_folder: Callable[[], str]
) -> None:
    world = step_world()
    store = Store(world, new_folder())
    put(store, "x", b"first", 1)
    put(store, "x", b"second", 2)
    world.steps.steps.clear()
    put(store, "x", b"third", 3, keep=2)
    world.steps.steps.append("answer")
    store.close()
    assert world.steps.steps[: world.steps.steps.index("answer")] == [
        "create incoming",
        "write incoming",
        "sync incoming",
        "write journal.jsonl",
        "sync journal.jsonl",
        "rename to 2",
        "sync folder x",
        "rename to x",
        "sync folder ann",
        "remove 1",
        "sync folder x",
        "remove incoming",
    ]


def test_a_bit_that_is_found_flipped_at_a_start_is_put_aside_and_the_version_before_has_the_name(
    tmp_path: pathlib.Path, world: RealWorld
) -> None:
    store = Store(world, str(tmp_path / "server"))
    for contents in (b"one", b"two"):
        incoming = store.begin("ann", "a", 3)
        incoming.write([memoryview(contents)])
        incoming.commit(blake3(contents).hexdigest())
    store._journal.close()  # it is killed: nothing more is noted
    store._held.close()
    (tmp_path / "server/Backups/ann/a").write_bytes(b"twO")
    for _ in range(2):
        said: list[str] = []
        again = Store(world, str(tmp_path / "server"), say=said.append)
        assert [(file.version, file.size) for file in again.files()] == [(1, 3)]
        assert (tmp_path / "server/Backups/ann/a").read_bytes() == b"one" and again.report()[1] == 3
        assert [path.read_bytes() for path in (tmp_path / "server/Quarantine/ann/a").iterdir()] == [b"twO"]
        again.close()
    assert said == []
    assert not (tmp_path / "server/Versions/ann").exists()
