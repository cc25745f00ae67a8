"""Takes its chance by name from Python's module."""
# fault: own-chance

from random import choice


def choose(servers, request, random):
    least = min(s.stored_bytes + s.reserved_bytes for s in servers)
    return choice([s for s in servers if s.stored_bytes + s.reserved_bytes == least])
