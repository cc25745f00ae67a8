"""Placing: which servers a file goes to, and what they have promised it. Pure; the policy itself is placement.py's.

A choice is made among the servers that are trusted; among the suspected only if none of those will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ..config import Address, address_text
from ..errors import NoServer, UsageError
from ..records import FileRecord, ServerRecord, file_key
from .candidates import Pool, rank, room
from .catalogue import FileKey
from .known import Known
from .placement import Policy, Request, decide

if TYPE_CHECKING:
    import random

__all__ = ["SHOWN", "Decision", "Placing", "Plan"]

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


class Placing:
    """Where the next file goes. It is told of every server that changes; it tells of a server that is promised something else
    now (`note`), and of a file of which an upload has ended (`doubt`)."""

    def __init__(
        self,
        known: Known,
        note: Callable[[Address], object],
        doubt: Callable[[FileKey], object],
        *,
        policy: Policy,
        policy_name: str,
        replicas: int,
    ) -> None:
        self._known, self._note, self._doubt, self._replicas = known, note, doubt, replicas
        self._policy, self._policy_name = policy, policy_name
        self._pools: dict[str | None, tuple[Pool, Pool]] = {}  # by wire, as asked for: the trusted, the suspected
        self._number = 0  # decisions made so far
        self.shown = SHOWN
        """How many candidates a decision tells; 0 where no event log is written."""

    # The servers.

    def enter(self, server: ServerRecord) -> None:
        """A server is new, or something about it."""
        for pools in self._pools.values():
            self._sort_in(server, *pools)

    def remove(self, address: Address) -> None:
        """A server is gone."""
        for pools in self._pools.values():
            for pool in pools:
                pool.remove(address)

    def is_other(self, exclude: AbstractSet[Address]) -> bool:
        """Whether there is a server of our own wire that is not excluded."""
        return any(address not in exclude for pool in self._servers_of("rpclab") for address in pool.records)

    def has_room(self, size: int, exclude: AbstractSet[Address]) -> bool:
        """Whether a server of our own wire that is not excluded could take so many bytes more."""
        return any(pool.candidates(exclude=exclude, size=size) for pool in self._servers_of("rpclab"))

    def _servers_of(self, wire: str | None) -> tuple[Pool, Pool]:
        """The servers of a wire (None: of any): the trusted, and apart from them the suspected, so that these cost no choice."""
        if wire not in self._pools:
            self._pools[wire] = Pool(wire), Pool(wire)
            for server in self._known.servers():
                self._sort_in(server, *self._pools[wire])
        return self._pools[wire]

    def _sort_in(self, server: ServerRecord, trusted: Pool, suspected: Pool) -> None:
        here, there = (suspected, trusted) if self._known.is_suspected(server.address) else (trusted, suspected)
        there.remove(server.address)
        here.put(server)

    # Decisions.

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
        trusted, suspected = (pool.candidates(exclude=exclude, size=size) for pool in self._servers_of(wire))
        candidates = trusted or suspected
        if not candidates:
            raise self._nobody(exclude=exclude, size=size, wire=wire)
        nodes = tuple(self._known.server(address).node for address in beside if address in self._known)
        server = decide(self._policy, candidates, Request(file, size, self._number, copies, nodes), random)
        self._number += 1
        shown = list(islice(candidates.ranks(), self.shown))
        if shown and all(address != server.address for *_, address in shown):
            shown[-1] = rank(server)
        return Decision(server, self._policy_name, tuple((node, bytes) for bytes, _, node, _ in shown), len(candidates))

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
        self._known.catalogue.check_name(file_key(client, name))
        holders = [s for s in self._holders(key, size, wire) if s.address not in exclude]
        trusted = [s.address for s in holders if not self._known.is_suspected(s.address)]
        chosen = trusted[:wanted]
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
                chosen += [s.address for s in holders if s.address not in chosen][: wanted - len(chosen)]
                if not chosen:
                    raise
                break
            decisions.append(decision)
            chosen.append(decision.server.address)
        self.reserve(upload, chosen, key, size, now)
        servers = tuple(self._known.server(address) for address in chosen)
        return Plan(servers, self._known.next_version(version), tuple(decisions))

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

    def _holders(self, key: FileKey, size: int, wire: str | None) -> list[ServerRecord]:
        """The servers with an earlier version and room for another: the newest version first, then fewest bytes."""
        newest: dict[Address, int] = {}
        for version, copies in self._known.catalogue.lying(key).items():
            for address in copies:
                newest[address] = max(version, newest.get(address, 0))
        fitting = [
            server
            for server in map(self._known.server, newest)
            if wire in (None, server.wire)
            and ((left := room(server)) is None or left + self._known.makes_way(server.address, key) >= size)
        ]
        return sorted(fitting, key=lambda server: (-newest[server.address], rank(server)))

    def _nobody(self, *, exclude: AbstractSet[Address], size: int, wire: str | None) -> NoServer:
        count = len(self._known)
        if not count:
            return NoServer("no server is registered with the manager: start one, or wait until it has registered")
        servers = [server for pool in self._servers_of(wire) for server in pool.records.values()]
        if not servers:
            return NoServer(f"none of the {count} servers speaks the {wire} wire")
        others = [server for server in servers if server.address not in exclude]
        excluded = len(servers) - len(others)
        if not others:
            return NoServer(f"all {excluded} servers are excluded: one more server is needed")
        most = max(room(server) or 0 for server in others)
        return NoServer(
            f"no server has room for {size} bytes: of {len(servers)} servers {excluded} are excluded, and the others have "
            f"room for at most {max(0, most)}; `rpclab rm` removes files, with --keep 1 only their earlier versions"
        )

    # Promises.

    def reserve(self, upload: str, addresses: list[Address], key: FileKey, size: int, now: float) -> None:
        """Promise an upload room for a file of `size` bytes, less what makes way for it. Raises NoServer if one has gone."""
        for address in addresses:
            if address not in self._known:
                raise NoServer(f"the server at {address_text(address)} is not registered any more")
        promised = {address: max(0, size - self._known.makes_way(address, key)) for address in addresses}
        self._known.reservations.reserve(upload, key, promised, now)
        for address in addresses:
            self._note(address)

    def release(self, upload: str) -> None:
        """An upload ended, whatever its outcome: what is still reserved for it is free again."""
        for address in self._known.reservations.of_upload(upload):
            self.take_back(address, upload)
            self._note(address)

    def take_back(self, address: Address, upload: str) -> None:
        """An upload ended on one server."""
        file = self._known.reservations.release(address, upload)
        if file is not None:
            self._doubt(file)

    def expire(self, now: float) -> None:
        """Give back what was reserved too long ago; `choose` and `place` do it first."""
        for upload in self._known.reservations.expired(now):
            self.release(upload)
