"""Takes them in turns, and does not look at them."""
# fault: always-the-same


def choose(servers, request, random):
    return servers[request.number % len(servers)]
