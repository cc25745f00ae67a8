"""The manager's soft state: which servers are alive, what each stores, how many bytes, and what was promised to whom.

Nothing here is kept anywhere else, and nothing needs to be: the servers tell it all again when they register. So three
rules make it right whatever was lost, delayed or said twice:

1. A server's own word wins. It numbers its reports; of two reports on one thing the higher number counts, whichever
   arrives first.
2. Bytes that were handed out count until they are reported as stored, released or too old, so that two clients who ask
   at the same moment are not sent to the same server.
3. Versions only rise, over all files, so that the newest copy is known among old ones. One number for all, because a
   manager that was restarted may not see a dead server's copies, but will see higher numbers than theirs elsewhere.

The directory does no I/O and holds no lock: who uses it from several tasks holds one around every call. `now` is in
seconds.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..config import Address
from ..errors import NoServer, NoSuchFile, UsageError
from ..names import NameTable
from ..records import FileRecord, Location, ServerRecord, file_key
from .candidates import Candidates, Pool, load, rank, room
from .catalogue import Catalogue, FileKey
from .placement import Policy, Request, decide

if TYPE_CHECKING:
    import random

__all__ = ["SHOWN", "Decision", "Directory", "Plan"]

NOBODY: frozenset[Address] = frozenset()
SHOWN = 20  # candidates that a decision tells the event log: a page of the dashboard, and a line that stays readable


@dataclass(frozen=True, slots=True)
class Decision:
    """One choice of a server, with what was known at that moment, for the event log.

    `candidates` are (node, bytes), fewest bytes first: at most SHOWN of all `count`, the chosen one always among them.
    """

    server: ServerRecord
    policy: str
    candidates: tuple[tuple[str, int], ...]
    count: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a file is to go, the primary first. Each server that was not taken for its old copy has its decision."""

    servers: tuple[ServerRecord, ...]
    version: int
    decisions: tuple[Decision, ...]


@dataclass(slots=True)
class _Server:
    """What one server said. `last_word`: which report since its registration spoke last about a file."""

    record: ServerRecord
    registered: int
    report: int
    files: dict[FileKey, FileRecord] = field(default_factory=dict)
    last_word: dict[FileKey, int] = field(default_factory=dict)
    reserved: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Upload:
    """Bytes promised to one upload, on these servers, until they expire."""

    name: str
    expires: float
    addresses: set[Address]


class Directory:
    """Who is alive, who stores what, and where the next file goes."""

    def __init__(self, *, policy: Policy, policy_name: str, reservation_s: float) -> None:
        self._policy = policy
        self._policy_name = policy_name
        self._reservation_s = reservation_s
        self._servers: dict[Address, _Server] = {}
        self._pools: dict[str | None, Pool] = {None: Pool()}  # one for each wire that was asked for
        self._catalogue = Catalogue()
        self._version = 0  # the highest seen or handed out, of any file
        self._tombstones: dict[FileKey, int] = {}  # up to which version a file is deleted
        self._names = NameTable()
        self._uploads: dict[str, _Upload] = {}
        self._expiring: deque[_Upload] = deque()  # in order of expiry, since all last equally long
        self._number = 0  # decisions made so far

    def __len__(self) -> int:
        """How many servers are alive."""
        return len(self._servers)

    def __contains__(self, address: object) -> bool:
        """Whether a server is registered at that address."""
        return address in self._servers

    @property
    def total_files(self) -> int:
        """How many different files have a copy on a server that is alive."""
        return len(self._catalogue)

    def servers(self) -> list[ServerRecord]:
        """The servers that are alive, in order of node name."""
        return list(Candidates(self._pools[None]))

    # What the servers say.

    def add(self, record: ServerRecord, *, report: int = 0) -> None:
        """A server registered, perhaps again: what it said before, and what it was promised, is forgotten.

        `report` is the number of its last report; those up to it are part of the inventory that `add_files` brings.
        """
        self.remove(record.address)
        self._servers[record.address] = _Server(record, report, report)
        self._note(record.address, reserved_bytes=0, files=0)

    def add_files(self, address: Address, files: Iterable[FileRecord]) -> None:
        """One page of a server's inventory; a report that came since the registration knows better than the page."""
        server = self._servers.get(address)
        if server is not None:
            for file in files:
                self._apply(server, server.registered, file, stored=True)
            self._note(address)

    def update(
        self,
        address: Address,
        *,
        stored_bytes: int,
        report: int | None = None,
        stored: Iterable[FileRecord] = (),
        removed: Iterable[FileRecord] = (),
        upload: str | None = None,
    ) -> bool:
        """A server's report: the bytes it stores, which files it stored and removed, which upload ended.

        Returns whether the bytes are news: False after a report with a higher number, and from a server that is not
        registered. A late report still counts for the files that no later one spoke of. Without a number (the
        description's wire has none) a report is always the latest.
        """
        server = self._servers.get(address)
        if server is None:
            return False
        number = server.report if report is None else report
        for file in removed:
            self._apply(server, number, file, stored=False)
        for file in stored:
            self._apply(server, number, file, stored=True)
        if upload is not None:
            self._release_at(address, upload)
        news = number >= server.report
        if news:
            server.report = number
            self._note(address, stored_bytes=stored_bytes)
        else:
            self._note(address)
        return news

    def remove(self, address: Address) -> bool:
        """A server is gone: returns whether it was there."""
        server = self._servers.get(address)
        if server is None:
            return False
        for upload in list(server.reserved):
            self._release_at(address, upload)
        for key in server.files:
            self._drop(address, key)
        for pool in self._pools.values():
            pool.remove(address)
        del self._servers[address]
        return True

    # Where a file goes.

    def choose(
        self,
        *,
        now: float,
        random: random.Random,
        exclude: AbstractSet[Address] = NOBODY,
        size: int = 0,
        file: str = "",
        wire: str | None = None,
    ) -> Decision:
        """The server that the policy picks of those with room for `size` bytes; nothing is reserved.

        Raises NoServer, which says why none fits, and PlacementError if the policy is a student's and went wrong.
        """
        self.expire(now)
        pool = self._pool(wire)
        candidates = pool.candidates(exclude=exclude, size=size)
        if not candidates:
            raise self._nobody(pool, exclude=exclude, size=size, wire=wire)
        server = decide(self._policy, candidates, Request(file, size, self._number), random)
        self._number += 1
        shown = list(islice(candidates.ascending(), SHOWN))
        if server not in shown:
            shown[-1] = server
        return Decision(server, self._policy_name, tuple((s.node, load(s)) for s in shown), len(candidates))

    def place(
        self,
        client: str,
        name: str,
        size: int,
        *,
        wanted: int,
        now: float,
        random: random.Random,
        upload: str,
        exclude: AbstractSet[Address] = NOBODY,
        wire: str | None = "rpclab",
    ) -> Plan:
        """Where up to `wanted` copies of a file go, with the bytes reserved under `upload` and a version of its own.

        Servers that hold an old copy come first, the newest copy before all, so that a file sent again replaces its
        copies; the policy picks the others. Fewer than wanted is no error as long as there is one. An upload that is
        placed again gives back what it had reserved. Raises NoServer and PlacementError; then nothing is reserved.
        """
        if wanted < 1:
            raise UsageError(f"a file needs at least 1 copy, not {wanted}")
        self.release(upload)
        self.expire(now)
        key = (client, name)
        self._names.check(file_key(client, name))
        chosen = [s.address for s in self._replaceable(key, size, wire) if s.address not in exclude][:wanted]
        decisions: list[Decision] = []
        while len(chosen) < wanted:
            taken = exclude | set(chosen)
            try:
                decision = self.choose(
                    now=now, random=random, exclude=taken, size=size, file=file_key(client, name), wire=wire
                )
            except NoServer:
                if not chosen:
                    raise
                break
            decisions.append(decision)
            chosen.append(decision.server.address)
        self._reserve(upload, chosen, key, size, now)
        self.next_version()
        return Plan(tuple(self._servers[address].record for address in chosen), self._version, tuple(decisions))

    def next_version(self) -> int:
        """A version above all that were seen or handed out."""
        self._version += 1
        return self._version

    def raise_versions(self, above: int) -> None:
        """Hand out only versions above this one."""
        self._version = max(self._version, above)

    def delete(self, client: str, name: str) -> tuple[int, list[ServerRecord]]:
        """A file is to be deleted: a version above all of its copies, and the servers to tell, those with a copy first.

        Raises NoSuchFile. It counts as deleted once a server has reported the tombstone.
        """
        self.locate(client, name)
        holders = self.holders_any(client, name)
        others = [server for server in self.servers() if server not in holders]
        return self.next_version(), [server for server in [*holders, *others] if server.wire == "rpclab"]

    def release(self, upload: str) -> None:
        """An upload ended, whatever its outcome: what is still reserved for it is free again."""
        known = self._uploads.get(upload)
        for address in sorted(known.addresses) if known else ():
            self._release_at(address, upload)

    def expire(self, now: float) -> None:
        """Give back what was reserved too long ago; `choose` and `place` do it first."""
        while self._expiring and self._expiring[0].expires <= now:
            upload = self._expiring.popleft()
            if self._uploads.get(upload.name) is upload:
                self.release(upload.name)

    # Where a file is.

    def locate(self, client: str, name: str) -> Location:
        """The newest version of a file, and the servers that hold exactly it; raises NoSuchFile if there are none.

        Should copies of one version differ, the contents with the most copies count.
        """
        holders = self._live((client, name))
        if not holders:
            raise NoSuchFile(f"no server that is alive holds {file_key(client, name)!r}")
        copies = Counter(holders.values())
        newest = max(copies, key=lambda file: (file.version, copies[file], file.digest))
        return Location(newest, self._in_order(address for address, file in holders.items() if file == newest))

    def holders_any(self, client: str, name: str) -> list[ServerRecord]:
        """The servers that hold any version of a file, in order of node name: where a delete must go."""
        return self._in_order(self._catalogue.holders((client, name)))

    def files(self, client: str | None, after: FileKey | None, limit: int) -> list[Location]:
        """The next page of the files of a client (None: of all), in order of (client, name), that follow `after`."""
        first = None if client is None else (client, "")
        keys = self._catalogue.after(max(filter(None, (first, after)), default=None))
        own = takewhile(lambda key: client in (None, key[0]), keys)
        return [self.locate(*key) for key in islice(filter(self._live, own), limit)]

    # How it is kept.

    def _note(self, address: Address, **changes: int) -> None:
        """Change a server's record, with its number of files, wherever it is kept."""
        server = self._servers[address]
        server.record = replace(server.record, **{"files": len(server.files), **changes})
        for pool in self._pools.values():
            pool.put(server.record)

    def _apply(self, server: _Server, number: int, file: FileRecord, *, stored: bool) -> None:
        """Believe report `number` about a file, unless a later one spoke of it."""
        key = (file.client, file.name)
        self._version = max(file.version, self._version)
        if file.deleted:
            self._tombstones[key] = max(file.version, self._tombstones.get(key, 0))
            return
        if number < server.last_word.get(key, server.registered):
            return
        if number > server.registered:
            server.last_word[key] = number
        if stored:
            server.files[key] = file
            self._catalogue.put(server.record.address, key, file)
            self._names.add(file_key(*key))
        elif server.files.pop(key, None):
            self._drop(server.record.address, key)

    def _drop(self, address: Address, key: FileKey) -> None:
        self._catalogue.drop(address, key)
        if not self._catalogue.holders(key):
            self._names.discard(file_key(*key))

    def _live(self, key: FileKey) -> dict[Address, FileRecord]:
        """The copies of a file that were not deleted."""
        deleted = self._tombstones.get(key, 0)
        holders = self._catalogue.holders(key)
        return {address: file for address, file in holders.items() if file.version > deleted} if deleted else holders

    def _pool(self, wire: str | None) -> Pool:
        if wire not in self._pools:
            self._pools[wire] = Pool(wire)
            for server in self._servers.values():
                self._pools[wire].put(server.record)
        return self._pools[wire]

    def _in_order(self, addresses: Iterable[Address]) -> list[ServerRecord]:
        records = (self._servers[address].record for address in addresses)
        return sorted(records, key=lambda server: (server.node, server.address))

    def _replaceable(self, key: FileKey, size: int, wire: str | None) -> list[ServerRecord]:
        """The servers with an old copy, and with room once it is replaced: the newest copy first, then fewest bytes."""
        old = self._catalogue.holders(key)
        records = [self._servers[address].record for address in old]
        fitting = [
            server
            for server in records
            if wire in (None, server.wire)
            and ((left := room(server)) is None or left + old[server.address].size >= size)
        ]
        return sorted(fitting, key=lambda server: (-old[server.address].version, rank(server)))

    def _reserve(self, upload: str, addresses: list[Address], key: FileKey, size: int, now: float) -> None:
        promise = self._uploads[upload] = _Upload(upload, now + self._reservation_s, set(addresses))
        self._expiring.append(promise)
        for address in addresses:
            server = self._servers[address]
            old = server.files.get(key)
            server.reserved[upload] = max(0, size - (old.size if old else 0))
            self._note(address, reserved_bytes=server.record.reserved_bytes + server.reserved[upload])

    def _release_at(self, address: Address, upload: str) -> None:
        server = self._servers.get(address)
        if server is None or upload not in server.reserved:
            return
        self._note(address, reserved_bytes=server.record.reserved_bytes - server.reserved.pop(upload))
        promise = self._uploads[upload]
        promise.addresses.discard(address)
        if not promise.addresses:
            del self._uploads[upload]

    def _nobody(self, pool: Pool, *, exclude: AbstractSet[Address], size: int, wire: str | None) -> NoServer:
        if not self._servers:
            return NoServer("no server is registered with the manager: start one, or wait until it has registered")
        if not pool:
            return NoServer(f"none of the {len(self)} servers speaks the {wire} wire")
        excluded = sum(address in exclude for address in pool.records)
        if excluded == len(pool):
            return NoServer(f"all {len(pool)} servers are excluded: one more server is needed")
        most = max(room(s) or 0 for s in pool.records.values() if s.address not in exclude)
        return NoServer(
            f"no server has room for {size} bytes: of {len(pool)} servers {excluded} are excluded, and the others have "
            f"room for at most {max(0, most)}"
        )
