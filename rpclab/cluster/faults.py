"""Faults that are done to a disk from outside, as time does them."""

from __future__ import annotations

import pathlib

from ..errors import NoSuchFile

__all__ = ["flip_bit"]


def flip_bit(server: pathlib.Path, file: str, version: int | None = None) -> pathlib.Path:
    """Flip one bit in the middle of a copy in a server's folder, as a disk that rots does: of the newest version of `file`
    (`client/name`), or of an earlier one. Returns the damaged file's path. Errors: NoSuchFile."""
    path = server / "Backups" / file if version is None else server / "Versions" / file / str(version)
    if not path.is_file() or not path.stat().st_size:
        raise NoSuchFile(f"{server.name} has no copy of {file} with a bit in it ({path})")
    with path.open("r+b") as copy:
        place = path.stat().st_size // 2
        copy.seek(place)
        byte = copy.read(1)[0]
        copy.seek(place)
        copy.write(bytes([byte ^ 1]))
    return path
