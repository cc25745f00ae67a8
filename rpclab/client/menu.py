"""The description's conversation: lists a client's files, asks for a name, sends the file, until ENTER alone ends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..errors import RpclabError
from ..records import Receipt
from ..rpc.files import Progress
from ..text import cells, padded
from ..world.base import Disk, walk

__all__ = ["converse"]


class Sender(Protocol):
    """What the conversation needs of a client, on either wire."""

    def is_connected(self) -> bool: ...

    def backup(self, path: str, name: str | None = None, *, progress: Progress | None = None) -> Receipt | str: ...


def converse(
    client: Sender,
    disk: Disk,
    folder: str,
    *,
    ask: Callable[[str], str],
    say: Callable[[str], None],
    progress: Callable[[str], Progress] | None = None,
) -> int:
    """Talk until the person presses ENTER alone; returns how many files were backed up."""
    sent = 0
    while True:
        if not client.is_connected():
            say("The manager does not answer. Is it started? Try again, or press ENTER to end.")
        files = dict(walk(disk, folder))
        say(_listing(folder, files))
        try:
            name = ask("Name of the file to back up (ENTER ends): ").strip("\r\n")
        except EOFError:
            name = ""
        if not name.strip():
            say(f"{sent} {'file' if sent == 1 else 'files'} backed up. Goodbye.")
            return sent
        name = name if name in files else name.strip()
        if name not in files:
            say(f"There is no file {name!r} in {folder}. Choose one from the list.")
            continue
        sent += _send(client, f"{folder}/{name}", name, say, progress)


def _send(
    client: Sender, path: str, name: str, say: Callable[[str], None], progress: Callable[[str], Progress] | None
) -> bool:
    try:
        answer = client.backup(path, name, progress=progress(name) if progress else None)
    except RpclabError as error:
        say(f"{name} was not backed up as wanted: {error}")
        return False
    say(f"{name}: {answer}" if isinstance(answer, str) else f"{name} is backed up on {' and '.join(answer.servers)}.")
    return True


def _listing(folder: str, files: dict[str, int]) -> str:
    if not files:
        return f"{folder} is empty: put files there that are to be backed up."
    width = max(map(cells, files))
    rows = [f"  {padded(name, width)}  {size:>12,} bytes" for name, size in files.items()]
    return "\n".join([f"Files in {folder}:", *rows])
