"""The store: a file is in it whole, durable and under its name, or not at all."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import pytest
from blake3 import blake3

from rpclab.errors import (
    DigestMismatch,
    DiskFull,
    FolderNotUsable,
    NameCollision,
    NameRefused,
    NoSuchFile,
    QuotaExceeded,
    StorageError,
    SyncFailed,
)
from rpclab.records import FileRecord
from rpclab.server.store import Store
from rpclab.world.real import RealWorld


@pytest.fixture
def folder(new_folder: Callable[[], str]) -> str:
    return new_folder()


@pytest.fixture
def store(world: RealWorld, folder: str) -> Iterator[Store]:
    opened = Store(world, folder)
    yield opened
    opened.close()


@pytest.fixture
def reopen(world: RealWorld, folder: str) -> Iterator[Callable[..., Store]]:
    """Close a store and open another one on the same folder, as a restart does."""
    last: list[Store] = []

    def again(store: Store | None = None, **options: object) -> Store:
        for each in (store, *last):
            if each is not None:
                each.close()
        last.append(Store(world, folder, **options))  # type: ignore[arg-type]
        return last[-1]

    yield again
    for each in last:
        each.close()


def put(store: Store, name: str, contents: bytes, client: str = "ann", version: int = 0, keep: int = 1) -> FileRecord:
    incoming = store.begin(client, name, len(contents), version, keep=keep)
    if contents:
        incoming.write([memoryview(contents)])
    return incoming.commit(blake3(contents).hexdigest())


def contents(store: Store, name: str, client: str = "ann") -> bytes:
    file, reader = store.open(client, name)
    try:
        data = bytearray(file.size)
        done = 0
        while count := reader.read_into(memoryview(data)[done:]):
            done += count
        return bytes(data[:done])
    finally:
        reader.close()


def on_disk(store: Store) -> dict[str, bytes]:
    root = pathlib.Path(store.folder, "Backups")
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def waiting(store: Store) -> list[str]:
    return [path.name for path in pathlib.Path(store.folder, "Incoming").iterdir()]


# ---- storing


def test_a_stored_file_lies_readable_under_its_client_and_name(store: Store) -> None:
    file = put(store, "course/week 1.txt", b"one")
    assert (file.size, file.version, file.digest) == (3, 1, blake3(b"one").hexdigest())
    assert on_disk(store) == {"ann/course/week 1.txt": b"one"}
    assert store.get("ann", "course/week 1.txt") == file
    assert contents(store, "course/week 1.txt") == b"one"
    assert waiting(store) == []


def test_nothing_shows_before_the_commit_and_nothing_after_a_discard(store: Store) -> None:
    incoming = store.begin("ann", "a", 6)
    incoming.write([memoryview(b"abc")])
    assert on_disk(store) == {} and store.files() == []
    incoming.discard()
    incoming.discard()
    assert (on_disk(store), waiting(store), store.report()[1]) == ({}, [], 0)


def test_a_file_sent_again_replaces_the_first_and_counts_once(store: Store) -> None:
    put(store, "a", b"first version")
    again = put(store, "a", b"second")
    assert (again.version, store.files(), store.report()[1]) == (2, [again], 6)
    assert on_disk(store) == {"ann/a": b"second"}


def test_an_older_version_that_arrives_late_does_not_replace_a_newer_one(store: Store) -> None:
    newer = put(store, "a", b"newer", version=5)
    assert put(store, "a", b"older", version=4) == newer
    assert on_disk(store) == {"ann/a": b"newer"} and waiting(store) == []


def test_who_reads_while_the_file_is_replaced_reads_the_contents_he_opened(store: Store) -> None:
    put(store, "a", b"first")
    file, reader = store.open("ann", "a")
    put(store, "a", b"other")
    data = bytearray(file.size)
    assert reader.read_into(memoryview(data)) == 5 and bytes(data) == b"first"
    reader.close()


def test_two_clients_may_use_one_name(store: Store) -> None:
    put(store, "a", b"from ann", client="ann")
    put(store, "a", b"from bob", client="bob")
    assert on_disk(store) == {"ann/a": b"from ann", "bob/a": b"from bob"}


@pytest.mark.parametrize("sent", [b"abc", b""])
def test_fewer_bytes_than_announced_are_not_stored(store: Store, sent: bytes) -> None:
    put(store, "a", b"before")
    incoming = store.begin("ann", "a", 4)
    incoming.write([memoryview(sent)])
    with pytest.raises(DigestMismatch, match="announced with 4 bytes"):
        incoming.commit(blake3(sent).hexdigest())
    assert on_disk(store) == {"ann/a": b"before"} and waiting(store) == []


def test_more_bytes_than_announced_are_not_taken(store: Store) -> None:
    incoming = store.begin("ann", "a", 2)
    with pytest.raises(StorageError, match="more than that came"):
        incoming.write([memoryview(b"abc")])
    incoming.discard()
    assert on_disk(store) == {} and waiting(store) == []


def test_verify_reads_the_contents_again(store: Store) -> None:
    file = put(store, "a", b"contents")
    assert store.verify("ann", "a") == (file, file.digest)
    pathlib.Path(store.folder, "Backups/ann/a").write_bytes(b"c0ntents")
    assert store.verify("ann", "a") == (file, blake3(b"c0ntents").hexdigest())


# ---- deleting


def test_a_deleted_file_is_gone_with_its_empty_folders(store: Store) -> None:
    put(store, "x/y/a", b"1")
    put(store, "x/b", b"22")
    _, removed = store.delete("ann", "x/y/a")
    assert [file.size for file in removed] == [1]
    assert (on_disk(store), store.report()[1]) == ({"ann/x/b": b"22"}, 2)
    assert not pathlib.Path(store.folder, "Backups/ann/x/y").exists()
    with pytest.raises(NoSuchFile):
        store.delete("ann", "x/y/a")


def test_a_folder_with_something_of_a_persons_own_is_left_when_its_last_file_is_deleted(store: Store) -> None:
    put(store, "x/a", b"1")
    pathlib.Path(store.folder, "Backups/ann/x/link").symlink_to("/nowhere")
    store.delete("ann", "x/a")
    assert store.files() == [] and pathlib.Path(store.folder, "Backups/ann/x/link").is_symlink()


@pytest.mark.parametrize(("first", "second"), [("x", "x/y"), ("x/y", "x")])
def test_a_deleted_files_name_may_become_a_folder_and_the_other_way_round(
    store: Store, reopen: Callable[..., Store], first: str, second: str
) -> None:
    put(store, first, b"file")
    store.delete("ann", first)
    put(store, second, b"other")
    again = reopen(store)
    assert on_disk(again) == {f"ann/{second}": b"other"}
    assert [file.name for file in again.files()] == [second]


# ---- names


@pytest.mark.parametrize(
    ("stored", "refused"),
    [("Straße", "STRASSE"), ("a", "A"), ("\u00e9", "\u00c9"), ("x", "x/y"), ("x/y", "x"), ("X/y", "x")],
)
def test_names_that_some_system_takes_for_one_collide(store: Store, stored: str, refused: str) -> None:
    put(store, stored, b"here first")
    with pytest.raises(NameCollision):
        store.begin("ann", refused, 1)
    assert on_disk(store) == {f"ann/{stored}": b"here first"}
    put(store, "something else", b"goes on")


def test_composed_and_decomposed_spellings_are_one_file(store: Store) -> None:
    put(store, "e\u0301", b"1")
    put(store, "\u00e9", b"22")
    assert on_disk(store) == {"ann/\u00e9": b"22"}


def test_two_that_began_with_colliding_names_do_not_both_commit(store: Store) -> None:
    one, two = store.begin("ann", "a", 1), store.begin("ann", "A", 1)
    for each in (one, two):
        each.write([memoryview(b"1")])
    one.commit(blake3(b"1").hexdigest())
    with pytest.raises(NameCollision):
        two.commit(blake3(b"1").hexdigest())
    assert on_disk(store) == {"ann/a": b"1"} and waiting(store) == []


@pytest.mark.parametrize(("client", "name"), [("ann", "../up"), ("..", "a"), ("ann/bob", "a"), ("", "a"), ("ann", "")])
def test_names_that_leave_the_folder_are_refused(store: Store, client: str, name: str) -> None:
    with pytest.raises(NameRefused):
        store.begin(client, name, 1)
    assert waiting(store) == []


# ---- room


def test_the_quota_counts_what_is_stored_and_what_is_arriving(reopen: Callable[..., Store]) -> None:
    store = reopen(quota_bytes=10)
    put(store, "a", b"1234")
    arriving = store.begin("ann", "b", 4)
    with pytest.raises(QuotaExceeded, match="the quota is 10"):
        store.begin("ann", "c", 3)
    arriving.discard()
    put(store, "c", b"123456")
    put(store, "c", b"654321")  # replacing needs no room beside what it replaces
    put(store, "nothing", b"")
    assert store.report()[1] == 10


def test_a_file_of_unknown_size_is_stopped_at_the_quota_and_its_room_is_free_again(
    reopen: Callable[..., Store],
) -> None:
    store = reopen(quota_bytes=10)
    for _ in range(3):
        incoming = store.begin("ann", "a", -1)
        incoming.write([memoryview(b"12345678")])
        with pytest.raises(QuotaExceeded):
            incoming.write([memoryview(b"1234")])
        incoming.discard()
    with pytest.raises(QuotaExceeded):  # no refusal has made the quota larger
        store.begin("ann", "b", 11)
    put(store, "b", b"0123456789")


def test_a_file_larger_than_the_disk_is_refused_before_it_is_sent(store: Store) -> None:
    with pytest.raises(DiskFull, match="bytes free"):
        store.begin("ann", "a", 1 << 60)
    assert waiting(store) == []


# ---- the folder


def test_a_second_store_on_one_folder_is_refused_and_a_closed_one_makes_way(
    world: RealWorld, store: Store, reopen: Callable[..., Store]
) -> None:
    with pytest.raises(FolderNotUsable, match="another running node"):
        Store(world, store.folder)
    reopen(store)


def test_a_store_that_could_not_be_opened_lets_go_of_its_folder(world: RealWorld, folder: str) -> None:
    pathlib.Path(folder).mkdir(parents=True)
    journal = pathlib.Path(folder, "journal.jsonl")
    journal.mkdir()
    with pytest.raises(StorageError):
        Store(world, folder)
    journal.rmdir()
    Store(world, folder).close()


def test_a_file_in_the_way_of_the_folder_is_a_clear_error(world: RealWorld, folder: str) -> None:
    pathlib.Path(folder).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(folder).write_text("in the way")
    with pytest.raises(FolderNotUsable, match="folder"):
        Store(world, folder)


# ---- starting again


def test_a_restart_forgets_nothing(store: Store, reopen: Callable[..., Store]) -> None:
    put(store, "a", b"one")
    put(store, "a", b"two")
    put(store, "x/b", b"", client="bob")
    put(store, "gone", b"gone")
    store.delete("ann", "gone")
    before = store.files()
    again = reopen(store)
    assert again.files() == before
    assert reopen().files() == before


def test_half_a_file_in_incoming_is_removed_at_the_start(store: Store, reopen: Callable[..., Store]) -> None:
    pathlib.Path(store.folder, "Incoming/half").write_bytes(b"hal")
    assert waiting(reopen(store)) == []


@pytest.mark.parametrize("damage", [b"\x00" * 30, b"half a li", b"0123456789abcdef {}\n", b"\xff\xfe\n", b"{}\n"])
def test_a_torn_or_damaged_journal_line_costs_no_other_file(
    store: Store, reopen: Callable[..., Store], damage: bytes
) -> None:
    put(store, "a", b"one")
    with open(f"{store.folder}/journal.jsonl", "ab") as journal:
        journal.write(damage)
    put_after = reopen(store)
    put(put_after, "b", b"two")
    again = reopen()
    assert [(file.name, contents(again, file.name)) for file in again.files()] == [("a", b"one"), ("b", b"two")]


def test_a_damaged_line_in_the_middle_leaves_its_file_there_as_one_that_was_copied_in(
    store: Store, reopen: Callable[..., Store]
) -> None:
    for name in ("a", "b", "c"):
        put(store, name, name.encode())
    path = pathlib.Path(store.folder, "journal.jsonl")
    lines = path.read_bytes().split(b"\n")
    damaged = [line.replace(b'"b"', b'"x"') for line in lines]
    path.write_bytes(b"\n".join(damaged))
    assert [(file.name, file.version) for file in reopen(store).files()] == [("a", 1), ("b", 1), ("c", 1)]


def test_a_lost_journal_loses_no_file(store: Store, reopen: Callable[..., Store]) -> None:
    put(store, "a", b"one")
    store.close()
    pathlib.Path(store.folder, "journal.jsonl").unlink()
    assert [file.digest for file in reopen().files()] == [blake3(b"one").hexdigest()]


def test_files_that_were_copied_in_by_hand_are_taken_in(store: Store, reopen: Callable[..., Store]) -> None:
    root = pathlib.Path(store.folder, "Backups")
    (root / "bob/photos").mkdir(parents=True)
    (root / "bob/photos/1.png").write_bytes(b"png")
    (root / "beside.txt").write_bytes(b"in no client's folder")
    (root / "bob/CON").write_bytes(b"a name that is refused")
    (root / "bob/link").symlink_to("/etc/passwd")
    said: list[str] = []
    again = reopen(store, say=said.append)
    assert [(file.client, file.name) for file in again.files()] == [("bob", "photos/1.png")]
    assert any("taken in" in line for line in said) and any("left alone" in line for line in said)


def test_a_changed_file_no_longer_counts_however_often_the_server_starts(
    store: Store, reopen: Callable[..., Store]
) -> None:
    put(store, "a", b"as it was sent")
    put(store, "b", b"untouched")
    pathlib.Path(store.folder, "Backups/ann/a").write_bytes(b"edited by somebody")
    said: list[str] = []
    again = reopen(store, say=said.append)
    assert [file.name for file in again.files()] == ["b"] and any("no longer counts" in line for line in said)
    assert [file.name for file in reopen().files()] == ["b"]
    put(again := reopen(), "a", b"sent again")
    assert contents(again, "a") == b"sent again"
    assert [file.name for file in reopen().files()] == ["a", "b"]


def test_a_file_that_was_removed_by_hand_is_missed_in_words(store: Store, reopen: Callable[..., Store]) -> None:
    put(store, "a", b"one")
    pathlib.Path(store.folder, "Backups/ann/a").unlink()
    said: list[str] = []
    assert reopen(store, say=said.append).files() == []
    assert any("gone from the disk" in line for line in said)


def test_a_file_that_was_removed_by_hand_can_be_stored_again(store: Store, reopen: Callable[..., Store]) -> None:
    put(store, "a", b"one", keep=2)
    pathlib.Path(store.folder, "Backups/ann/a").unlink()
    put(store, "a", b"two", keep=2)
    assert contents(store, "a") == b"two"
    assert [file.version for file in reopen(store).files()] == [2]


def test_the_journal_does_not_grow_for_ever(store: Store, reopen: Callable[..., Store]) -> None:
    for _ in range(100):
        put(store, "a", b"again")
    again = reopen(store)
    assert len(pathlib.Path(again.folder, "journal.jsonl").read_bytes().splitlines()) == 1
    assert again.get("ann", "a").version == 100


# ---- what is durable when


def test_a_file_is_synced_noted_renamed_and_only_then_acknowledged(step_world: Callable, folder: str) -> None:
    world = step_world()
    store = Store(world, folder)
    put(store, "a", b"first")
    world.steps.steps.clear()
    put(store, "a", b"second")
    steps = list(world.steps.steps)
    store.close()
    assert steps == [
        "create incoming",
        "write incoming",
        "sync incoming",
        "write journal.jsonl",
        "sync journal.jsonl",
        "rename to a",
        "sync folder ann",
        "remove incoming",
    ]


def test_a_failed_sync_is_never_tried_again_on_the_same_file(tmp_path: pathlib.Path, world: RealWorld) -> None:
    writer = world.disk.create(str(tmp_path / "a"))
    writer._usable = False  # type: ignore[attr-defined] - what a failed fsync leaves; a real disk can't be made to fail here
    with pytest.raises(SyncFailed, match="send it again"):
        writer.sync()
    writer.close()
