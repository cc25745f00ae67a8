"""A disk that somebody has filled takes no more than there is room for, and takes again what was made room for."""

from __future__ import annotations

import pathlib

import pytest

from rpclab.errors import DiskFull
from rpclab.world.limited_disk import LimitedDisk
from rpclab.world.real import RealWorld


@pytest.fixture
def disk(world: RealWorld) -> LimitedDisk:
    return LimitedDisk(world.disk, world.tasks)


def write(disk: LimitedDisk, path: pathlib.Path, data: bytes) -> None:
    writer = disk.create(str(path))
    try:
        writer.write([data])
        writer.sync()
    finally:
        writer.close()


def test_without_a_limit_it_is_the_disk_below(disk: LimitedDisk, world: RealWorld, tmp_path: pathlib.Path) -> None:
    write(disk, tmp_path / "a", bytes(100_000))
    assert (tmp_path / "a").stat().st_size == 100_000
    assert disk.free_bytes(str(tmp_path)) > 0


def test_what_does_not_fit_is_refused_and_what_fits_is_not(disk: LimitedDisk, tmp_path: pathlib.Path) -> None:
    disk.limit(10)
    assert disk.free_bytes(str(tmp_path)) == 10
    write(disk, tmp_path / "a", b"12345678")
    with pytest.raises(DiskFull, match="the disk is full"):
        write(disk, tmp_path / "b", b"123")
    disk.limit(None)
    write(disk, tmp_path / "c", b"123")


def test_what_is_removed_or_replaced_makes_room(disk: LimitedDisk, tmp_path: pathlib.Path) -> None:
    disk.limit(10)
    write(disk, tmp_path / "a", b"12345")
    write(disk, tmp_path / "b", b"12345")
    disk.rename(str(tmp_path / "b"), str(tmp_path / "a"))
    assert disk.free_bytes(str(tmp_path)) == 5
    disk.remove(str(tmp_path / "a"))
    assert disk.free_bytes(str(tmp_path)) == 10
