"""The record of a running cluster, in its run folder: so that the next start, another notebook or the command line finds it.

Only processes that stand in a record, by number and by when they began, are ever ended by this kit.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

import msgspec
import psutil

from ..config import Address
from ..errors import ClusterRunning, FolderNotUsable, NotRunning
from ..running import data_folder, write_whole
from ..world.real_disk import RealDisk
from .process import identity, is_same

__all__ = [
    "Record",
    "drop_record",
    "load_record",
    "owned_by_me",
    "record_file",
    "run_folder",
    "save_record",
    "starting",
    "take_over",
]

_GRACE_S = 3.0  # how long left-over processes may take to end by themselves


class Record(msgspec.Struct):
    """Who started a cluster, its processes, and how to reach its manager."""

    owner: dict[str, float]
    processes: dict[str, dict[str, float]] = {}
    addresses: dict[str, Address] = {}
    settings: dict[str, str | int | bool | None] = {}
    certificates: str | None = None  # their folder, in a cluster that speaks TLS


def run_folder(data: str | os.PathLike[str] | None, name: str) -> pathlib.Path:
    """Where a cluster of this name keeps its record, logs and event logs."""
    return pathlib.Path(data_folder(data)) / "runs" / name


def record_file(folder: pathlib.Path) -> pathlib.Path:
    """Where the record stands as long as the cluster of that run folder runs."""
    return folder / "cluster.json"


@contextlib.contextmanager
def starting(folder: pathlib.Path) -> Iterator[None]:
    """Hold the right to start a cluster in a run folder, which is beside it: the folder itself is emptied meanwhile.

    Errors: ClusterRunning if somebody else, of this process too, holds it; FolderNotUsable.
    """
    path = folder.with_name(f"{folder.name}.starting")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise FolderNotUsable(f"cannot write {path}: {error.strerror}; choose another data folder") from None
    try:
        lock = RealDisk().lock(str(path))
    except FolderNotUsable:
        raise ClusterRunning(
            f"a cluster is just being started in {folder}: wait for it, or give this one another name= and data="
        ) from None
    with contextlib.closing(lock):
        yield


def save_record(folder: pathlib.Path, record: Record) -> None:
    write_whole(record_file(folder), msgspec.json.encode(record).decode())


def load_record(folder: pathlib.Path) -> Record:
    """The record of the cluster that runs there; raises NotRunning."""
    try:
        record = msgspec.json.decode(record_file(folder).read_bytes(), type=Record)
    except (FileNotFoundError, NotADirectoryError):
        raise NotRunning(
            f"no cluster runs in {folder}: start one (rpclab up, or LocalCluster() in a notebook)"
        ) from None
    except msgspec.MsgspecError as error:
        raise NotRunning(f"the record in {folder} is damaged ({error}): start the cluster anew") from None
    if not any(is_same(each) for each in record.processes.values()):
        raise NotRunning(
            f"the cluster in {folder} has ended: start it again (rpclab up, or LocalCluster() in a notebook)"
        )
    return record


def drop_record(folder: pathlib.Path) -> None:
    """Remove the record of a cluster that has ended; one of the same name that was started since keeps its own."""
    try:
        load_record(folder)
    except NotRunning:
        record_file(folder).unlink(missing_ok=True)


def take_over(folder: pathlib.Path) -> None:
    """Make way for a new cluster: end what is left of the one recorded there. Raises ClusterRunning if somebody else runs it."""
    try:
        record = load_record(folder)
    except NotRunning:
        return
    owner = is_same(record.owner)
    if owner is not None and owner.pid != os.getpid():
        raise ClusterRunning(
            f"the cluster in {folder} is already running, started by process {owner.pid}: stop it there (or: rpclab down), "
            "or give this one another name= or data="
        )
    left = [process for each in record.processes.values() if (process := is_same(each)) is not None]
    if owner is not None:  # this very process: a cell that was run again
        _end(left)
    else:  # its parent is dead, so the children are ending by themselves, if their time goes on
        _resume(left)
        _, left = psutil.wait_procs(left, timeout=_GRACE_S)
        _end(left)
    record_file(folder).unlink(missing_ok=True)


def _resume(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.resume()


def _end(processes: list[psutil.Process]) -> None:
    _resume(processes)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(processes, timeout=_GRACE_S)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=_GRACE_S)


def owned_by_me() -> dict[str, float]:
    return identity(os.getpid())
