"""Lab 5: replication. Your part is the function replicate; the notebook says what it is for.

rpclab check lab5 lab5.py
"""


def replicate(count, route, copy, more):
    """See that `count` other servers get a copy of a file that this server has stored; give back those that have one.

    `route` are the servers that the manager has chosen, in order. `copy(server)` sends the file there: it returns once the copy
    is durable, and raises if it failed. `more(n)` gives up to n servers that you were not given yet, and [] if there are none;
    room is reserved for the file on each of them.
    """
    copy(route[0])
    return [route[0]]
