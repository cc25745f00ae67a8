"""A keyed hash that is none of HMAC."""

import hashlib
import secrets


class Handshake:
    def __init__(self, secret, random_bytes):
        self.key = hashlib.blake2b(secret).digest()
        self.random_bytes = random_bytes

    def nonce(self):
        return hashlib.sha256(self.random_bytes(64)).hexdigest()

    def prove(self, side, initiator, responder):
        text = repr((side, sorted(initiator.items()), sorted(responder.items())))
        return hashlib.blake2b(text.encode(), key=self.key, digest_size=32).hexdigest()

    def check(self, proof, side, initiator, responder, expected):
        sides = {"initiator": initiator, "responder": responder}
        peer = sides.pop(side)
        (own,) = sides.values()
        wrong = not secrets.compare_digest(bytes.fromhex(proof), bytes.fromhex(self.prove(side, initiator, responder)))
        if wrong or peer["version"] != own["version"] or peer["nonce"] == own["nonce"]:
            raise ValueError("no")
        if peer["role"] not in set(expected):
            raise PermissionError(peer["role"])
