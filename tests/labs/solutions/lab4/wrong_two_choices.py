"""The better of two at random, which is right elsewhere."""
# fault: not-all


def choose(servers, request, random):
    two = random.sample(servers, min(2, len(servers)))
    return min(two, key=lambda s: s.stored_bytes + s.reserved_bytes)
