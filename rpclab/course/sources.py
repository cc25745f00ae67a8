"""Where the files of a course lie: in the installed package (pyproject.toml has them put there), or in the repository."""

from __future__ import annotations

import pathlib

from ..errors import NoSuchFile

__all__ = ["course_files", "starter", "starters"]

_PACKAGE = pathlib.Path(__file__).parents[1]


def course_files() -> pathlib.Path:
    """The folder with `notebooks/`, `docs/`, `data/clients/` and `environment.yml`. Errors: NoSuchFile."""
    installed, repository = _PACKAGE / "course" / "files", _PACKAGE.parent
    for folder in (installed, repository):
        if (folder / "notebooks" / "labs").is_dir() and (folder / "environment.yml").is_file():
            return folder
    raise NoSuchFile(f"the course's files are neither in {installed} nor in {repository}: install rpclab again")


def starters() -> dict[str, pathlib.Path]:
    """What each lab begins with, by the lab's name. Errors: NoSuchFile."""
    return {path.stem: path for path in sorted((course_files() / "notebooks" / "labs").glob("lab*.py"))}


def starter(lab: str) -> str:
    """The text that everybody began a lab with, "" for one that has none."""
    path = starters().get(lab)
    return "" if path is None else path.read_text(encoding="utf-8")
