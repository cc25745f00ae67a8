"""Goes through the route, then asks for as many others as are missing, until there are none."""


def replicate(count, route, copy, more):
    have, waiting = [], list(route)
    while len(have) < count:
        if not waiting:
            waiting = list(more(count - len(have)))
            if not waiting:
                break
        server = waiting.pop(0)
        try:
            copy(server)
        except Exception:
            continue
        have.append(server)
    return have
