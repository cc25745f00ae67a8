"""Asks for other servers once."""
# fault: asks-once


def replicate(count, route, copy, more):
    have = []

    def send(servers):
        for server in servers:
            if len(have) < count:
                try:
                    copy(server)
                    have.append(server)
                except Exception:
                    continue

    send(route)
    if len(have) < count:
        send(more(count - len(have)))
    return have
