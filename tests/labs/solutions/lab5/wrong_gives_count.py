"""Gives back how many copies there are."""
# fault: no-servers


def replicate(count, route, copy, more):
    have = []
    for i in range(count):
        try:
            copy(route[i])
            have.append(route[i])
        except Exception:
            for s in more(1):
                copy(s)
                have.append(s)
    return len(have)
