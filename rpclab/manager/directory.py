"""The manager's soft state: which servers are alive, what each stores, how many bytes, and what was promised to whom.

Nothing here is kept anywhere else, and nothing needs to be: the servers tell it all again when they register. So three
rules make it right whatever was lost, delayed or said twice:

1. A server's own word wins. It numbers its reports; of two reports on one thing the higher number counts, whichever
   arrives first.
2. Bytes that were handed out count until they are reported as stored, released or too old (reservations.py).
3. Versions only rise, over all files, so that the newest copy is known among old ones. One number for all, because a
   manager that was restarted may not see a dead server's copies, but will see higher numbers than theirs elsewhere.

The directory does no I/O and holds no lock: who uses it from several tasks holds one around every call. `now` is in
seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..config import Address, address_text
from ..errors import NoServer, NoSuchFile, UsageError
from ..records import FileRecord, Location, ServerRecord, file_key
from ..rpc import document
from ..text import version_text
from .candidates import Candidates, Pool, load, rank, room
from .catalogue import Catalogue, FileKey
from .placement import Policy, Request, decide
from .reservations import Reservations
from .upkeep import Upkeep

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
    """What one server said. `last_word`: which report since its registration spoke last about a version of a file."""

    record: ServerRecord
    registered: int
    report: int
    files: dict[FileKey, dict[int, FileRecord]] = field(default_factory=dict)
    last_word: dict[tuple[FileKey, int], int] = field(default_factory=dict)


class Directory:
    """Who is alive, who stores what, and where the next file goes.

    `replicas` copies of a file are wanted where its owner said nothing else, and its `keep` newest versions stay; a server that
    went is waited for `dead_s` seconds before its copies count as lost.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        policy_name: str,
        reservation_s: float,
        replicas: int = 2,
        keep: int = 5,
        dead_s: float = 10.0,
    ) -> None:
        self._policy, self._policy_name = policy, policy_name
        self._replicas, self._keep = replicas, keep
        self._servers: dict[Address, _Server] = {}
        self._suspected: set[Address] = set()
        self._pools: dict[str | None, Pool] = {None: Pool()}  # one for each wire that was asked for
        self._version = 0  # the highest seen or handed out, of any file
        self._number = 0  # decisions made so far
        self.catalogue = Catalogue()
        self.reservations = Reservations(reservation_s)
        self.upkeep = Upkeep(self, replicas=replicas, dead_s=dead_s)

    def __len__(self) -> int:
        """How many servers are alive."""
        return len(self._servers)

    def __contains__(self, address: object) -> bool:
        """Whether a server is registered at that address."""
        return address in self._servers

    @property
    def total_files(self) -> int:
        """How many different files have a copy on a server that is alive."""
        return len(self.catalogue)

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
        self._note(record.address)
        self.upkeep.came(record.address)

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
        """A server's report: the bytes it stores, which versions it stored and removed, which upload ended.

        Returns whether the bytes are news: False after a report with a higher number, and from a server that is not
        registered. A late report still counts for the versions that no later one spoke of. Without a number (the
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
            if stored_bytes < server.record.stored_bytes:
                self.upkeep.unstick()
            server.report = number
            server.record = replace(server.record, stored_bytes=stored_bytes)
        self._note(address)
        return news

    def remove(self, address: Address, *, heard: float | None = None) -> bool:
        """A server is gone: returns whether it was there. If it is told when it was last `heard`, it is waited for."""
        server = self._servers.get(address)
        if server is None:
            return False
        for upload in self.reservations.of_server(address):
            self._release_at(address, upload)
        held = [(key, version) for key, versions in server.files.items() for version in versions]
        for key, version in held:
            self.catalogue.drop(address, key, version)
        for pool in self._pools.values():
            pool.remove(address)
        del self._servers[address]
        self._suspected.discard(address)
        self.upkeep.gone(address, held, heard)
        return True

    def suspect(self, address: Address) -> None:
        """A server is silent: it is chosen only if no other can be."""
        if address in self._servers:
            self._suspected.add(address)

    def trust(self, address: Address) -> None:
        """It has spoken again."""
        self._suspected.discard(address)

    def is_suspected(self, address: Address) -> bool:
        return address in self._suspected

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
        copies: int = 1,
        beside: Iterable[Address] = (),
    ) -> Decision:
        """The server that the policy picks of those with room for `size` bytes; nothing is reserved. It is told how many
        `copies` the file is to have, and which servers have one or were chosen already (`beside`, among the excluded).

        Raises NoServer, which says why none fits, and PlacementError if the policy is a student's and went wrong.
        """
        self.expire(now)
        pool = self._pool(wire)
        candidates = pool.candidates(exclude=exclude | self._suspected, size=size)
        if not candidates and self._suspected:
            candidates = pool.candidates(exclude=exclude, size=size)
        if not candidates:
            raise self._nobody(pool, exclude=exclude, size=size, wire=wire)
        nodes = tuple(self._servers[address].record.node for address in beside if address in self._servers)
        server = decide(self._policy, candidates, Request(file, size, self._number, copies, nodes), random)
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
        wanted: int | None = None,
        now: float,
        random: random.Random,
        upload: str,
        exclude: AbstractSet[Address] = NOBODY,
        wire: str | None = "rpclab",
        version: int = 0,
    ) -> Plan:
        """Where up to `wanted` copies of a file go, with the bytes reserved under `upload` and a version of its own.

        Servers that hold an earlier version come first, the newest before all, so that a file's versions stay together; the
        policy picks the others. Fewer than wanted is no error as long as there is one. An upload that is placed again gives
        back what it had reserved, and keeps the `version` that it was given. Raises NoServer, PlacementError and NameCollision;
        then nothing is reserved.
        """
        wanted = self._replicas if wanted is None else wanted
        if wanted < 1:
            raise UsageError(f"a file needs at least 1 copy, not {wanted}")
        self.release(upload)
        self.expire(now)
        key = (client, name)
        self.catalogue.check_name(file_key(client, name))
        chosen = [s.address for s in self._holding(key, size, wire) if s.address not in exclude][:wanted]
        decisions: list[Decision] = []
        while len(chosen) < wanted:
            taken = exclude | set(chosen)
            try:
                decision = self.choose(
                    now=now,
                    random=random,
                    exclude=taken,
                    size=size,
                    file=file_key(client, name),
                    wire=wire,
                    copies=wanted,
                    beside=chosen,
                )
            except NoServer:
                if not chosen:
                    raise
                break
            decisions.append(decision)
            chosen.append(decision.server.address)
        self.reserve(upload, chosen, key, size, now)
        if not 0 < version <= self._version:
            version = self.next_version()
        return Plan(tuple(self._servers[address].record for address in chosen), version, tuple(decisions))

    def place_copy(
        self, file: FileRecord, *, upload: str, exclude: AbstractSet[Address], now: float, random: random.Random
    ) -> Decision:
        """Where one more copy of a version goes, with its bytes reserved. Raises NoServer and PlacementError."""
        key = (file.client, file.name)
        decision = self.choose(
            now=now,
            random=random,
            exclude=exclude,
            size=file.size,
            file=file_key(*key),
            wire="rpclab",
            copies=file.wanted or self._replicas,
            beside=sorted(exclude),
        )
        self.reserve(upload, [decision.server.address], key, file.size, now)
        return decision

    def reserve(self, upload: str, addresses: list[Address], key: FileKey, size: int, now: float) -> None:
        """Promise an upload room for a file of `size` bytes, less what makes way for it. Raises NoServer if one has gone."""
        for address in addresses:
            if address not in self._servers:
                raise NoServer(f"the server at {address_text(address)} is not registered any more")
        promised = {address: max(0, size - self._makes_way(address, key)) for address in addresses}
        self.reservations.reserve(upload, key, promised, now)
        for address in addresses:
            self._note(address)

    def next_version(self) -> int:
        """A version above all that were seen or handed out."""
        self._version += 1
        return self._version

    def raise_versions(self, above: int) -> None:
        """Hand out only versions above this one."""
        self._version = max(self._version, above)

    def delete(self, client: str, name: str, keep: int = 0) -> tuple[int, list[ServerRecord]]:
        """A file is to be deleted: a version above all of its copies, and the servers to tell, those with a copy first. With
        `keep` so many versions stay: the version is just below them, 0 if there are no more.

        Raises NoSuchFile. It counts as deleted once a server has reported the tombstone.
        """
        key = (client, name)
        live = self._live(key)
        holders = self.in_order(self.catalogue.holders(key))
        others = [server for server in self.servers() if server not in holders]
        servers = [server for server in [*holders, *others] if server.wire == "rpclab"]
        if keep:
            return (live[keep] if len(live) > keep else 0), servers
        return self.next_version(), servers

    def release(self, upload: str) -> None:
        """An upload ended, whatever its outcome: what is still reserved for it is free again."""
        for address in self.reservations.of_upload(upload):
            self._release_at(address, upload)
            self.upkeep.unstick()

    def expire(self, now: float) -> None:
        """Give back what was reserved too long ago; `choose` and `place` do it first."""
        for upload in self.reservations.expired(now):
            self.release(upload)

    # Where a file is.

    def locate(self, client: str, name: str, version: int | None = None) -> Location:
        """The newest version of a file, or the given one, and the servers that hold exactly it, those that are suspected last;
        raises NoSuchFile if there are none, also when only older versions than the newest are at hand."""
        key = (client, name)
        live = self._live(key)
        if version is None:
            if (missing := self.catalogue.missing(key)) > live[0]:
                raise NoSuchFile(
                    f"no server that is alive holds the newest version of {file_key(client, name)!r}, {version_text(missing)}: "
                    f"wait until one is back, back it up again if all were damaged, or ask for {version_text(live[0])}"
                )
            return self._location(key, live[0])
        if version not in live:
            raise NoSuchFile(f"no server that is alive holds this version of {file_key(client, name)!r}")
        return self._location(key, version)

    def versions(self, client: str, name: str) -> list[Location]:
        """Every version of a file that is kept, the newest first; raises NoSuchFile."""
        key = (client, name)
        return [self._location(key, version) for version in self._live(key)[: self.keep(client)]]

    def files(self, client: str | None, after: FileKey | None, limit: int) -> list[Location]:
        """The next page of the files of a client (None: of all), in order of (client, name), that follow `after`."""
        first = None if client is None else (client, "")
        keys = self.catalogue.after(max(filter(None, (first, after)), default=None))
        own = takewhile(lambda key: client in (None, key[0]), keys)
        found = ((key, self.catalogue.live(key)) for key in own)
        return [self._location(key, live[0]) for key, live in islice(filter(lambda each: each[1], found), limit)]

    def keep(self, client: str) -> int:
        """How many versions of a client's files stay; the document's wire knows only one."""
        return 1 if client == document.CLIENT else self._keep

    def files_of(self, address: Address) -> Iterator[FileRecord]:
        """Every version that a server holds."""
        for versions in self._servers[address].files.values():
            yield from versions.values()

    def holds(self, address: Address, file: FileRecord) -> bool:
        """Whether a server holds this version, in whatever contents."""
        return file.version in self._servers[address].files.get((file.client, file.name), {})

    def in_order(self, addresses: Iterable[Address]) -> list[ServerRecord]:
        """The servers at these addresses in order of node name, those that are suspected last."""
        records = (self._servers[address].record for address in addresses)
        return sorted(records, key=lambda s: (s.address in self._suspected, s.node, s.address))

    def has_room(self, size: int, exclude: AbstractSet[Address]) -> bool:
        """Whether a server of our own wire that is not excluded could take so many bytes more."""
        emptiest_first = self._pool("rpclab").candidates(exclude=exclude).ascending()
        return any((left := room(server)) is None or left >= size for server in emptiest_first)

    # How it is kept.

    def _live(self, key: FileKey) -> list[int]:
        live = self.catalogue.live(key)
        if not live:
            raise NoSuchFile(f"no server that is alive holds {file_key(*key)!r}")
        return live

    def _location(self, key: FileKey, version: int) -> Location:
        copies = self.catalogue.copies(key, version)
        return Location(next(iter(copies.values())), self.in_order(copies))

    def _note(self, address: Address) -> None:
        """Have a server's record, with its number of files and its reserved bytes, wherever it is kept."""
        server = self._servers[address]
        reserved = self.reservations.reserved(address)
        server.record = replace(server.record, files=len(server.files), reserved_bytes=reserved)
        for pool in self._pools.values():
            pool.put(server.record)

    def _apply(self, server: _Server, number: int, file: FileRecord, *, stored: bool) -> None:
        """Believe report `number` about a version, unless a later one spoke of it."""
        key = (file.client, file.name)
        self._version = max(file.version, self._version)
        if file.deleted:
            if self.catalogue.bury(key, file.version):
                self.upkeep.doubt(key)
            for held in [each for each in server.files.get(key, {}).values() if each.version <= file.version]:
                self._apply(server, number, held, stored=False)  # who has a tombstone has nothing under it
            return
        if number < server.last_word.get((key, file.version), server.registered):
            return
        if number > server.registered:
            server.last_word[key, file.version] = number
        if stored:
            server.files.setdefault(key, {})[file.version] = file
            self.catalogue.put(server.record.address, file)
        elif file.version in server.files.get(key, {}):
            del server.files[key][file.version]
            if not server.files[key]:
                del server.files[key]
            self.catalogue.drop(server.record.address, key, file.version)
        self.upkeep.doubt(key)

    def _pool(self, wire: str | None) -> Pool:
        if wire not in self._pools:
            self._pools[wire] = Pool(wire)
            for server in self._servers.values():
                self._pools[wire].put(server.record)
        return self._pools[wire]

    def _holding(self, key: FileKey, size: int, wire: str | None) -> list[ServerRecord]:
        """The trusted servers with an earlier version and room for another: the newest version first, then fewest bytes."""
        newest: dict[Address, int] = {}
        for version, copies in self.catalogue.lying(key).items():
            for address in copies:
                newest[address] = max(version, newest.get(address, 0))
        records = [self._servers[address].record for address in newest if address not in self._suspected]
        fitting = [
            server
            for server in records
            if wire in (None, server.wire)
            and ((left := room(server)) is None or left + self._makes_way(server.address, key) >= size)
        ]
        return sorted(fitting, key=lambda server: (-newest[server.address], rank(server)))

    def _makes_way(self, address: Address, key: FileKey) -> int:
        """The bytes of the version that a server removes when it takes another one of a file."""
        held = self._servers[address].files.get(key, {})
        return held[min(held)].size if len(held) >= self.keep(key[0]) else 0

    def _release_at(self, address: Address, upload: str) -> None:
        file = self.reservations.release(address, upload)
        if file is not None:
            self.upkeep.doubt(file)
        if address in self._servers:
            self._note(address)

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
            f"room for at most {max(0, most)}; `rpclab rm` removes files, with --keep 1 only their earlier versions"
        )
