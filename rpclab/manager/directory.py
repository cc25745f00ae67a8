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
from itertools import islice, takewhile

from msgspec.structs import replace

from ..config import Address
from ..errors import NoSuchFile
from ..own import OURS, Own
from ..records import FileRecord, Location, ServerRecord, file_key, life
from ..rpc import document
from ..text import version_text
from .candidates import load, room
from .catalogue import Catalogue, FileKey
from .own_keeping import upkeep_of
from .placement import Policy
from .placing import Placing
from .reservations import Reservations
from .said import Said

__all__ = ["Directory"]


class Directory:
    """Who is alive and who stores what; `placing` says where the next file goes, `upkeep` what is to be done about the others.

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
        own: Own = OURS,
    ) -> None:
        self._keep = keep
        self._servers: dict[Address, Said] = {}
        self._suspected: set[Address] = set()
        self._version = 0  # the highest seen or handed out, of any file
        self.catalogue = Catalogue()
        self.reservations = Reservations(reservation_s)
        self.placing = Placing(self, policy=policy, policy_name=policy_name, replicas=replicas)
        self.upkeep = upkeep_of(own, self, replicas=replicas, dead_s=dead_s)

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
        return sorted(
            (said.record for said in self._servers.values()), key=lambda server: (server.node, server.address)
        )

    def server(self, address: Address) -> ServerRecord:
        """The server at an address where one is registered."""
        return self._servers[address].record

    # What the servers say.

    def add(self, record: ServerRecord, *, report: int = 0) -> None:
        """A server registered, perhaps again: what it said before, and what it was promised, is forgotten.

        `report` is the number of its last report; those up to it are part of the inventory that `add_files` brings.
        """
        self.remove(record.address)
        self._servers[record.address] = Said(record, report, report)
        self.note(record.address)
        self.upkeep.came(record.address)

    def add_files(self, address: Address, files: Iterable[FileRecord]) -> None:
        """One page of a server's inventory; a report that came since the registration knows better than the page."""
        server = self._servers.get(address)
        if server is not None:
            for file in files:
                self._apply(server, server.registered, file, stored=True)
            self.note(address)

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
        registered. A late report still counts for the versions that no later one spoke of, but not one of a life before that
        which registered: its inventory has said all. Without a number (the description's wire has none) a report is always
        the latest.
        """
        server = self._servers.get(address)
        if server is None:
            for file in stored:  # where it is, is not known; that it is there must be
                if not file.deleted:
                    self.raise_versions(file.version)
                    self.note_version(file.client, file.name, file.version)
                elif self.catalogue.bury((file.client, file.name), file.version):
                    self.upkeep.doubt((file.client, file.name))
            return False
        number = server.report if report is None else report
        if same_life := life(number) == life(server.report):
            for file in removed:
                self._apply(server, number, file, stored=False)
            for file in stored:
                self._apply(server, number, file, stored=True)
        news = same_life and number >= server.report
        if news:
            server.report = number
        if upload is not None:
            self.placing.take_back(address, upload)
        self.note(address, stored_bytes if news else None)
        return news

    def remove(self, address: Address, *, heard: float | None = None) -> bool:
        """A server is gone: returns whether it was there. If it is told when it was last `heard`, it is waited for."""
        server = self._servers.get(address)
        if server is None:
            return False
        for upload in self.reservations.of_server(address):
            self.placing.take_back(address, upload)
        held = [((file.client, file.name), file.version) for file in server.versions()]
        for key, version in held:
            self.catalogue.drop(address, key, version)
        self.placing.remove(address)
        del self._servers[address]
        self._suspected.discard(address)
        self.upkeep.gone(address, held, heard)
        return True

    def suspect(self, address: Address) -> None:
        """A server is silent: it is chosen only if no other can be."""
        if address in self._servers:
            self._suspected.add(address)
            self.placing.enter(self.server(address))

    def trust(self, address: Address) -> None:
        """It has spoken again."""
        if address in self._suspected:
            self._suspected.remove(address)
            self.placing.enter(self.server(address))

    def is_suspected(self, address: Address) -> bool:
        return address in self._suspected

    # The versions.

    def next_version(self, given: int = 0) -> int:
        """A version above all that were seen or handed out, unless one was `given` out before."""
        if not 0 < given <= self._version:
            given = self._version = self._version + 1
        return given

    def raise_versions(self, above: int) -> None:
        """Hand out only versions above this one."""
        self._version = max(self._version, above)

    def note_version(self, client: str, name: str, version: int) -> None:
        """A version that was handed out is stored, by whoever could not tell: no older one is the newest any more."""
        if version <= self._version:
            self.catalogue.miss((client, name), version)

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
        return self._servers[address].versions()

    def holds(self, address: Address, file: FileRecord) -> bool:
        """Whether a server holds this version, in whatever contents."""
        return file.version in self._servers[address].files.get((file.client, file.name), {})

    def makes_way(self, address: Address, key: FileKey) -> int:
        """The bytes of the version that a server removes when it takes another one of a file."""
        held = self._servers[address].files.get(key, {})
        return held[min(held)].size if len(held) >= self.keep(key[0]) else 0

    def in_order(self, addresses: Iterable[Address]) -> list[ServerRecord]:
        """The servers at these addresses in order of node name, those that are suspected last."""
        records = (self._servers[address].record for address in addresses)
        return sorted(records, key=lambda s: (s.address in self._suspected, s.node, s.address))

    # How it is kept.

    def _live(self, key: FileKey) -> list[int]:
        live = self.catalogue.live(key)
        if not live:
            raise NoSuchFile(f"no server that is alive holds {file_key(*key)!r}")
        return live

    def _location(self, key: FileKey, version: int) -> Location:
        copies = self.catalogue.copies(key, version)
        return Location(next(iter(copies.values())), self.in_order(copies))

    def note(self, address: Address, stored_bytes: int | None = None) -> None:
        """A server holds or is promised something else than before, and stores so many bytes, if these are known."""
        server = self._servers[address]
        before = server.record
        server.record = replace(
            before,
            files=len(server.files),
            reserved_bytes=self.reservations.reserved(address),
            stored_bytes=before.stored_bytes if stored_bytes is None else stored_bytes,
        )
        self.placing.enter(server.record)
        left = room(server.record)
        if left is not None and load(server.record) < load(before):
            self.upkeep.has_room(left)

    def _apply(self, server: Said, number: int, file: FileRecord, *, stored: bool) -> None:
        """Believe report `number` about a version, unless a later one spoke of it."""
        key = (file.client, file.name)
        self._version = max(file.version, self._version)
        if file.deleted:
            if self.catalogue.bury(key, file.version):
                self.upkeep.doubt(key)
            for held in server.up_to(key, file.version):
                self._apply(server, number, held, stored=False)  # who has a tombstone has nothing under it
            return
        if not server.hears(number, key, file.version):
            return
        if stored:
            server.put(file)
            self.catalogue.put(server.record.address, file)
        elif server.drop(key, file.version):
            self.catalogue.drop(server.record.address, key, file.version)
        self.upkeep.doubt(key)
