"""Compares each server with all others."""
# fault: slow


def load(server):
    return server.stored_bytes + server.reserved_bytes


def choose(servers, request, random):
    def beaten(server):
        return sum(load(other) < load(server) for other in servers)

    return min(servers, key=beaten)
