"""Goes on until there are enough copies, whatever there is."""
# fault: never-ends


def replicate(count, route, copy, more):
    have, waiting = [], list(route)
    while len(have) < count:
        waiting = waiting or list(more(count - len(have)))
        for server in waiting:
            if len(have) < count:
                try:
                    copy(server)
                    have.append(server)
                except Exception:
                    continue
        waiting = []
    return have
