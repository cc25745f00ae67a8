"""A stream of servers, of which as many are taken as succeed."""

import itertools


def replicate(count, route, copy, more):
    have = []

    def candidates():
        yield from route
        while others := more(count - len(have)):
            yield from others

    for server in itertools.takewhile(lambda _: True, candidates()) if count else ():
        try:
            copy(server)
        except Exception:
            pass
        else:
            have.append(server)
        if len(have) >= count:
            break
    return tuple(have)
