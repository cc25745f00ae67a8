"""Counts files."""
# fault: counts-files


def choose(servers, request, random):
    return min(servers, key=lambda server: server.files)
