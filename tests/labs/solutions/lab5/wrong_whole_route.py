"""Sends to every server that it is told of."""
# fault: too-many


def replicate(count, route, copy, more):
    have = []
    for server in route:
        try:
            copy(server)
            have.append(server)
        except Exception:
            continue
    return have
