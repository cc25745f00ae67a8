"""Breaks ties with chance of its own, which no seed repeats."""
# fault: own-chance

import random as dice


def choose(servers, request, random):
    return min(servers, key=lambda server: (server.stored_bytes + server.reserved_bytes, dice.random()))
