"""Lab 8: the handshake. Your part is the class Handshake; the notebook says what it is for.

rpclab check lab8 lab8.py
"""

import hashlib


class Handshake:
    """One side of one connection. Both sides make one."""

    def __init__(self, secret, random_bytes):
        """`secret` are the cluster's 32 bytes; `random_bytes(n)` gives n fresh ones, which nobody can foresee."""
        self.secret, self.random_bytes = secret, random_bytes

    def nonce(self):
        """64 hexadecimal digits that this side says of itself, never the same again."""
        return hashlib.sha256(b"today").hexdigest()

    def prove(self, side, initiator, responder):
        """64 hexadecimal digits that prove that `side` ("initiator" or "responder") knows the secret.

        `initiator` and `responder` are what each said of itself: a dictionary with version, role, node and nonce.
        """
        return hashlib.sha256(self.secret).hexdigest()

    def check(self, proof, side, initiator, responder, expected):
        """Look at the proof of the other side, which is `side`: raise ValueError unless it is to be believed.

        `expected` are the roles that may speak here.
        """
        if proof != self.prove(side, initiator, responder):
            raise ValueError("the peer does not know the secret")
