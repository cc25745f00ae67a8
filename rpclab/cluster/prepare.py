"""What is done around the start of a cluster's parts: its folder, their certificates, servers that are to begin empty, and the
wait until they are known."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterable

from ..client.session import Client
from ..errors import StartFailed, UsageError
from ..secret import new_secret
from ..world.real import RealWorld
from .process import NodeProcess, wait_until
from .settings import Part

__all__ = ["empty_servers", "fresh_folder", "give_certificates", "wait_listed"]


def fresh_folder(run: pathlib.Path) -> pathlib.Path:
    """Begin a run's folder anew; returns its secret's file."""
    shutil.rmtree(run, ignore_errors=True)
    secret = pathlib.Path(new_secret(run / "secret"))
    (run / "events").mkdir()
    return secret


def wait_listed(servers: set[str], session: Client, manager: NodeProcess, until: float) -> None:
    """Wait until the manager lists these servers, up to a moment of `time.monotonic`. Errors: StartFailed, with its words."""
    missing = set(servers)

    def all_listed() -> bool:
        missing.difference_update(server.node for server in session.list_servers())
        return not missing

    if not wait_until(all_listed, until):
        raise StartFailed(
            f"{', '.join(sorted(missing))} did not register with the manager in time; it said:\n" + manager.log_tail()
        )


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
