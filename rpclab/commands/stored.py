"""`rpclab ls`, `verify`, `rm`: what is stored, in which versions, whether it is still what was backed up, and taking it away."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ..client.session import Client
from ..errors import UsageError
from ..records import Location
from ..text import bytes_text, counted, time_text, version_text
from .outcomes import Outcome, exit_of, for_each, locate, report_problems, stored_row
from .output import Exit, Output, json_option, printable
from .reach import Reach, reach_options

__all__ = ["ls", "rm", "verify"]


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--client", metavar="CLIENT", help="only this client's files [all; client1's if you give names]")
@click.option("--versions", is_flag=True, help="every version that is kept, the newest first")
@reach_options
@json_option
def ls(out: Output, reach: Reach, names: Sequence[str], client: str | None, versions: bool) -> int:
    """List the stored files and the servers that hold them.

    With names only those files, and what is in a folder that is named. A version's number is what `restore --version` takes.
    """
    with reach.session("looking") as session:
        found = locate(session, names, client or "client1") if names else list(session.list_files(client))
        newest = len(found)
        if versions:
            found = [each for file in found for each in session.versions(file.file.name, file.file.client)]
    files = [_listed(location) for location in found]
    out.document(Exit.ALL_HELD, files=files)
    size = sum(each.size or 0 for each in files)
    if versions and files:
        out.table(["file", "client", "version", "saved", "size", "servers"], map(_version_row, found), right=["size"])
        out.line(f"{counted(len(files), 'version')} of {counted(newest, 'file')}, {bytes_text(size)}.")
        return Exit.ALL_HELD
    if files:
        out.table(["file", "client", "size", "servers", "digest"], map(stored_row, files), right=["size"])
    out.line(f"{out.sizes(len(files), size)} stored{f' for {client}' if client else ''}.")
    return Exit.ALL_HELD


def _version_row(location: Location) -> list[str]:
    file = location.file
    servers = ", ".join(server.node for server in location.servers)
    return [file.name, file.client, version_text(file.version), time_text(file.saved), bytes_text(file.size), servers]


def _listed(location: Location) -> Outcome:
    file = location.file
    return Outcome(
        client=file.client,
        name=file.name,
        state="stored",
        size=file.size,
        digest=file.digest,
        version=file.version,
        saved=file.saved or None,
        servers=[server.node for server in location.servers],
    )


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--client", metavar="CLIENT", default="client1", help="whose files [client1]")
@click.option("--all", "everybody", is_flag=True, help="all files of every client")
@click.option("--replicas", type=click.IntRange(1), help="copies that each file should have [the cluster's]")
@reach_options
@json_option
def verify(out: Output, reach: Reach, names: Sequence[str], client: str, everybody: bool, replicas: int | None) -> int:
    """Have the servers read files again, and compare.

    Each server that holds a file reads its copies, of every version that is kept, and compares them with what was backed up. A
    damaged copy is put aside on its server and made anew from a sound one.
    """
    if bool(names) == everybody:
        raise UsageError("say which files to verify, or --all")
    with reach.session("looking") as session:
        files = list(session.list_files()) if everybody else locate(session, names, client)
        locations = [each for file in files for each in session.versions(file.file.name, file.file.client)]
        settings = session.manager.getSettings()
        wanted, repairs = int(settings["replicas"]), bool(settings["repair"])
        outcomes = for_each(
            out,
            "verifying",
            locations,
            lambda location: (location.file.client, location.file.name, location.file.size),
            lambda location, progress: _verify(session, location, replicas or location.file.wanted or wanted, repairs),
        )
    state = exit_of(outcomes)
    out.document(state, wanted=replicas or wanted, files=outcomes)
    older = len(locations) > len(files)
    rows = [
        [
            each.name,
            each.client,
            *([version_text(each.version or 0)] if older else []),
            bytes_text(each.size or 0),
            _verdict(each),
        ]
        for each in outcomes
    ]
    out.table(["file", "client", *(["version"] if older else []), "size", "copies"], rows, right=["size"])
    good = sum(outcome.state == "sound" for outcome in outcomes)
    out.line(
        f"{good:,} of {counted(len(outcomes), 'version' if older else 'file')} sound, with all copies that are wanted."
    )
    report_problems(out, outcomes)
    return state


def _verify(session: Client, location: Location, wanted: int, repairs: bool) -> Outcome:
    file = location.file
    copies = session.verify(file.name, file.client, file.version)
    damaged = [node for node, sound in copies.items() if not sound]
    sound = len(copies) - len(damaged)
    problems = []
    if damaged:
        after = "it is put aside, and made anew from another copy" if repairs and sound else "back the file up again"
        problems = [f"the copy on {', '.join(damaged)} is damaged: {after}"]
    elif sound < wanted:
        problems = [f"only {sound} of {wanted} copies: is a server down? rpclab status shows it, and what is repaired"]
    state = "damaged" if damaged else "too few copies" if sound < wanted else "sound"
    return Outcome(
        client=file.client,
        name=file.name,
        state=state,
        size=file.size,
        digest=file.digest,
        version=file.version,
        copies=copies,
        problems=problems,
    )


def _verdict(outcome: Outcome) -> str:
    if outcome.copies is None:
        return outcome.state
    return ", ".join(f"{node} {'sound' if sound else 'DAMAGED'}" for node, sound in outcome.copies.items())


@click.command(short_help="Remove files, or their older versions, from all servers.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--client", metavar="CLIENT", default="client1", help="whose files [client1]")
@click.option("--recursive", "-r", is_flag=True, help="a folder's name stands for all files in it")
@click.option("--keep", type=click.IntRange(1), metavar="N", help="remove only versions, all but the newest N")
@reach_options
@json_option
def rm(out: Output, reach: Reach, names: Sequence[str], client: str, recursive: bool, keep: int | None) -> int:
    """Remove files from every server that holds them, with all their versions, or with --keep only the older versions."""
    with reach.session(client, traced=True) as session:
        locations = locate(session, names, client, folders=recursive)
        outcomes = for_each(
            out,
            "removing",
            locations,
            lambda location: (client, location.file.name, location.file.size),
            lambda location, progress: _remove(session, location, keep),
        )
    state = exit_of(outcomes)
    out.document(state, client=client, files=outcomes)
    for outcome in outcomes:
        name = printable(outcome.name)
        if outcome.servers:
            what = name if keep is None else f"{name}: versions before the newest {counted(keep, 'version')}"
            out.line(f"{what} removed from {', '.join(outcome.servers)}")
        elif outcome.servers is not None:
            out.line(
                f"{name}: nothing to remove" if keep is None else f"{name} has no more than {counted(keep, 'version')}"
            )
    report_problems(out, outcomes)
    return state


def _remove(session: Client, location: Location, keep: int | None) -> Outcome:
    file = location.file
    servers = session.delete(file.name) if keep is None else session.prune(file.name, keep)
    state = "removed" if keep is None else "pruned"
    return Outcome(client=file.client, name=file.name, state=state, size=file.size, servers=servers)
