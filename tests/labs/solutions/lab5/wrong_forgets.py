"""Gives back the first server only."""
# fault: forgets


def replicate(count, route, copy, more):
    have = []
    for server in route[:count]:
        try:
            copy(server)
            have.append(server)
        except Exception:
            continue
    return have[:1]
