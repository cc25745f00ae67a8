"""Forgets to give the answer back."""
# fault: none-of-them


def choose(servers, request, random):
    best = servers[0]
    for server in servers:
        if server.stored_bytes + server.reserved_bytes < best.stored_bytes + best.reserved_bytes:
            best = server
            return best
