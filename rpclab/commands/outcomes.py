"""What became of each file that a command was given, and the loop that finds out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from ..client.session import Client
from ..errors import NoSuchFile, RpclabError, TooFewCopies, UsageError
from ..names import check_name
from ..records import Location, Receipt
from ..rpc.files import Progress
from ..text import bytes_text, counted
from .interruption import interruption
from .output import Exit, Output, printable

__all__ = ["Interrupted", "Outcome", "backed_up", "exit_of", "for_each", "locate", "report_problems", "stored_row"]

Item = TypeVar("Item")


class Interrupted(Exception):
    """Ctrl-C, and how far we had come."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one file. `state` "failed" and "damaged" are what must not be; `saved` is the time of the backup, in
    seconds since 1970; `copies` is what `verify` found."""

    client: str
    name: str
    state: str
    size: int | None = None
    digest: str | None = None
    version: int | None = None
    saved: float | None = None
    path: str | None = None
    servers: list[str] | None = None
    wanted: int | None = None
    copies: dict[str, bool] | None = None
    problems: list[str] = []


def backed_up(back_up: Callable[[], Receipt], path: str | None = None) -> Outcome:
    """What became of one backup; fewer copies than wanted are told with the reason."""
    state, problems = "stored", []
    try:
        receipt = back_up()
    except TooFewCopies as error:
        assert isinstance(error.receipt, Receipt)
        receipt, state = error.receipt, "too few copies"
        problems = [f"only {receipt.copies} of {receipt.wanted} copies", *receipt.problems]
    file = receipt.file
    return Outcome(
        client=file.client,
        name=file.name,
        state=state,
        size=file.size,
        digest=file.digest,
        version=file.version,
        path=path,
        servers=receipt.servers,
        wanted=receipt.wanted,
        problems=problems,
    )


def stored_row(outcome: Outcome) -> list[str]:
    """A file that is stored, for a table: file, client, size, servers, digest."""
    servers = ", ".join(outcome.servers or [outcome.state])
    return [outcome.name, outcome.client, bytes_text(outcome.size or 0), servers, (outcome.digest or "")[:12]]


def exit_of(outcomes: Iterable[Outcome]) -> Exit:
    """1 if a file failed or is damaged, 4 if one has too few copies, 0 if all held."""
    states = {outcome.state for outcome in outcomes}
    if states & {"failed", "damaged"}:
        return Exit.FAILED
    return Exit.TOO_FEW_COPIES if "too few copies" in states else Exit.ALL_HELD


def report_problems(out: Output, outcomes: Iterable[Outcome]) -> None:
    """Say on stderr what was wrong with which file."""
    for outcome in outcomes:
        if outcome.problems:
            out.problem(printable(f"{outcome.client}/{outcome.name}: {'; '.join(outcome.problems)}"))


def for_each(
    out: Output,
    doing: str,
    items: Sequence[Item],
    facts: Callable[[Item], tuple[str, str, int]],
    act: Callable[[Item, Progress], Outcome],
) -> list[Outcome]:
    """Do something with every item, show progress, and go on when one fails. Errors: Interrupted.

    `facts` gives an item's client, name and bytes; `act` what became of it.
    """
    known = [facts(item) for item in items]
    outcomes: list[Outcome] = []
    try:
        with out.progress(sum(size for _, _, size in known), doing) as next_file:
            for item, (client, name, size) in zip(items, known, strict=True):
                progress = next_file(name, size)
                try:
                    outcomes.append(act(item, progress))
                except RpclabError as error:
                    outcomes.append(Outcome(client=client, name=name, state="failed", size=size, problems=[str(error)]))
                progress(size, size)
                interruption.check()
    except KeyboardInterrupt:
        report_problems(out, outcomes)
        raise Interrupted(
            f"{doing}: interrupted after {len(outcomes):,} of {counted(len(items), 'file')}; none is half done"
        ) from None
    return outcomes


def locate(session: Client, names: Sequence[str], client: str, *, folders: bool = True) -> list[Location]:
    """Where the named files of a client lie; a folder's name stands for all files in it. Errors: NoSuchFile, UsageError."""
    found: dict[str, Location] = {}
    for given in names:
        name = check_name(given.rstrip("/") or given)
        with contextlib.suppress(NoSuchFile):
            found.setdefault(name, session.find(name, client))
            continue
        below = [each for each in session.list_files(client) if each.file.name.startswith(f"{name}/")]
        if not below:
            raise NoSuchFile(_unknown(session, name, client))
        if not folders:
            raise UsageError(
                f"{name!r} is a folder with {counted(len(below), 'file')}: say --recursive if you mean all"
            )
        found |= {each.file.name: each for each in below}
    return list(found.values())


def _unknown(session: Client, name: str, client: str) -> str:
    from difflib import get_close_matches

    known = [each.file.name for each in session.list_files(client)]
    near = get_close_matches(name, known, n=3)
    return f"{client} has no file or folder {printable(name)!r}: " + (
        f"did you mean {' or '.join(map(repr, near))}?" if near else f"rpclab ls --client {client} shows what it has"
    )
