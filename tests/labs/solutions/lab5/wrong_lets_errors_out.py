"""Expects no server to fail."""
# fault: lets-errors-out


def replicate(count, route, copy, more):
    for server in route[:count]:
        copy(server)
    return route[:count]
