"""The servers that one decision may choose from, in orders that make a good choice cheap among 100,000 of them.

A `Pool` keeps the servers of one wire in three orders, each up to date after every change:

- by name, in a sorted list: what a policy sees, so that index 17 means the same server to everybody;
- by load, in a heap: the server with the fewest bytes is at its top;
- by room left, in a heap of those with a quota: the ones too full for a file are found without looking at the others.

A change costs O(log n) comparisons. `Candidates` is a pool seen without the few servers that are excluded or too full:
nothing is copied, so k servers left out cost O(k log n).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from heapq import heappop, heappush
from typing import overload

from ..config import Address
from ..records import ServerRecord

__all__ = ["Candidates", "Pool", "Rank", "Ranking", "load", "rank", "room"]

Rank = tuple[int, int, str, Address]
"""What servers are compared by, the address last: so no two are equal, and an order is the same whoever makes it."""


def load(server: ServerRecord) -> int:
    """The bytes a server stores, and those it was promised and has not reported yet."""
    return server.stored_bytes + server.reserved_bytes


def rank(server: ServerRecord) -> Rank:
    """The order "fewest first": fewest bytes, then fewest files, then the node's name."""
    return load(server), server.files, server.node, server.address


def room(server: ServerRecord) -> int | None:
    """How many bytes more its quota lets a server take (below 0 if it is over it); None is "no limit"."""
    return None if server.quota_bytes is None else server.quota_bytes - load(server)


class Ranking:
    """Addresses by rank, the lowest first: a binary heap that also knows where each address stands in it.

    Knowing the place, it can move or remove any of n entries with O(log n) comparisons, and leaves no stale one behind.
    The rule of a heap: the entry at index i is no greater than its children at 2i + 1 and 2i + 2.
    """

    def __init__(self) -> None:
        self._heap: list[Rank] = []
        self._index: dict[Address, int] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, rank: Rank) -> None:
        """Enter an address by its rank, or give it another one."""
        index = self._index.setdefault(rank[3], len(self._heap))
        if index == len(self._heap):
            self._heap.append(rank)
        else:
            self._heap[index] = rank
        self._settle(index)

    def remove(self, address: Address) -> None:
        """Take an address out, if it is in: the last entry fills the gap."""
        index = self._index.pop(address, None)
        if index is None:
            return
        last = self._heap.pop()
        if index < len(self._heap):
            self._heap[index] = last
            self._settle(index)

    def ascending(self) -> Iterator[Rank]:
        """The ranks, lowest first; the first k of them cost O(k log k), whatever n is."""
        heap = self._heap
        frontier = [(heap[0], 0)] if heap else []
        while frontier:
            rank, index = heappop(frontier)
            yield rank
            for child in (2 * index + 1, 2 * index + 2):
                if child < len(heap):
                    heappush(frontier, (heap[child], child))

    def below(self, limit: Rank) -> list[Address]:
        """The k addresses of a rank below the limit, in no order, in O(k): below an entry that is not, nothing is."""
        found: list[Address] = []
        indexes = [0]
        while indexes:
            index = indexes.pop()
            if index < len(self._heap) and self._heap[index] < limit:
                found.append(self._heap[index][3])
                indexes += (2 * index + 1, 2 * index + 2)
        return found

    def _settle(self, index: int) -> None:
        """Move the entry at `index` up, or down, until the rule of the heap holds again."""
        entry = self._heap[index]
        while index and entry < self._heap[(index - 1) // 2]:
            index = self._move((index - 1) // 2, index)
        while (child := self._lesser_child(index)) is not None and self._heap[child] < entry:
            index = self._move(child, index)
        self._heap[index] = entry
        self._index[entry[3]] = index

    def _move(self, source: int, target: int) -> int:
        entry = self._heap[target] = self._heap[source]
        self._index[entry[3]] = target
        return source

    def _lesser_child(self, index: int) -> int | None:
        left, right = 2 * index + 1, 2 * index + 2
        if right < len(self._heap):
            return right if self._heap[right] < self._heap[left] else left
        return left if left < len(self._heap) else None


class Pool:
    """The servers of one wire (None: of any), by name, by load and by room left."""

    def __init__(self, wire: str | None = None) -> None:
        self._wire = wire
        self.records: dict[Address, ServerRecord] = {}
        self.by_name: list[tuple[str, Address]] = []
        self.by_load = Ranking()
        self.by_room = Ranking()

    def __len__(self) -> int:
        return len(self.records)

    def put(self, server: ServerRecord) -> None:
        """Enter a server, or what is new about it; one that speaks another wire is left out."""
        address = server.address
        known = self.records.get(address)
        if known is not None and (known.node, known.wire) != (server.node, server.wire):
            self.remove(address)
        if self._wire not in (None, server.wire):
            return
        if address not in self.records:
            insort(self.by_name, (server.node, address))
        self.records[address] = server
        self.by_load.put(rank(server))
        left = room(server)
        if left is None:
            self.by_room.remove(address)
        else:
            self.by_room.put((left, 0, "", address))

    def remove(self, address: Address) -> None:
        """Take a server out, if it is in."""
        if address in self.records:
            del self.by_name[self.position(address)]
            del self.records[address]
            self.by_load.remove(address)
            self.by_room.remove(address)

    def position(self, address: Address) -> int:
        """Where a server of this pool stands in the order of names."""
        return bisect_left(self.by_name, (self.records[address].node, address))

    def candidates(self, *, exclude: AbstractSet[Address] = frozenset(), size: int = 0) -> Candidates:
        """Those that are not excluded and have room for `size` bytes more."""
        blocked = {address for address in exclude if address in self.records}
        blocked.update(self.by_room.below((size, 0, "", ("", 0))))
        return Candidates(self, blocked)


class Candidates(Sequence[ServerRecord]):
    """A pool without its `blocked` servers: a sequence in order of node name, good until the pool changes."""

    def __init__(self, pool: Pool, blocked: AbstractSet[Address] = frozenset()) -> None:
        self._pool = pool
        self._blocked = blocked
        self._holes = sorted(map(pool.position, blocked))
        self._before = [hole - j for j, hole in enumerate(self._holes)]  # how many candidates stand before each hole

    def __len__(self) -> int:
        return len(self._pool) - len(self._blocked)

    @overload
    def __getitem__(self, index: int) -> ServerRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[ServerRecord]: ...
    def __getitem__(self, index: int | slice) -> ServerRecord | list[ServerRecord]:
        places = range(len(self))[index]  # a range knows negative indexes, slices and IndexError
        if isinstance(places, range):
            return [self._at(place) for place in places]
        return self._at(places)

    def __iter__(self) -> Iterator[ServerRecord]:
        return (self._pool.records[address] for _, address in self._pool.by_name if address not in self._blocked)

    def __contains__(self, server: object) -> bool:
        if not isinstance(server, ServerRecord):
            return False
        return server.address not in self._blocked and self._pool.records.get(server.address) == server

    def __repr__(self) -> str:
        return f"<{len(self)} servers that may be chosen, {len(self._blocked)} that may not>"

    def ascending(self) -> Iterator[ServerRecord]:
        """The servers by `rank`, the one with the fewest bytes first."""
        return (self._pool.records[rank[3]] for rank in self.ranks())

    def ranks(self) -> Iterator[Rank]:
        """Their ranks, in the same order."""
        return (rank for rank in self._pool.by_load.ascending() if rank[3] not in self._blocked)

    def fewest(self) -> ServerRecord:
        """What `min(self, key=rank)` says, without looking at every server."""
        return next(self.ascending())

    def turn(self, number: int) -> ServerRecord:
        """Whose turn it is in a round of the whole pool: that number's, or else the next one's that may be chosen."""
        position = number % len(self._pool)
        return self._at((position - bisect_left(self._holes, position)) % len(self))

    def _at(self, place: int) -> ServerRecord:
        _, address = self._pool.by_name[place + bisect_right(self._before, place)]
        return self._pool.records[address]
