"""Puts a server onto the list before it has the copy."""
# fault: claims


def replicate(count, route, copy, more):
    have = []
    for server in route[:count]:
        have.append(server)
        try:
            copy(server)
        except Exception as error:
            print(error)
    return have
