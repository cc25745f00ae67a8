"""Lab 4: placement. Your part is the function choose; the notebook says what it is for.

rpclab check lab4 lab4.py
"""


def choose(servers, request, random):
    """The server that is to store the next copy: one of `servers`.

    Each server has node, address, stored_bytes, reserved_bytes (promised, not yet reported), quota_bytes and files. The request
    has file (as "client1/photo.png"), size and number (of decisions before this one). `random` is the only chance you may use.
    """
    return servers[0]
