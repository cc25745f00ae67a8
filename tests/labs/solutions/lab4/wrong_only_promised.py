"""Looks at the promised bytes alone."""
# fault: ignores-stored


def choose(servers, request, random):
    return min(servers, key=lambda s: s.reserved_bytes)
