"""The secret that all nodes of a cluster share: in a file that only this user can read."""

from __future__ import annotations

import contextlib
import os

from .config import SECRET_BYTES
from .errors import FolderNotUsable, UsageError

__all__ = ["SECRET_VARIABLE", "load_secret", "new_secret"]

SECRET_VARIABLE = "RPCLAB_SECRET_FILE"


def new_secret(path: str | os.PathLike[str]) -> str:
    """Write a fresh secret to a file that only this user can read; returns its path."""
    target = os.fspath(path)
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.remove(target)
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(os.urandom(SECRET_BYTES).hex() + "\n")
    except OSError as error:
        raise FolderNotUsable(f"the secret file {target} cannot be written: {error.strerror}") from None
    return target


def load_secret(path: str | None = None) -> bytes:
    """The cluster's secret: from the given file, $RPCLAB_SECRET_FILE, or this user's own file, made at the first use."""
    chosen = path or os.environ.get(SECRET_VARIABLE)
    source = chosen or _own_secret()
    try:
        with open(source, encoding="utf-8", errors="replace") as file:
            text = file.read().strip()
        if os.name == "posix" and os.stat(source).st_mode & 0o077:
            raise UsageError(f"{source} can be read by other users: say chmod 600 {source}")
    except OSError as error:
        raise UsageError(f"the secret file {source} cannot be read: {error.strerror}") from None
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise UsageError(f"{source} holds no secret: {2 * SECRET_BYTES} hexadecimal digits are needed")
    return secret


def _own_secret() -> str:
    from platformdirs import user_data_dir

    path = os.path.join(user_data_dir("rpclab", appauthor=False), "secret")
    if not os.path.exists(path):
        fresh = new_secret(f"{path}.{os.getpid()}")
        try:
            os.link(fresh, path)  # of several parts that start at once, one wins
        except OSError:
            if not os.path.exists(path):
                os.replace(fresh, path)
        with contextlib.suppress(FileNotFoundError):
            os.remove(fresh)
    return path
