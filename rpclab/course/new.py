"""Writes a fresh course folder: notebooks, labs with what they begin with, files to back up, the environment."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Iterator

from .. import __version__
from ..errors import FolderNotUsable, UsageError
from ..labs.lab import lab_named
from .sources import course_files, starters

__all__ = ["new_course"]

_PARTS = ("notebooks", "docs", "data/clients")
_ENDINGS = {"notebooks": (".ipynb", ".py"), "docs": (".md", ".png", ".svg"), "data/clients": ()}  # (): any
_HEAD = """# conda env create --file environment.yml && conda activate rpclab
"""
_PAGE = """# Distributed systems, with rpclab

## Once

With conda:

```
conda env create --file environment.yml
conda activate rpclab
```

Or with Python 3.11 or newer alone, in this folder:

```
python -m venv .venv
source .venv/bin/activate          # Windows: .venv\\Scripts\\activate
pip install "{pip}"
```

Then see whether this machine has all that the labs need. It takes about a minute:

```
rpclab course check
```

## Each time

```
jupyter lab notebooks/00-start-here.ipynb
```

The notebooks beside it go on from there. Each lab is a notebook and a module that you edit, beside it in `notebooks/labs/`:

| lab | you need about | you write about |
|---|---|---|
{labs}

The checks run in the notebook, or in a terminal, where a second and third degree of each hint can be had:

```
rpclab check {first} notebooks/labs/{first}.py
rpclab check {first} notebooks/labs/{first}.py --hint 2
```

What you hand in is the module: `{first}.py`.

Public checks are those that you can run. Your teacher may run the same ones with other seeds, sizes and faults.
"""


def new_course(target: str | pathlib.Path, *, package: str | pathlib.Path | None = None) -> list[pathlib.Path]:
    """Write the folder `target`, which must be empty or not be there yet; returns what was written. `package` is a wheel
    of rpclab, for those who cannot get it from an index: it is copied too. Errors: UsageError, FolderNotUsable, NoSuchFile."""
    target, source = pathlib.Path(target), course_files()
    wheel = None if package is None else _wheel(package)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(
            f"{target} is there and is not empty; nothing was written: give a folder that is empty or not there yet"
        )
    try:
        written = [_copied(path, target / path.relative_to(source)) for path in _files(source)]
        if wheel is not None:
            written.append(_copied(wheel, target / wheel.name))
        install = f"rpclab=={__version__}" if wheel is None else f"./{wheel.name}"
        environment = (source / "environment.yml").read_text(encoding="utf-8")
        written.append(_text(target / "environment.yml", _environment(environment, install)))
        written.append(_text(target / "README.md", _page(install)))
    except OSError as error:
        raise FolderNotUsable(f"{error.filename or target} cannot be written: {error.strerror}") from None
    return sorted(written)


def _wheel(package: str | pathlib.Path) -> pathlib.Path:
    path = pathlib.Path(package)
    if path.suffix != ".whl" or not path.name.startswith("rpclab-") or not path.is_file():
        raise UsageError(f"{path} is no wheel of rpclab: in the repository, `pip wheel --no-deps .` makes one")
    return path


def _files(source: pathlib.Path) -> Iterator[pathlib.Path]:
    for part in _PARTS:
        for path in sorted((source / part).rglob("*")):
            names = path.relative_to(source).parts
            if any(name.startswith((".", "_")) for name in names) or not path.is_file():
                continue  # checkpoints, caches
            if part == "docs" and (names[1:2] == ("looks",) or path.suffix == ".py"):
                continue
            if not _ENDINGS[part] or path.suffix in _ENDINGS[part]:
                yield path


def _copied(path: pathlib.Path, to: pathlib.Path) -> pathlib.Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    return pathlib.Path(shutil.copyfile(path, to))  # the contents alone: what is installed may be read-only


def _text(path: pathlib.Path, text: str) -> pathlib.Path:
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _environment(text: str, install: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return _HEAD + "\n".join(line.replace("-e .", install) for line in lines) + "\n"


def _page(install: str) -> str:
    name, bound = ("rpclab", f"=={__version__}") if install.startswith("rpclab==") else (install, "")
    labs = [lab_named(lab) for lab in starters()]
    rows = [f"| {lab.name}: {lab.title} | {lab.minutes} minutes | {lab.lines} lines |" for lab in labs]
    return _PAGE.format(pip=f"{name}[notebook]{bound}", labs="\n".join(rows), first=labs[0].name)
