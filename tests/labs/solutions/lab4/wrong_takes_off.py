"""Takes promised bytes off the stored ones."""
# fault: subtracts


def choose(servers, request, random):
    return min(servers, key=lambda s: s.stored_bytes - s.reserved_bytes)
