"""Asks for one server at a time, and keeps a set of nodes."""


def replicate(count, route, copy, more):
    servers = {}
    queue = list(reversed(route))
    while len(servers) != count:
        if queue:
            candidate = queue.pop()
        else:
            extra = more(1)
            if len(extra) == 0:
                return servers.values()
            candidate = extra[0]
        try:
            copy(candidate)
            servers[candidate.node] = candidate
        except Exception as why:
            print("no copy at", candidate.node, why)
    return servers.values()
