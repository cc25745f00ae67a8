"""The system's errors about files, turned into ours: what could not be done, to which path, and what to do."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from ..errors import DiskFull, FolderNotUsable, NameRefused, NoSuchFile, StorageError

__all__ = ["FULL", "system_errors"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) if os.name == "posix" else (errno.ENOSPC,)
"""The numbers that mean "there is no room"."""


@contextlib.contextmanager
def system_errors(path: str, doing: str) -> Iterator[None]:
    """Turn the system's errors into ours, with the path and what was being done to it."""
    try:
        yield
    except FileNotFoundError:
        raise NoSuchFile(f"cannot {doing} {path}: there is no such file or folder") from None
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in FULL:
            raise DiskFull(f"cannot {doing} {path}: the disk is full ({reason})") from None
        if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ):
            raise NameRefused(f"cannot {doing} {path}: this disk does not take the name ({reason})") from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
            raise FolderNotUsable(
                f"cannot {doing} {path}: {reason}. Check that the folder exists and may be written"
            ) from None
        raise StorageError(f"cannot {doing} {path}: {reason}") from None
