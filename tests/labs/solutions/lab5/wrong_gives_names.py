"""Gives back the servers' names."""
# fault: no-servers


def replicate(count, route, copy, more):
    have, todo = [], list(route)
    while len(have) < count:
        if not todo:
            todo = more(count - len(have))
            if not todo:
                break
        s = todo.pop(0)
        try:
            copy(s)
        except Exception:
            continue
        have.append(s.node)
    return have
