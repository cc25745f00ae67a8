"""The real disk: the system's errors in our words, and nothing that could be waited for without end."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

import pytest

from rpclab.errors import DiskFull, FolderNotUsable, NameRefused, NoSuchFile, StorageError
from rpclab.world.base import walk
from rpclab.world.real_disk import RealDisk

MEBIBYTE = 1 << 20


@pytest.fixture
def disk() -> RealDisk:
    return RealDisk()


def read(disk: RealDisk, path: pathlib.Path) -> bytes:
    reader = disk.open(str(path))
    try:
        data = bytearray(reader.size)
        return bytes(data[: reader.read_into(memoryview(data))])
    finally:
        reader.close()


def test_many_small_buffers_are_written_whole_and_in_order(disk: RealDisk, tmp_path: pathlib.Path) -> None:
    pieces = [os.urandom(number % 7) for number in range(3000)]
    writer = disk.create(str(tmp_path / "a"))
    writer.write([memoryview(piece) for piece in pieces])
    writer.write([memoryview(b"and one")])
    writer.write([])
    writer.sync()
    writer.close()
    writer.close()
    assert read(disk, tmp_path / "a") == b"".join(pieces) + b"and one"


def test_a_new_file_takes_nobodys_place_and_follows_no_link(disk: RealDisk, tmp_path: pathlib.Path) -> None:
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("there", "link"):
        with pytest.raises(FolderNotUsable):
            disk.create(str(tmp_path / name))
    assert (tmp_path / "there").read_text() == "mine" and not (tmp_path / "elsewhere").exists()


def test_errors_name_the_path_and_what_was_done(disk: RealDisk, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NoSuchFile, match=r"cannot read .*/none: there is no such file"):
        disk.open(str(tmp_path / "none"))
    with pytest.raises(FolderNotUsable, match="file/x"):
        disk.create(str(tmp_path / "file/x"))
    with pytest.raises(FolderNotUsable):
        disk.open(str(tmp_path))
    with pytest.raises(FolderNotUsable):
        disk.make_folder(str(tmp_path / "file/x"))
    with pytest.raises(FolderNotUsable, match="a folder is needed"):
        disk.make_folder(str(tmp_path / "file"))
    with pytest.raises(NameRefused):
        disk.create(str(tmp_path / ("x" * 300)))
    with pytest.raises(NoSuchFile):
        disk.remove(str(tmp_path / "none"))
    with pytest.raises(StorageError):
        disk.rename(str(tmp_path / "file"), str(tmp_path))


def test_a_folder_that_was_removed_is_told_as_what_it_is(disk: RealDisk, tmp_path: pathlib.Path) -> None:
    gone = tmp_path / "gone"
    for use in (lambda: disk.free_bytes(str(gone)), lambda: disk.create(str(gone / "file"))):
        with pytest.raises(FolderNotUsable, match=f"the folder {gone} is gone: was it removed"):
            use()


def test_a_rename_replaces_a_file_at_once(disk: RealDisk, tmp_path: pathlib.Path) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "new").write_text("new")
    reader = disk.open(str(tmp_path / "old"))
    disk.rename(str(tmp_path / "new"), str(tmp_path / "old"))
    data = bytearray(3)
    assert (reader.read_into(memoryview(data)), bytes(data), reader.changed()) == (3, b"old", False)
    reader.close()
    assert read(disk, tmp_path / "old") == b"new" and not (tmp_path / "new").exists()


def test_a_reader_sees_that_its_file_was_changed(disk: RealDisk, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    reader = disk.open(str(path))
    assert not reader.changed()
    path.write_bytes(b"1234")
    assert reader.changed()
    reader.close()


def test_a_listing_is_in_order_and_leaves_out_links_and_pipes(disk: RealDisk, tmp_path: pathlib.Path) -> None:
    (tmp_path / "b").write_text("22")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/deep").write_text("1")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert list(walk(disk, str(tmp_path))) == [("a/deep", 1), ("b", 2)]
    assert [entry.name for entry in disk.list(str(tmp_path))] == ["a", "b"]
    assert disk.list(str(tmp_path / "none")) == []
    assert disk.is_link(str(tmp_path / "link")) and not disk.is_link(str(tmp_path / "b"))


def test_a_pipe_is_refused_at_once(disk: RealDisk, tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FolderNotUsable, match="pipe"):
        disk.open(str(tmp_path / "pipe"))


def test_a_lock_belongs_to_one(disk: RealDisk, tmp_path: pathlib.Path) -> None:
    lock = disk.lock(str(tmp_path / "lock"))
    with pytest.raises(FolderNotUsable, match="another running node"):
        disk.lock(str(tmp_path / "lock"))
    lock.close()
    lock.close()
    disk.lock(str(tmp_path / "lock")).close()


def test_folders_are_made_with_their_parents(disk: RealDisk, tmp_path: pathlib.Path) -> None:
    disk.make_folder(str(tmp_path / "a/b/c"))
    disk.make_folder(str(tmp_path / "a/b/c"))
    assert (tmp_path / "a/b/c").is_dir()
    disk.remove(str(tmp_path / "a/b/c"))
    with pytest.raises(StorageError):
        disk.remove(str(tmp_path / "a"))
    disk.sync_folder(str(tmp_path / "a"))


# ---- a disk that is full: a small memory disk of its own


def test_a_full_disk_is_a_clear_error_and_what_was_there_stays(disk: RealDisk, small_disk: pathlib.Path) -> None:
    (small_disk / "before").write_bytes(b"kept")
    writer = disk.create(str(small_disk / "a"))
    with pytest.raises(DiskFull, match=r"cannot write .*/a: the disk is full"):
        for _ in range(20):
            writer.write([memoryview(bytes(MEBIBYTE))])
    writer.close()
    disk.remove(str(small_disk / "a"))
    assert read(disk, small_disk / "before") == b"kept"
    assert disk.free_bytes(str(small_disk)) > MEBIBYTE


def test_a_full_disk_ends_the_event_log_and_not_its_node(
    disk: RealDisk, small_disk: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = disk.open_log(str(small_disk / "log"))
    line = b"x" * 99_999 + b"\n"
    for _ in range(300):
        log.append(line)
    log.close()
    assert capfd.readouterr().err.count("the event log") == 1
    data = (small_disk / "log").read_bytes()
    assert data and data == line * (len(data) // len(line))


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    yield
    if before:
        assert len(os.listdir("/proc/self/fd")) <= before, "a file was left open"
