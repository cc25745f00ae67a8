"""Files that lie on the disk already, below one folder: what may be chosen, and nothing that leads out of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import NoSuchFile, RpclabError, UsageError

__all__ = ["Picker"]

_MOST = 500  # entries of one folder that are shown


class Picker:
    """Lists folders below a root, and finds the files that were chosen there."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def list(self, folder: str) -> dict[str, Any]:
        """What lies in a folder, named from the root on: folders first. Errors: NoSuchFile, UsageError."""
        path = self._inside(folder)
        if not path.is_dir():
            raise NoSuchFile(f"there is no folder {folder!r} in {self.root}")
        entries = [self._entry(Path(each.path)) for each in os.scandir(path) if not each.name.startswith(".")]
        shown = sorted((each for each in entries if each is not None), key=lambda each: (each["file"], each["name"]))
        return {
            "root": str(self.root),
            "folder": "" if path == self.root else path.relative_to(self.root).as_posix(),
            "entries": shown[:_MOST],
            "more": max(0, len(shown) - _MOST),
        }

    def listed(self, folder: str) -> dict[str, Any]:
        """`list`, or the root with the sentence that says why not."""
        try:
            return {**self.list(folder), "problem": ""}
        except (RpclabError, OSError) as error:
            return {"root": str(self.root), "folder": "", "entries": [], "more": 0, "problem": str(error)}

    def _entry(self, path: Path) -> dict[str, Any] | None:
        """None for what leads out of the root, and for what is neither a file nor a folder."""
        try:
            real = path.resolve()
            if not real.is_relative_to(self.root) or not (real.is_file() or real.is_dir()):
                return None
            return {"name": path.name, "file": real.is_file(), "size": real.stat().st_size if real.is_file() else 0}
        except OSError:
            return None

    def file(self, name: str) -> Path:
        """A file that was chosen. Errors: NoSuchFile, UsageError."""
        path = self._inside(name)
        if not path.is_file():
            raise NoSuchFile(f"there is no file {name!r} in {self.root}")
        return path

    def _inside(self, name: str) -> Path:
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root):
            raise UsageError(f"{name!r} leads out of {self.root}: only what lies in there can be chosen")
        return path
