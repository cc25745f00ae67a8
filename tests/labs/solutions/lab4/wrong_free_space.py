"""Counts with a quota that a server need not have."""
# fault: no-quota


def choose(servers, request, random):
    return max(servers, key=lambda s: s.quota_bytes - s.stored_bytes - s.reserved_bytes)
