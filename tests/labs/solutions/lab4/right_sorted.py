"""Sorts a copy, and answers with an address."""

from operator import attrgetter


def load(server):
    return sum(attrgetter("stored_bytes", "reserved_bytes")(server))


def choose(servers, request, random):
    return sorted(servers, key=load)[0].address
