"""Gets spare servers beforehand, to be safe."""
# fault: asks-for-more


def replicate(count, route, copy, more):
    have = []
    for server in [*route, *more(count)]:
        if len(have) == count:
            break
        try:
            copy(server)
            have.append(server)
        except Exception:
            continue
    return have
