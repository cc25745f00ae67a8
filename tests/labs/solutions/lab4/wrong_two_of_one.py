"""Always compares two."""
# fault: one-server


def choose(servers, request, random):
    first, _second, *_others = sorted(servers, key=lambda server: server.stored_bytes + server.reserved_bytes)
    return first
