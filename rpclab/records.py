"""The values that manager, servers and clients tell one another: what a file is, where it lies, who a server is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from .config import PACKET_BYTES, Address

__all__ = [
    "LIFE_BITS",
    "Advice",
    "Deletion",
    "FileRecord",
    "Location",
    "Placement",
    "Receipt",
    "Restored",
    "ServerRecord",
    "file_key",
    "life",
    "pages",
]

Item = TypeVar("Item")

LIFE_BITS = 28
"""A report's number counts from the server's start in so many bits; those above are of that life alone."""


def life(report: int) -> int:
    """Which of a server's lives made a report."""
    return report >> LIFE_BITS


class Advice(msgspec.Struct, frozen=True):
    """What a manager's settings say to its servers: seconds between heartbeats; the scrub's bytes a second, and seconds between
    two of its rounds."""

    heartbeat_s: float = 1.0
    scrub_bytes_s: int = 4 << 20
    scrub_round_s: float = 60.0


class FileRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version of a file, as the server that holds it reports it. `digest` is BLAKE3, 64 hexadecimal digits.

    `wanted` is how many copies its owner wants (0: the cluster's number), `saved` when it was backed up, in seconds since 1970
    by its client's clock: for people only. With `deleted` it is a tombstone: every version up to this one is gone, wherever an
    old copy may still lie, and later ones are not.
    """

    client: str
    name: str
    size: int
    digest: str
    version: int
    deleted: bool = False
    wanted: int = 0
    saved: float = 0.0


class ServerRecord(msgspec.Struct, frozen=True):
    """One server, as the manager knows it. `quota_bytes` None is "as much as the disk holds"."""

    node: str
    address: Address
    stored_bytes: int
    reserved_bytes: int = 0
    quota_bytes: int | None = None
    files: int = 0
    wire: str = "rpclab"


class Placement(msgspec.Struct, frozen=True):
    """Where a file is to go: the primary first. `upload` names this backup, so that doing it twice is doing it once; `keep`
    is how many versions of it, this one among them, a server keeps."""

    upload: str
    version: int
    servers: list[ServerRecord]
    wanted: int
    replication: str
    acknowledge: str
    keep: int = 1


class Deletion(msgspec.Struct, frozen=True):
    """How a file is deleted: with a version above all of its copies, told to every server that is connected."""

    version: int
    servers: list[ServerRecord]


class Location(msgspec.Struct, frozen=True):
    """Where one version of a file lies, the newest unless another was asked for; servers that are suspected come last."""

    file: FileRecord
    servers: list[ServerRecord]


class Receipt(msgspec.Struct, frozen=True):
    """What a backup was acknowledged with: so many durable copies, on these servers (node names, the primary first).

    `pending` copies are still being made when the acknowledgement is "primary"; `problems` says why copies are missing. `newest`
    is the version that now has the file's plain name there, if that is a later one. `told` says whether the primary could
    tell the manager: if not, the client does.
    """

    upload: str
    file: FileRecord
    servers: list[str]
    wanted: int
    pending: int = 0
    problems: list[str] = []
    newest: int = 0
    told: bool = True

    @property
    def copies(self) -> int:
        return len(self.servers)

    @property
    def complete(self) -> bool:
        """Whether every wanted copy exists, or, acknowledged by the primary, is on its way."""
        return self.copies + self.pending >= self.wanted


class Restored(msgspec.Struct, frozen=True):
    """A file that was written back: where to, from which server, and which copies had to be passed over before."""

    path: str
    file: FileRecord
    server: str
    problems: list[str] = []

    def __str__(self) -> str:
        passed = "".join(f"\npassed over {problem}" for problem in self.problems)
        return f"{self.file.name} ({self.file.size:,} bytes) restored from {self.server} as\n{self.path}{passed}"


def pages(items: Iterable[Item], limit_bytes: int = PACKET_BYTES // 2) -> Iterator[list[Item]]:
    """The items in lists whose JSON stays under so many bytes, so that each fits one message."""
    page: list[Item] = []
    room = limit_bytes
    for item in items:
        size = len(msgspec.json.encode(item)) + 1
        if page and size > room:
            yield page
            page, room = [], limit_bytes
        page.append(item)
        room -= size
    if page:
        yield page


def file_key(client: str, name: str) -> str:
    """How the event log and the pictures name a file: `client/name`."""
    return f"{client}/{name}"
