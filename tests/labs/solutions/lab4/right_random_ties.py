"""Ties are broken by the chance that is given."""


def choose(servers, request, random):
    least = min(server.stored_bytes + server.reserved_bytes for server in servers)
    return random.choice([server for server in servers if server.stored_bytes + server.reserved_bytes == least])
