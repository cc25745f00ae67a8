"""`rpclab backup` and `rpclab restore`: files and whole folders to the servers, and back."""

from __future__ import annotations

import os
import pathlib
import stat
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click

from ..client.session import Client
from ..errors import NoSuchFile, UsageError
from ..names import fold
from ..records import Location
from ..rpc.files import Progress
from ..text import bytes_text, version_from_text
from .outcomes import Outcome, backed_up, exit_of, for_each, locate, report_problems
from .output import Exit, Output, json_option
from .reach import Reach, reach_options

__all__ = ["backup", "restore"]


class Source(NamedTuple):
    """A file that is to be backed up."""

    path: str
    name: str
    size: int


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=pathlib.Path))
@click.option("--as", "client", metavar="CLIENT", default="client1", help="the client whose files these are [client1]")
@click.option("--replicas", type=click.IntRange(1), help="copies of each file [the cluster's]")
@click.option("--replication", type=click.Choice(["after", "pipeline"]), help="when to copy [the cluster's]")
@click.option("--acknowledge", type=click.Choice(["all", "primary"]), help="copies to wait for [the cluster's]")
@click.option("--contents", is_flag=True, help="leave a folder's own name out of the names of its files")
@reach_options
@json_option
def backup(out: Output, reach: Reach, paths: Sequence[pathlib.Path], client: str, contents: bool, **wish: Any) -> int:
    """Back up files, and folders with all below them.

    A file is stored under its own name. A folder's files are stored under names that begin with the folder's name
    (`rpclab backup photos` stores `photos/2024/sea.jpg`); with --contents, without it (`2024/sea.jpg`). Symbolic links and
    empty folders are left out.
    """
    sources, left_out = _sources(paths, contents)
    with reach.session(client, traced=True) as session:
        outcomes = for_each(
            out,
            "backing up",
            sources,
            lambda source: (client, source.name, source.size),
            lambda source, progress: _back_up(session, source, wish, progress),
        )
    state = exit_of(outcomes)
    out.document(state, client=client, files=outcomes, left_out=left_out)
    out.table(["file", "size", "copies", "servers", "digest"], map(_backup_row, outcomes), right=["size", "copies"])
    held = [outcome for outcome in outcomes if outcome.state != "failed"]
    out.line(f"{out.sizes(len(held), sum(outcome.size or 0 for outcome in held))} of {client} backed up.")
    if left_out:
        out.problem(
            f"left out, as no file or a cluster's own: {', '.join(left_out[:3])}{' ...' if left_out[3:] else ''}"
        )
    report_problems(out, outcomes)
    return state


def _back_up(session: Client, source: Source, wish: dict[str, Any], progress: Progress) -> Outcome:
    return backed_up(lambda: session.backup(source.path, source.name, **wish, progress=progress), source.path)


def _backup_row(outcome: Outcome) -> list[str]:
    size = bytes_text(outcome.size or 0)
    if outcome.servers is None:
        return [outcome.name, size, "", outcome.state, ""]
    copies = f"{len(outcome.servers)} of {outcome.wanted}"
    return [outcome.name, size, copies, ", ".join(outcome.servers), (outcome.digest or "")[:12]]


# ---- what is to be backed up


def _sources(paths: Sequence[pathlib.Path], contents: bool) -> tuple[list[Source], list[str]]:
    """The files that the paths stand for, and the paths that are no files. Errors: NoSuchFile, UsageError."""
    sources: dict[str, Source] = {}
    left_out: list[str] = []
    for path in paths:
        try:
            for source in _below(path, contents, left_out):
                other = sources.setdefault(fold(source.name), source)
                if other.name != source.name:
                    raise UsageError(
                        f"{other.name!a} and {source.name!a} are one name to some systems, for which upper and lower case "
                        "or the form of an accent are alike: rename one, or back them up as two clients (--as)"
                    )
                if other is not source and not os.path.samefile(other.path, source.path):
                    raise UsageError(
                        f"{other.path} and {source.path} would both be stored as {source.name!r}: "
                        "back them up as two clients (--as), or the folder that they are in"
                    )
        except OSError as error:
            reason = f"cannot read {error.filename or path}: {error.strerror}"
            raise NoSuchFile(f"{reason}; nothing was backed up") from None
    return list(sources.values()), left_out


def _below(path: pathlib.Path, contents: bool, left_out: list[str]) -> Iterator[Source]:
    """The files that a path stands for; what vanishes meanwhile is among them, so that its backup is tried, and fails."""
    if not path.is_dir():
        yield Source(str(path), path.name, path.stat().st_size)
        return
    top = "" if contents else f"{path.resolve().name}/".lstrip("/")
    vanished: list[str] = []

    def unreadable(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error
        vanished.append(error.filename)

    for folder, folders, files in os.walk(path, onerror=unreadable):
        folders.sort()
        for own in [one for one in folders if _is_clusters_own(os.path.join(folder, one))]:
            folders.remove(own)
            left_out.append(os.path.join(folder, own))
        for name in sorted([*files, *(one for one in folders if os.path.islink(os.path.join(folder, one)))]):
            whole = pathlib.Path(folder, name)
            try:
                state = whole.lstat()
            except FileNotFoundError:
                vanished.append(str(whole))
                continue
            if stat.S_ISREG(state.st_mode):
                yield Source(str(whole), top + whole.relative_to(path).as_posix(), state.st_size)
            else:
                left_out.append(str(whole))
    for gone in vanished:
        yield Source(gone, top + pathlib.Path(gone).relative_to(path).as_posix(), 0)


def _is_clusters_own(folder: str) -> bool:
    """Whether a server keeps its files there, or a cluster its run with its secret: no backup of backups."""
    try:
        has = set(os.listdir(folder))
    except FileNotFoundError:
        return False  # it has just vanished
    return {"Backups", "Incoming"} <= has or {"secret", "events"} <= has


# ---- restoring


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--client", metavar="CLIENT", default="client1", help="whose files [client1]")
@click.option("--all", "everybody", is_flag=True, help="all files of every client, into DIR/CLIENT/")
@click.option("--to", "folder", metavar="DIR", default="restored", help="the folder to write into [restored]")
@click.option("--version", "shown", metavar="VERSION", help="an earlier version of one file, as ls --versions shows it")
@reach_options
@json_option
def restore(
    out: Output, reach: Reach, names: Sequence[str], client: str, everybody: bool, folder: str, shown: str | None
) -> int:
    """Write stored files back.

    Those named, all in a folder that is named, or, without a name, all of the client's. A file that is already there under
    its name is replaced, whole and at once. The exit status is 0 only if every byte is what was backed up.
    """
    if names and everybody:
        raise UsageError("--all restores everything: leave the names away")
    version = _version(shown, names)
    with reach.session(client, traced=True) as session:
        stored = session.list_files(None if everybody else client)
        locations = locate(session, names, client) if names else list(stored)
        if version is not None:
            locations = [_find(session, names[0], client, version)]
        outcomes = for_each(
            out,
            "restoring",
            locations,
            lambda location: (location.file.client, location.file.name, location.file.size),
            lambda location, progress: _restore(session, location, folder, everybody, version, progress),
        )
    if not outcomes:
        out.problem(f"nothing is backed up{'' if everybody else f' for {client}'}: rpclab ls shows what there is")
    state = exit_of(outcomes) if outcomes else Exit.FAILED
    out.document(state, folder=folder, files=outcomes)
    out.table(["file", "client", "size", "from"], map(_restore_row, outcomes), right=["size"])
    held = [outcome for outcome in outcomes if outcome.state == "restored"]
    out.line(f"{out.sizes(len(held), sum(outcome.size or 0 for outcome in held))} restored into {folder}.")
    report_problems(out, outcomes)
    return state


def _version(shown: str | None, names: Sequence[str]) -> int | None:
    if shown is None:
        return None
    if len(names) != 1:
        raise UsageError("--version is for one file: name it")
    try:
        return version_from_text(shown)
    except ValueError:
        raise UsageError(
            f"{shown!r} is no version: rpclab ls --versions {names[0]} shows those that there are"
        ) from None


def _find(session: Client, name: str, client: str, version: int) -> Location:
    try:
        return session.find(name, client, version)
    except NoSuchFile as error:
        raise NoSuchFile(f"{error.message}: rpclab ls --versions {name} shows those that there are") from None


def _restore(
    session: Client, location: Location, folder: str, everybody: bool, version: int | None, progress: Progress
) -> Outcome:
    file, target = location.file, f"{folder}/{location.file.client}" if everybody else folder
    restored = session.restore(file.name, target, client=file.client, version=version, progress=progress)
    return Outcome(
        client=restored.file.client,
        name=restored.file.name,
        state="restored",
        size=restored.file.size,
        digest=restored.file.digest,
        version=restored.file.version,
        path=restored.path,
        servers=[restored.server],
        problems=[f"passed over {problem}" for problem in restored.problems],
    )


def _restore_row(outcome: Outcome) -> list[str]:
    source = ", ".join(outcome.servers or [outcome.state])
    return [outcome.name, outcome.client, bytes_text(outcome.size or 0), source]
