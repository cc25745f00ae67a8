"""What a class has handed in for a lab: a folder with a file or a folder for each student."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

from ..errors import UsageError

__all__ = ["HandedIn", "handed_in"]

_ENDINGS = (".py", ".ipynb")


@dataclass(frozen=True, slots=True)
class HandedIn:
    """One student's. `path` is None when there is nothing that could be this lab."""

    student: str
    path: pathlib.Path | None


def handed_in(folder: str | pathlib.Path, lab: str) -> list[HandedIn]:
    """Every student's submission of a lab, by name: `FOLDER/ada/lab2.py`, `FOLDER/ada/lab2-anything.ipynb`, or `FOLDER/ada.py`.

    Of a module and a notebook in one folder the module counts, of several notebooks the newest. Errors: UsageError.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder} with submissions")
    found: dict[str, HandedIn] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "_")):
            continue
        if entry.is_dir():
            found[entry.name] = HandedIn(entry.name, _in_folder(entry, lab))
        elif entry.suffix in _ENDINGS:
            found.setdefault(entry.stem, HandedIn(entry.stem, entry))
    if not found:
        raise UsageError(
            f"{folder} holds no submissions: a folder or a file for each student is looked for, as in {folder / 'ada' / lab}.py"
        )
    return list(found.values())


def _in_folder(folder: pathlib.Path, lab: str) -> pathlib.Path | None:
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix in _ENDINGS]
    files = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    named = [path for path in files if path.stem.lower().startswith(lab)] or (files if len(files) == 1 else [])
    modules = [path for path in named if path.suffix == ".py"]
    chosen = sorted(modules or named, key=lambda path: (path.stat().st_mtime, path.name))
    return chosen[-1] if chosen else None
