"""A power cut at every step of a write: only the right order keeps every promise, and the server's own order is one."""

from __future__ import annotations

from typing import Any

import pytest

from rpclab.errors import StorageError
from rpclab.study.crashes import ANSWERED, Crash, crash_points, servers_read, servers_write


def write(disk: Any, path: str, contents: bytes) -> Any:
    file = disk.create(path + ".new")
    file.write([contents])
    return file


def right(disk: Any, path: str, contents: bytes) -> None:
    write(disk, path, contents).sync()
    disk.rename(path + ".new", path)
    disk.sync_folder("files")


def rename_before_sync(disk: Any, path: str, contents: bytes) -> None:
    file = write(disk, path, contents)
    disk.rename(path + ".new", path)
    file.sync()
    disk.sync_folder("files")


def no_folder_sync(disk: Any, path: str, contents: bytes) -> None:
    write(disk, path, contents).sync()
    disk.rename(path + ".new", path)


def in_place(disk: Any, path: str, contents: bytes) -> None:
    disk.remove(path)
    file = disk.create(path)
    file.write([contents])
    file.sync()
    disk.sync_folder("files")


def broken(crashes: list[Crash]) -> set[tuple[str, str]]:
    """Where a promise was broken, and by what was found."""
    allowed = {True: ("new",), False: ("old", "new")}
    return {(c.before, what) for c in crashes for what, n in c.found.items() if n and what not in allowed[c.promised]}


def test_the_right_order_keeps_every_promise() -> None:
    crashes = crash_points(right)
    assert [crash.before for crash in crashes] == [
        "create notes.txt.new",
        "write notes.txt.new",
        "sync notes.txt.new",
        "rename to notes.txt",
        "sync folder files",
        ANSWERED,
    ]
    assert broken(crashes) == set() and not any(crash.bad for crash in crashes)
    assert all(crash.found.total() == 100 for crash in crashes)
    before_the_last = crashes[-2].found
    assert before_the_last["old"] and before_the_last["new"]


def test_renamed_before_it_is_synced_a_file_is_torn() -> None:
    crashes = crash_points(rename_before_sync)
    assert broken(crashes) == {("sync notes.txt.new", "torn")}
    assert [crash.bad > 0 for crash in crashes] == [False, False, False, True, False, False]


def test_without_a_sync_of_the_folder_the_old_file_comes_back_after_the_answer() -> None:
    assert broken(crash_points(no_folder_sync)) == {(ANSWERED, "old")}


def test_written_in_place_a_file_may_be_torn_or_gone() -> None:
    assert {what for _, what in broken(crash_points(in_place))} == {"torn", "gone"}


def test_the_servers_own_order_keeps_every_promise_and_finishes_what_was_noted() -> None:
    crashes = crash_points(servers_write, read=servers_read, cuts=20)
    assert len(crashes) > 8 and broken(crashes) == set()
    renamed = next(crash for crash in crashes if crash.before == "rename to notes.txt")
    assert renamed.found["new"] > 0  # the journal's line is durable: the next start finishes it


def test_no_step_is_done_after_the_power_has_failed() -> None:
    def with_a_finally(disk: Any, path: str, contents: bytes) -> None:
        try:
            write(disk, path, contents)
        finally:
            disk.remove(path)

    crashes = crash_points(with_a_finally)
    assert [crash.found["old"] for crash in crashes[:2]] == [100, 100]


def test_the_same_seed_finds_the_same_and_a_students_error_is_raised() -> None:
    def wrong(disk: Any, path: str, contents: bytes) -> None:
        disk.create(path)

    assert crash_points(in_place) == crash_points(in_place) != crash_points(in_place, seed=2)
    with pytest.raises(StorageError, match="is there already"):
        crash_points(wrong)
