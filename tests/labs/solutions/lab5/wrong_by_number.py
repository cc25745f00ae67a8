"""Goes through the route by number as far as count, however long it is."""
# fault: short-route


def replicate(count, route, copy, more):
    have, failed, place = [], 0, 0
    while len(have) < count:
        server = route[place]
        place += 1
        try:
            copy(server)
            have.append(server)
        except Exception:
            failed += 1
            route.extend(more(1))
            if place >= len(route):
                break
    return have
