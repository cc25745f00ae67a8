"""`rpclab ls`, `verify`, `rm`: what is stored, whether it is still what was backed up, and taking it away."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ..client.session import Client
from ..errors import UsageError
from ..records import Location
from ..text import bytes_text
from .outcomes import Outcome, exit_of, for_each, locate, report_problems, stored_row
from .output import Exit, Output, counted, json_option, printable
from .reach import Reach, reach_options

__all__ = ["ls", "rm", "verify"]


@click.command()
@click.option("--client", metavar="CLIENT", help="only this client's files [all]")
@reach_options
@json_option
def ls(out: Output, reach: Reach, client: str | None) -> int:
    """List the stored files and the servers that hold them."""
    with reach.session("looking") as session:
        locations = list(session.list_files(client))
    files = [_listed(location) for location in locations]
    out.document(Exit.ALL_HELD, files=files)
    if files:
        out.table(["file", "client", "size", "servers", "digest"], map(stored_row, files), right=["size"])
    size = sum(each.size or 0 for each in files)
    out.line(f"{out.sizes(len(files), size)} stored{f' for {client}' if client else ''}.")
    return Exit.ALL_HELD


def _listed(location: Location) -> Outcome:
    file = location.file
    return Outcome(
        client=file.client,
        name=file.name,
        state="stored",
        size=file.size,
        digest=file.digest,
        version=file.version,
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

    Each server that holds a file reads its copy and compares it with what was backed up.
    """
    if bool(names) == everybody:
        raise UsageError("say which files to verify, or --all")
    with reach.session("looking") as session:
        locations = list(session.list_files()) if everybody else locate(session, names, client)
        wanted = replicas or int(session.manager.getSettings()["replicas"])
        outcomes = for_each(
            out,
            "verifying",
            locations,
            lambda location: (location.file.client, location.file.name, location.file.size),
            lambda location, progress: _verify(session, location, wanted),
        )
    state = exit_of(outcomes)
    out.document(state, wanted=wanted, files=outcomes)
    rows = [[each.name, each.client, bytes_text(each.size or 0), _verdict(each)] for each in outcomes]
    out.table(["file", "client", "size", "copies"], rows, right=["size"])
    good = sum(outcome.state == "sound" for outcome in outcomes)
    out.line(f"{good:,} of {counted(len(outcomes), 'file')} sound, {wanted} copies each.")
    report_problems(out, outcomes)
    return state


def _verify(session: Client, location: Location, wanted: int) -> Outcome:
    file = location.file
    copies = session.verify(file.name, file.client)
    damaged = [node for node, sound in copies.items() if not sound]
    sound = len(copies) - len(damaged)
    problems = [f"the copy on {', '.join(damaged)} is damaged: back the file up again"] if damaged else []
    if sound < wanted and not damaged:
        problems = [f"only {sound} of {wanted} copies: is a server down? back the file up again"]
    state = "damaged" if damaged else "too few copies" if sound < wanted else "sound"
    return Outcome(
        client=file.client,
        name=file.name,
        state=state,
        size=file.size,
        digest=file.digest,
        copies=copies,
        problems=problems,
    )


def _verdict(outcome: Outcome) -> str:
    if outcome.copies is None:
        return outcome.state
    return ", ".join(f"{node} {'sound' if sound else 'DAMAGED'}" for node, sound in outcome.copies.items())


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--client", metavar="CLIENT", default="client1", help="whose files [client1]")
@click.option("--recursive", "-r", is_flag=True, help="a folder's name stands for all files in it")
@reach_options
@json_option
def rm(out: Output, reach: Reach, names: Sequence[str], client: str, recursive: bool) -> int:
    """Remove files from every server that holds them."""
    with reach.session(client, traced=True) as session:
        locations = locate(session, names, client, folders=recursive)
        outcomes = for_each(
            out,
            "removing",
            locations,
            lambda location: (client, location.file.name, location.file.size),
            lambda location, progress: _remove(session, location),
        )
    state = exit_of(outcomes)
    out.document(state, client=client, files=outcomes)
    for outcome in outcomes:
        if outcome.servers is not None:
            out.line(f"{printable(outcome.name)} removed from {', '.join(outcome.servers)}")
    report_problems(out, outcomes)
    return state


def _remove(session: Client, location: Location) -> Outcome:
    file = location.file
    servers = session.delete(file.name)
    return Outcome(client=file.client, name=file.name, state="removed", size=file.size, servers=servers)
