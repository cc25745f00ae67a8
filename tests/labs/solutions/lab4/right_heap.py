"""A heap of entries that are a dataclass; gives an address back."""

import heapq
from dataclasses import dataclass


@dataclass(order=True)
class Entry:
    load: int
    place: int


def choose(servers, request, random):
    heap = [Entry(s.stored_bytes + s.reserved_bytes + request.size, i) for i, s in enumerate(servers)]
    heapq.heapify(heap)
    return servers[heap[0].place].address
