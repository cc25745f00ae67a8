"""A data folder for one notebook: files to back up, servers of its own, nobody else's backups touched.

    cluster = LocalCluster(data=playground("04-balancing", files=60), ports="free", fresh=True)

It lies in `notebooks/<name>` of the data folder, to be looked into; git passes it over. Two notebooks, with two names, may run
side by side.
"""

from __future__ import annotations

import pathlib
import random
import shutil

from ..errors import NoSuchFile, UsageError
from ..names import check_client
from ..running import data_folder

__all__ = ["playground", "sizes_like_real_ones"]

_LEAST_BYTES, _MOST_BYTES = 4096, 64 << 10


def playground(name: str, *, files: int | None = None, seed: int = 1) -> pathlib.Path:
    """The folder of that name, with files for clients to back up: copies of those in the data folder's `clients/`, beside
    whatever else was put there; or so many made for `client1` and no others, of sizes like real ones (the same seed makes the
    same). What the servers there hold stays; start the cluster with `fresh=True`. Errors: NoSuchFile when there is nothing to
    copy, UsageError."""
    if files is not None and files < 0:
        raise UsageError(f"files={files}: it is 0 at least")
    data = pathlib.Path(data_folder())
    folder = data / "notebooks" / check_client(name)
    if files is None:
        _copy_clients(data, folder)
    else:
        shutil.rmtree(folder / "clients", ignore_errors=True)
        _make_files(folder / "clients" / "client1" / "Files", files, seed)
    return folder


def sizes_like_real_ones(count: int, seed: int = 1) -> list[int]:
    """Sizes in bytes by Pareto's law: many files are small, and a few large ones hold most of the bytes."""
    chance = random.Random(seed)
    return [min(int(_LEAST_BYTES * chance.paretovariate(1.1)), _MOST_BYTES) for _ in range(count)]


def _copy_clients(data: pathlib.Path, folder: pathlib.Path) -> None:
    waiting = [path for path in sorted((data / "clients").glob("*/Files/**/*")) if path.is_file()]
    if not waiting:
        raise NoSuchFile(f"there is nothing to copy: put files into {data / 'clients' / 'client1' / 'Files'}")
    for path in waiting:
        copy = folder / path.relative_to(data)
        if copy.is_file() and copy.stat().st_mtime_ns >= path.stat().st_mtime_ns:
            continue  # the same as ever, or what somebody has put in its place since
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _make_files(folder: pathlib.Path, count: int, seed: int) -> None:
    folder.mkdir(parents=True)
    for number, size in enumerate(sizes_like_real_ones(count, seed), 1):
        contents = random.Random(f"{seed} {number}").randbytes(size)
        (folder / f"file{number:0{len(str(count))}}").write_bytes(contents)
