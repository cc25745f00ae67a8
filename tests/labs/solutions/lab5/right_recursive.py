"""Each round does what the one before has left."""


def sent(server, copy):
    try:
        copy(server)
        return True
    except Exception as error:
        print(f"{server.node}: {error}")
        return False


def replicate(count, route, copy, more):
    if count <= 0:
        return []
    have = []
    for server in route:
        if len(have) == count:
            break
        have += [server] if sent(server, copy) else []
    missing = count - len(have)
    fresh = more(missing) if missing else []
    return have + (replicate(missing, fresh, copy, more) if fresh else [])
