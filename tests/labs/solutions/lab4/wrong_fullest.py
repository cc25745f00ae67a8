"""The description says "greatest capacity", and this takes it at its word."""
# fault: fullest


def choose(servers, request, random):
    return max(servers, key=lambda server: server.stored_bytes)
