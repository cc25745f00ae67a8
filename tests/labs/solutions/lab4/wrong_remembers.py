"""Takes turns among equals, with a counter that no restart survives."""
# fault: remembers

turn = {"next": 0}


def choose(servers, request, random):
    least = min(server.stored_bytes + server.reserved_bytes for server in servers)
    equal = [server for server in servers if server.stored_bytes + server.reserved_bytes == least]
    turn["next"] += 1
    return equal[turn["next"] % len(equal)]
