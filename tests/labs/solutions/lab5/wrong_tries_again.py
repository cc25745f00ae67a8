"""Hopes that the same server will do it the second time."""
# fault: twice


def replicate(count, route, copy, more):
    have = []
    for server in route:
        for _ in range(3):
            if len(have) == count:
                break
            try:
                copy(server)
                have.append(server)
                break
            except Exception:
                continue
    return have
