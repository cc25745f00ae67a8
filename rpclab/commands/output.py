"""What a command shows: tables and lines for people, one JSON document for programs, progress and problems on stderr."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any

import click
import msgspec

from ..errors import (
    CommunicationError,
    ConnectFailed,
    HandshakeError,
    NotRunning,
    PortInUse,
    RpclabError,
    TooFewCopies,
    UsageError,
)
from ..rpc.files import Progress
from ..text import bytes_text, counted

__all__ = ["Exit", "Output", "error_document", "exit_for", "json_option", "printable", "text_of"]

_COLUMNS = 80
_DELAY_S = 0.5  # what takes less needs no bar


class Exit(IntEnum):
    """A command's exit status."""

    ALL_HELD = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    TOO_FEW_COPIES = 4
    UNKNOWN = 5
    INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended


_STATUS: tuple[tuple[type[RpclabError], Exit], ...] = (
    (NotRunning, Exit.UNREACHABLE),
    (ConnectFailed, Exit.UNREACHABLE),
    (HandshakeError, Exit.UNREACHABLE),
    (TooFewCopies, Exit.TOO_FEW_COPIES),
    (UsageError, Exit.USAGE),
)

_ADVICE: tuple[tuple[type[RpclabError], str], ...] = (
    (PortInUse, "end the program that uses the port, or: rpclab up --ports free"),
    (ConnectFailed, "is the cluster up? rpclab status shows it"),
    (HandshakeError, "is it the right --secret-file, and --certificates?"),
    (CommunicationError, "rpclab status shows which part runs; try again"),
)


def exit_for(error: RpclabError) -> Exit:
    """The exit status of a command that ended with an error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), Exit.FAILED)


def text_of(error: RpclabError) -> str:
    """What happened, and what to do about it."""
    advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), "")
    joint = "\n" if "\n" in str(error) else ": "
    return f"{error}{joint}{advice}" if advice else str(error)


def error_document(kind: str, message: str, status: int) -> str:
    """What `--json` prints when nothing else could be told."""
    return _json({"ok": False, "exit": status, "error": {"type": kind, "message": message}})


def printable(text: str) -> str:
    """A name as it can be shown: bytes that are no UTF-8 and control characters as escapes."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in text
    )


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--json`; the command is given an `Output` as `out`."""

    def made(context: click.Context, option: click.Parameter, as_json: bool) -> Output:
        return Output(as_json)

    text = "print one JSON document, and nothing else, on stdout"
    return click.option("--json", "out", is_flag=True, callback=made, help=text)(function)


class Output:
    """Where a command's results go. With `as_json`, only `document` prints on stdout, and no progress is shown."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    def document(self, status: int, **values: Any) -> None:
        """The one JSON document."""
        if self.as_json:
            click.echo(_json({"ok": status == Exit.ALL_HELD, "exit": int(status), **values}))

    def line(self, text: str = "") -> None:
        """A line for people."""
        if not self.as_json:
            click.echo(text)

    def paragraph(self, text: str) -> None:
        """A sentence for people that may be long, in lines of 80 columns."""
        self.line(textwrap.fill(text, _COLUMNS, break_long_words=False, break_on_hyphens=False))

    def problem(self, text: str) -> None:
        """Lines on stderr, for people and with `--json`; whatever names are in them, they write nothing but text."""
        click.echo("rpclab: " + "\n".join(map(printable, text.split("\n"))), err=True)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
        """A table as wide as the terminal, 80 columns where there is none; the columns in `right` hold numbers."""
        if self.as_json:
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for head in heads:
            table.add_column(
                head,
                justify="right" if head in right else "left",
                overflow="fold",
                no_wrap=head in right or head in ("digest", "version", "saved"),
            )
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        console = Console(highlight=False, markup=False, emoji=False)
        with console.capture() as lines:
            console.print(table)
        click.echo("\n".join(line.rstrip() for line in lines.get().rstrip("\n").split("\n")))

    @contextlib.contextmanager
    def progress(self, total_bytes: int, doing: str) -> Iterator[Callable[[str, int], Progress]]:
        """A bar on stderr for what takes over half a second.

        It gives a function: told the next file and its bytes, that returns what is called as the file's bytes pass.
        """
        from tqdm import tqdm

        hidden = self.as_json or not sys.stderr.isatty()
        with tqdm(
            total=total_bytes,
            desc=doing,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            delay=_DELAY_S,
            leave=False,
            disable=hidden,
            ncols=shutil.get_terminal_size().columns - 1,  # by itself it shows nothing where a terminal says no size
            nrows=20,
            file=sys.stderr,
        ) as bar:
            finished = 0

            def next_file(name: str, size: int) -> Progress:
                nonlocal finished
                start, finished = finished, finished + size
                bar.set_postfix_str(_tail(printable(name)), refresh=False)

                def passed(done: int, total: int) -> None:
                    bar.update(start + done - bar.n)

                return passed

            yield next_file

    def sizes(self, count: int, size: int) -> str:
        """12 files, 481.9 KiB."""
        return f"{counted(count, 'file')}, {bytes_text(size)}"


def _tail(name: str, letters: int = 24) -> str:
    return name if len(name) <= letters else f"…{name[1 - letters :]}"


def _json(value: Any) -> str:
    # ASCII alone: a pipe may have any encoding, and a name that is no UTF-8 still becomes valid JSON
    return json.dumps(msgspec.to_builtins(value), indent=2)
