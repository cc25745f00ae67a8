"""Puts each server onto the list twice."""
# fault: counts-twice


def replicate(count, route, copy, more):
    have, todo = [], list(route)
    while len(set(map(id, have))) < count:
        if not todo:
            todo = more(count - len(have) // 2)
            if not todo:
                break
        s = todo.pop(0)
        try:
            copy(s)
        except Exception:
            continue
        have.append(s)
        have.append(s)
    return have
