"""What the manager knows: which servers are alive, what each has said that it holds, and which versions there are. Pure.

Here it is kept and asked for. What changes it, as servers tell, is the directory's; where the next file goes, and what is to be
done about copies, is found out from it in placing.py and upkeep.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, takewhile

from ..config import Address
from ..errors import NoSuchFile
from ..records import FileRecord, Location, ServerRecord, file_key
from ..rpc import document
from ..text import version_text
from .catalogue import Catalogue, FileKey
from .reservations import Reservations
from .said import Said

__all__ = ["Known"]


class Known:
    """Servers, files and promises as they are known at this moment; of each file `keep` versions stay."""

    def __init__(self, *, reservation_s: float, keep: int) -> None:
        self._keep = keep
        self._servers: dict[Address, Said] = {}
        self._suspected: set[Address] = set()
        self._version = 0  # the highest seen or handed out, of any file
        self.catalogue = Catalogue()
        self.reservations = Reservations(reservation_s)

    # The servers.

    def __len__(self) -> int:
        """How many servers are alive."""
        return len(self._servers)

    def __contains__(self, address: object) -> bool:
        """Whether a server is registered at that address."""
        return address in self._servers

    def servers(self) -> list[ServerRecord]:
        """The servers that are alive, in order of node name."""
        return sorted(
            (said.record for said in self._servers.values()), key=lambda server: (server.node, server.address)
        )

    def server(self, address: Address) -> ServerRecord:
        """The server at an address where one is registered."""
        return self._servers[address].record

    def is_suspected(self, address: Address) -> bool:
        return address in self._suspected

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

    @property
    def total_files(self) -> int:
        """How many different files have a copy on a server that is alive."""
        return len(self.catalogue)

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

    def _live(self, key: FileKey) -> list[int]:
        live = self.catalogue.live(key)
        if not live:
            raise NoSuchFile(f"no server that is alive holds {file_key(*key)!r}")
        return live

    def _location(self, key: FileKey, version: int) -> Location:
        copies = self.catalogue.copies(key, version)
        return Location(next(iter(copies.values())), self.in_order(copies))
