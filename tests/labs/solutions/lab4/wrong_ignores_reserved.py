"""Knows only what has been reported."""
# fault: ignores-reserved


def choose(servers, request, random):
    return min(servers, key=lambda server: server.stored_bytes)
