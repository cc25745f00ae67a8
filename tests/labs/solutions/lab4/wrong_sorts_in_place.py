"""Sorts the manager's own list."""
# fault: changes-its-arguments


def choose(servers, request, random):
    servers = servers if isinstance(servers, list) else list(servers)
    servers.sort(key=lambda server: server.stored_bytes + server.reserved_bytes)
    servers.append(servers[0])
    return servers[0]
