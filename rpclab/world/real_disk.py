"""Files and folders behind the world's `Disk`, with the errors and the promises of durability that `base.py` states."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import DiskFull, FolderNotUsable, NoSuchFile, SyncFailed
from .base import Buffer, Closeable
from .real_errors import FULL, system_errors
from .real_log import RealLog

__all__ = ["RealDisk"]

_IOV_MAX = 512


def _sync(fd: int) -> None:
    """fsync, and on macOS the call that really empties the drive's cache."""
    if sys.platform == "darwin":
        import fcntl

        with contextlib.suppress(OSError):  # not every file system there has it
            fcntl.fcntl(fd, fcntl.FFULLFSYNC)
            return
    os.fsync(fd)


class RealWriter:
    def __init__(self, path: str, flags: int) -> None:
        self._path = path
        with system_errors(path, "create"):
            self._fd = os.open(path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0), 0o644)
        self._usable = True

    def write(self, buffers: Sequence[Buffer]) -> None:
        with system_errors(self._path, "write"):
            if len(buffers) == 1 or not hasattr(os, "writev"):
                for buffer in buffers:
                    self._write_one(memoryview(buffer))
                return
            for start in range(0, len(buffers), _IOV_MAX):
                self._write_many(buffers[start : start + _IOV_MAX])

    def _write_many(self, buffers: Sequence[Buffer]) -> None:
        written = os.writev(self._fd, buffers)
        for buffer in buffers:
            if written < len(buffer):
                self._write_one(memoryview(buffer)[written:])
            written = max(0, written - len(buffer))

    def _write_one(self, view: memoryview) -> None:
        while view:
            view = view[os.write(self._fd, view) :]

    def sync(self) -> None:
        if not self._usable:
            raise SyncFailed(
                f"{self._path} failed to reach the disk before: what was written may be lost, send it again"
            )
        try:
            _sync(self._fd)
        except OSError as error:
            self._usable = False  # the kernel has forgotten what it could not write: a second sync would lie
            if error.errno in FULL:
                raise DiskFull(f"cannot sync {self._path}: the disk is full") from None
            raise SyncFailed(f"{self._path} did not reach the disk: {error.strerror}") from None

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with system_errors(self._path, "close"):
                os.close(fd)


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting: a pipe that nobody writes into would be waited for without end."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class RealReader:
    def __init__(self, path: str) -> None:
        self._path = path
        with system_errors(path, "read"):
            self._file = open(path, "rb", buffering=0, opener=_open_at_once)  # noqa: SIM115 - closed by close()
            if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
                self._file.close()
                raise FolderNotUsable(f"cannot read {path}: it is no file but a pipe, a socket or a device")
        self._state = self._stat()
        self.size = self._state[0]

    def _stat(self) -> tuple[int, int]:
        state = os.fstat(self._file.fileno())
        return state.st_size, state.st_mtime_ns

    def read_into(self, view: memoryview) -> int:
        with system_errors(self._path, "read"):
            return self._file.readinto(view) or 0

    def changed(self) -> bool:
        return self._stat() != self._state

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True)
class RealEntry:
    name: str
    is_folder: bool
    size: int


class RealLock:
    """An advisory lock on an open file: the system lets go of it when the process ends, however it ends."""

    def __init__(self, path: str) -> None:
        with system_errors(path, "lock"):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(self._fd, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise FolderNotUsable(
                f"another running node uses {os.path.dirname(path)}: stop it, or choose another folder"
            ) from None

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class RealDisk:
    def create(self, path: str) -> RealWriter:
        try:
            return RealWriter(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0))
        except NoSuchFile:
            raise _folder_gone(os.path.dirname(path)) from None

    def append(self, path: str) -> RealWriter:
        return RealWriter(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def open(self, path: str) -> RealReader:
        return RealReader(path)

    def rename(self, old: str, new: str) -> None:
        tries = 1 if os.name == "posix" else 40
        with system_errors(new, "rename to"):
            for left in reversed(range(tries)):
                try:
                    return os.replace(old, new)
                except PermissionError:  # Windows renames over no file that somebody reads just now
                    if not left:
                        raise
                    time.sleep(0.05)

    def remove(self, path: str) -> None:
        with system_errors(path, "remove"):
            if os.path.isdir(path) and not os.path.islink(path):
                os.rmdir(path)
            else:
                os.remove(path)

    def make_folder(self, path: str) -> None:
        missing, folder = [], path
        while folder and not os.path.exists(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        with system_errors(path, "make the folder"):
            for part in reversed(missing):
                with contextlib.suppress(FileExistsError):  # another task was first
                    os.mkdir(part)
                self.sync_folder(os.path.dirname(part) or ".")
            if not os.path.isdir(path):
                raise FolderNotUsable(f"{path} is a file, a folder is needed there")

    def sync_folder(self, path: str) -> None:
        if os.name != "posix":
            return  # Windows has no such call; NTFS keeps names in its own journal
        with system_errors(path, "sync the folder"):
            fd = os.open(path, os.O_RDONLY)
        try:
            _sync(fd)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems sync names by themselves
                raise SyncFailed(f"the names in {path} did not reach the disk: {error.strerror}") from None
        finally:
            os.close(fd)

    def list(self, path: str) -> Sequence[RealEntry]:
        try:
            with system_errors(path, "list"), os.scandir(path) as entries:
                found = [_entry(entry) for entry in entries if _is_plain(entry)]
        except NoSuchFile:
            return []
        return sorted(found, key=lambda entry: entry.name)

    def is_link(self, path: str) -> bool:
        return os.path.islink(path)

    def free_bytes(self, path: str) -> int:
        try:
            with system_errors(path, "ask for the free space of"):
                return _free_bytes(path)
        except NoSuchFile:
            raise _folder_gone(path) from None

    def open_log(self, path: str) -> RealLog:
        return RealLog(path)

    def lock(self, path: str) -> Closeable:
        return RealLock(path)


def _free_bytes(path: str) -> int:
    if hasattr(os, "statvfs"):
        state = os.statvfs(path)
        return state.f_bavail * state.f_frsize
    import shutil  # loads three compressors, which no other system needs

    return shutil.disk_usage(path).free


def _folder_gone(path: str) -> FolderNotUsable:
    return FolderNotUsable(f"the folder {path} is gone: was it removed or moved while its node runs?")


def _is_plain(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file or a folder: not a link, a pipe, a socket or a device."""
    return entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)


def _entry(entry: os.DirEntry[str]) -> RealEntry:
    folder = entry.is_dir(follow_symlinks=False)
    try:
        size = 0 if folder else entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        size = 0  # removed since it was listed
    return RealEntry(entry.name, folder, size)
