"""An older version is never given for the newest while the manager knows that there is a newer one."""

from __future__ import annotations

import pytest

from rpclab.errors import NoSuchFile
from rpclab.manager.directory import Directory
from rpclab.manager.placement import fewest_bytes
from rpclab.records import LIFE_BITS, FileRecord, ServerRecord

HERE, THERE = ("127.0.0.1", 1), ("127.0.0.1", 2)


def file(version: int, *, deleted: bool = False) -> FileRecord:
    return FileRecord("ann", "a", 5, f"digest {version}", version, deleted=deleted)


def register(directory: Directory, address: tuple[str, int], *versions: int) -> None:
    directory.add(ServerRecord(f"server{address[1]}", address, 0))
    directory.add_files(address, map(file, versions))


@pytest.fixture
def directory() -> Directory:
    """The newest version is on one server, an older one on another."""
    directory = Directory(policy=fewest_bytes, policy_name="fewest-bytes", reservation_s=60.0)
    register(directory, HERE, 3)
    register(directory, THERE, 7)
    return directory


def newest(directory: Directory) -> int:
    return directory.locate("ann", "a").file.version


@pytest.mark.parametrize("how", ["its server went", "it was damaged"])
def test_while_the_newest_version_is_missing_only_an_explicit_one_is_given(directory: Directory, how: str) -> None:
    if how == "its server went":
        directory.remove(THERE)
    else:
        directory.update(THERE, stored_bytes=0, report=1, removed=[file(7)])
    with pytest.raises(
        NoSuchFile, match=r"the newest version of 'ann/a', 0.7: wait until one is back, .* or ask for 0.3"
    ):
        newest(directory)
    assert directory.locate("ann", "a", 3).file.version == 3
    assert [location.file.version for location in directory.versions("ann", "a")] == [3]


def test_it_is_there_again_with_its_server_or_with_a_newer_one(directory: Directory) -> None:
    directory.remove(THERE)
    register(directory, THERE, 7)
    assert newest(directory) == 7
    directory.remove(THERE)
    directory.update(HERE, stored_bytes=5, report=1, stored=[file(8)])
    assert newest(directory) == 8
    directory.update(HERE, stored_bytes=5, report=2, removed=[file(3)])
    assert newest(directory) == 8


def test_what_was_deleted_is_not_missed(directory: Directory) -> None:
    directory.remove(THERE)
    directory.update(HERE, stored_bytes=5, report=1, stored=[file(7, deleted=True)])
    with pytest.raises(NoSuchFile, match="no server that is alive holds 'ann/a'"):
        newest(directory)
    directory.update(HERE, stored_bytes=5, report=2, stored=[file(9)])
    assert newest(directory) == 9
    directory.update(HERE, stored_bytes=5, report=3, stored=[file(11, deleted=True)], removed=[file(9)])
    directory.update(HERE, stored_bytes=5, report=4, stored=[file(12)])
    assert newest(directory) == 12


def test_an_older_version_that_goes_is_not_missed(directory: Directory) -> None:
    directory.remove(HERE)
    assert newest(directory) == 7


def test_what_a_server_stores_that_was_taken_for_gone_is_newer(directory: Directory) -> None:
    """Its connection is not there yet, its report is: found by the simulation (seed 30177)."""
    directory.remove(THERE)
    directory.update(THERE, stored_bytes=5, report=1, stored=[file(9)])
    register(directory, THERE, 7)
    with pytest.raises(NoSuchFile, match=r"the newest version of 'ann/a', 0.9"):
        newest(directory)
    assert directory.next_version() > 9
    register(directory, THERE, 7, 9)
    assert newest(directory) == 9
    directory.remove(THERE)
    directory.update(THERE, stored_bytes=0, report=2, stored=[file(11, deleted=True)])
    with pytest.raises(NoSuchFile, match="holds 'ann/a'"):
        newest(directory)


def test_what_a_server_stores_in_a_life_that_has_not_registered_yet_is_newer(directory: Directory) -> None:
    """It was started again, and is quicker to store a file than to tell all that it has (seed 120053)."""
    directory.update(THERE, stored_bytes=5, report=(3 << LIFE_BITS) + 1, stored=[file(9)])
    with pytest.raises(NoSuchFile, match=r"the newest version of 'ann/a', 0.9"):
        newest(directory)
    assert directory.locate("ann", "a", 7).file.version == 7
    register(directory, THERE, 7, 9)
    assert newest(directory) == 9


def test_a_version_that_only_a_client_knows_of_is_newer_if_it_was_handed_out(directory: Directory) -> None:
    directory.note_version("ann", "a", 2**60)
    assert newest(directory) == 7 and directory.next_version() == 8
    directory.note_version("ann", "a", 6)
    assert newest(directory) == 7
    directory.note_version("ann", "a", 8)
    with pytest.raises(NoSuchFile, match=r"the newest version of 'ann/a', 0.8"):
        newest(directory)
    directory.update(HERE, stored_bytes=5, report=1, stored=[file(8)])
    assert newest(directory) == 8
