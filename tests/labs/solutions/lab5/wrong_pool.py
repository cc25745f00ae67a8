"""Sends from a pool of Python's own threads."""
# fault: own-threads

from concurrent.futures import ThreadPoolExecutor


def replicate(count, route, copy, more):
    have, todo = [], list(route)

    def one(s):
        try:
            copy(s)
        except Exception:
            return None
        return s

    while len(have) < count:
        now, todo = todo[: count - len(have)], todo[count - len(have) :]
        if not now:
            now = more(count - len(have))
        if not now:
            break
        with ThreadPoolExecutor() as pool:
            have += [s for s in pool.map(one, now) if s]
    return have
