"""What is done before the parts of a cluster start: their certificates, and servers that are to begin empty."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterable

from ..errors import UsageError
from ..world.real import RealWorld
from .settings import Part

__all__ = ["empty_servers", "give_certificates"]


def give_certificates(
    parts: Iterable[Part], run: pathlib.Path, given: str | os.PathLike[str] | None, *, document_wire: bool
) -> pathlib.Path:
    """See that every part has its certificate, in the `given` folder or in one made in the run's, and tell it so; returns that
    folder. Errors: UsageError."""
    if document_wire:
        raise UsageError("the description's own wire knows no certificates: choose document_wire or tls")
    from ..certificates import authority, made_if_missing  # here: TLS takes a moment to load

    folder = run / "certificates" if given is None else pathlib.Path(given).expanduser().absolute()
    if given is None:
        authority().make_authority(folder)
    for part in parts:
        made_if_missing(folder, part.node, part.role)
        part.options.extend(["--certificates", str(folder)])
    return folder


def empty_servers(world: RealWorld, data: pathlib.Path, count: int) -> None:
    """Delete what the first `count` servers stored before; raises FolderNotUsable if one of the folders is in use."""
    for number in range(1, count + 1):
        folder = data / "servers" / f"server{number}"
        if folder.exists():
            with contextlib.closing(world.disk.lock(str(folder / "lock"))):
                shutil.rmtree(folder / "Incoming", ignore_errors=True)
                for kept in ("Backups", "Versions", "Quarantine"):
                    for client in (folder / kept).glob("*/"):
                        shutil.rmtree(client, ignore_errors=True)
                (folder / "journal.jsonl").unlink(missing_ok=True)
