"""One server that fails ends it for the others."""
# fault: gives-up


def replicate(count, route, copy, more):
    have = []
    try:
        for server in route[:count]:
            copy(server)
            have.append(server)
    except Exception:
        pass
    return have
