"""Which names a file may have: only those that stay inside the folder and mean the same on Linux, macOS and Windows.

A name is a path with "/" between its parts, so that a folder keeps its tree. Each part obeys the strictest of the three
systems (Microsoft, "Naming Files, Paths, and Namespaces"; POSIX; Unicode Annex 15 for NFC).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache

from .errors import NameCollision, NameRefused, UsageError

__all__ = ["NameTable", "check_client", "check_name", "fold", "path_text"]

PART_BYTES = 255  # what ext4, APFS and NTFS take
NAME_BYTES = 1024  # macOS's longest path
DEPTH = 32
_FORBIDDEN = frozenset('"*:<>?|\\')
_RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{digit}" for port in ("COM", "LPT") for digit in "123456789¹²³"]
)


def path_text(path: object, what: str) -> str:
    """A path on this machine as text, which it or a `pathlib.Path` is given as; raises UsageError for anything else."""
    text = getattr(path, "__fspath__", lambda: path)()
    if not isinstance(text, str) or not text:
        raise UsageError(f"{what}={path!r}: it is a path, a text or a pathlib.Path")
    return text


@lru_cache(maxsize=1024)  # on its way a name is checked by all who hear it, and a client's is in every call
def check_name(name: str) -> str:
    """The name in NFC, as it is stored; raises NameRefused with the reason."""
    if not isinstance(name, str):
        raise NameRefused(f"a name is a text, not {name!r}")
    if not name:
        raise NameRefused("a file needs a name, this one is empty")
    normal = unicodedata.normalize("NFC", name)
    parts = normal.split("/")
    if normal.startswith("/") or (len(normal) > 1 and normal[1] == ":" and normal[0].isalpha()):
        raise _refused(name, "an absolute path; give the name within the folder")
    if len(parts) > DEPTH:
        raise _refused(name, f"more than {DEPTH} folders deep")
    for part in parts:
        _check_part(name, part)
    if len(normal.encode()) > NAME_BYTES:
        raise _refused(name, f"longer than {NAME_BYTES} bytes")
    return normal


def check_client(client: str) -> str:
    """The same for a client's name, which is one folder."""
    if isinstance(client, str) and "/" in client:
        raise _refused(client, "a client's name is one folder, without /")
    return check_name(client)


def fold(name: str) -> str:
    """What two names share that some system takes for the same: NFC, upper and lower case alike."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class NameTable:
    """Names in use, and which other names would hide one of them or be hidden by it."""

    def __init__(self) -> None:
        self._exact: dict[str, str] = {}
        self._below: Counter[str] = Counter()  # how many names lie below each folder

    def add(self, name: str) -> None:
        key = fold(name)
        if key not in self._exact:
            self._below.update(_folders(key))
        self._exact[key] = name

    def discard(self, name: str) -> None:
        key = fold(name)
        if self._exact.get(key) == name:
            del self._exact[key]
            self._below.subtract(_folders(key))

    def check(self, name: str) -> None:
        """Raise NameCollision unless the name is in use as it is, or gets in no other's way."""
        key = fold(name)
        found = self._exact.get(key)
        if found == name:
            return
        if found is not None:
            raise NameCollision(f"{name!r} and the stored {found!r} are one name on some systems: rename one of them")
        if found is None and self._below[key] > 0:
            raise NameCollision(f"{name!r} is a folder here: a file cannot have its name")
        for folder in _folders(key):
            if folder in self._exact:
                raise NameCollision(f"{name!r} would lie in a folder, but {self._exact[folder]!r} is a stored file")


def _folders(key: str) -> list[str]:
    parts = key.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _check_part(name: str, part: str) -> None:
    if part in ("", ".", ".."):
        raise _refused(name, f"the part {part!r} leads to another folder")
    bad = sorted({letter for letter in part if letter in _FORBIDDEN})
    if bad:
        raise _refused(name, f"{' '.join(bad)} is not allowed in names on every system")
    if any(ord(letter) < 32 or 0x7F <= ord(letter) <= 0x9F for letter in part):
        raise _refused(name, "a control character")
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in part):
        raise _refused(name, "half a character (a lone surrogate), which UTF-8 cannot hold")
    if part[-1] in ". ":
        raise _refused(name, "a part ends with a dot or a space, which Windows drops")
    if part.split(".")[0].rstrip(" ").upper() in _RESERVED:
        raise _refused(name, f"{part!r} is a device's name on Windows")
    if len(part.encode()) > PART_BYTES:
        raise _refused(name, f"a part is longer than {PART_BYTES} bytes")


def _refused(name: str, reason: str) -> NameRefused:
    shown = name if len(name) <= 60 else f"{name[:57]}..."
    return NameRefused(f"the name {shown!a} is refused: {reason}")
