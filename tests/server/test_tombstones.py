"""What a store remembers of deleted files, of a manager's epochs, and of files that people put there."""

from __future__ import annotations

import pathlib
import time

import pytest
from blake3 import blake3

from rpclab.errors import NoSuchFile, QuotaExceeded
from rpclab.records import FileRecord
from rpclab.server.journal import Entry
from rpclab.server.store import Store
from rpclab.world.real import RealWorld


def put(store: Store, name: str, contents: bytes, version: int = 0) -> None:
    incoming = store.begin("ann", name, len(contents), version, keep=1)
    try:
        if contents:
            incoming.write([memoryview(contents)])
        incoming.commit(blake3(contents).hexdigest())
    finally:
        incoming.discard()


def again(store: Store) -> Store:
    store.close()
    return Store(RealWorld(), store.folder)


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Store:
    return Store(RealWorld(), str(tmp_path / "server"))


def test_a_tombstone_outlives_restarts_and_keeps_older_copies_out(store: Store) -> None:
    put(store, "a", b"one", version=3)
    tombstone, removed = store.delete("ann", "a", version=7)
    assert [file.version for file in removed] == [3]
    assert store.delete("ann", "never here", version=8)[1] == []
    for _ in range(2):
        with pytest.raises(NoSuchFile, match="deleted while it was sent"):
            put(store, "a", b"late", version=5)
        store = again(store)
        assert tombstone in store.inventory()[2] and store.files() == []
    put(store, "a", b"anew", version=9)
    assert [file.version for file in again(store).files()] == [9]


def test_a_deleted_version_that_a_power_cut_brings_back_is_removed(store: Store) -> None:
    put(store, "a", b"one", version=3)
    store.delete("ann", "a", version=7)
    store._journal.rewrite(store._index.lines())  # of version 3 it says nothing any more
    store.close()
    folder = pathlib.Path(store.folder, "Versions/ann/a")
    folder.mkdir(parents=True)
    for version in (3, 8):
        (folder / str(version)).write_bytes(b"one")
    assert again(store).files() == []
    assert [path.name for path in folder.iterdir()] == ["8"]  # not ours: later than what was deleted


def test_a_version_that_had_made_way_for_a_deleted_one_and_is_brought_back_by_a_power_cut_is_removed(
    store: Store,
) -> None:
    """The disk failed to make durable that version 4 took its name, and that this was removed; the journal was written."""
    put(store, "a", b"one", version=3)
    put(store, "a", b"second", version=4)
    (second,) = store.files()
    tombstone = FileRecord("ann", "a", 0, "", 7, deleted=True, saved=time.time())
    store._journal.append(Entry(tombstone, removed=second))
    store._changes.settled = False  # it was killed: nothing says that all of this was done
    path = pathlib.Path(store.folder, "Backups/ann/a")
    path.write_bytes(b"one")
    for _ in range(2):
        store = again(store)
        assert store.files() == [] and not path.exists()
    path.parent.mkdir()
    path.write_bytes(b"one")  # now that it was gone, it is somebody's own
    (file,) = again(store).files()
    assert file.version > 7


def test_a_file_put_under_a_deleted_name_by_hand_stays(store: Store) -> None:
    for contents in (b"other", b"one"):
        put(store, "a", b"one")
        tombstone, _ = store.delete("ann", "a")
        path = pathlib.Path(store.folder, "Backups/ann/a")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
        for _ in range(2):
            store = again(store)
            (file,) = store.files()
            assert path.read_bytes() == contents and file.version > tombstone.version


def test_an_intact_file_whose_newest_line_in_the_journal_is_damaged_still_counts(store: Store) -> None:
    put(store, "a", b"one")
    put(store, "a", b"second")
    journal = pathlib.Path(store.folder, "journal.jsonl")
    store.close()
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + b"x" + lines[-1])
    store = Store(RealWorld(), store.folder)
    (file,) = store.files()
    assert (file.size, file.digest) == (6, blake3(b"second").hexdigest())
    assert again(store).files() == [file]


def test_a_file_that_is_sent_again_takes_only_the_room_that_it_adds(tmp_path: pathlib.Path) -> None:
    store = Store(RealWorld(), str(tmp_path / "server"), quota_bytes=10)
    put(store, "a", b"123456")
    resent = store.begin("ann", "a", 6, keep=1)
    put(store, "b", b"1234")
    with pytest.raises(QuotaExceeded):
        store.begin("ann", "c", 1)
    resent.discard()
    assert store.report()[1] == 10


def test_an_epoch_only_rises_and_is_durable(store: Store) -> None:
    assert store.epoch == 0
    for epoch, kept in ((3, 3), (2, 3), (4, 4)):
        store.keep_epoch(epoch)
        assert store.epoch == kept
    assert again(store).epoch == 4


def test_a_file_that_was_stored_anew_keeps_its_version_when_the_journal_is_rewritten(store: Store) -> None:
    put(store, "a", b"one", version=3)
    store.delete("ann", "a", version=7)
    put(store, "a", b"anew", version=20)
    for _ in range(3):
        with open(f"{store.folder}/journal.jsonl", "ab") as journal:
            journal.write(b"torn")  # at which the next start writes the journal anew
        store = again(store)
        assert [file.version for file in store.files()] == [20]
