"""An object that can be called, and a heap."""

import heapq


class Emptiest:
    def __call__(self, servers, request, random):
        heap = [(server.stored_bytes + server.reserved_bytes, number) for number, server in enumerate(servers)]
        heapq.heapify(heap)
        return servers[heap[0][1]].node


choose = Emptiest()
