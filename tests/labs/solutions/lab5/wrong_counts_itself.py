"""Counts the server that it runs on."""
# fault: too-few


def replicate(count, route, copy, more):
    have = []
    for server in route:
        if len(have) == max(1, count - 1):
            break
        try:
            copy(server)
            have.append(server)
        except Exception:
            continue
    return have[:count]
