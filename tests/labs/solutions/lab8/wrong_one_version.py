"""Refuses the one version that it has heard of."""
# fault: version

import hashlib
import hmac
import json


class Handshake:
    def __init__(self, secret, random_bytes):
        self.secret, self.random_bytes = secret, random_bytes

    def nonce(self):
        return self.random_bytes(32).hex()

    def prove(self, side, initiator, responder):
        said = json.dumps([side, initiator, responder], sort_keys=True).encode()
        return hmac.new(self.secret, said, hashlib.sha256).hexdigest()

    def check(self, proof, side, initiator, responder, expected):
        peer = initiator if side == "initiator" else responder
        if not hmac.compare_digest(proof, self.prove(side, initiator, responder)):
            raise ValueError("the peer does not know the secret")
        if initiator["nonce"] == responder["nonce"]:
            raise ValueError("the peer sent our nonce back")
        if initiator["version"] == 2:
            raise ValueError("the peer speaks another version")
        if peer["role"] not in expected:
            raise ValueError(f"a {peer['role']} may not speak here")
