"""Fewest bytes, stored and promised together."""


def choose(servers, request, random):
    return min(servers, key=lambda server: (server.stored_bytes + server.reserved_bytes, server.files, server.node))
