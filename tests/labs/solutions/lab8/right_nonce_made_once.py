"""One nonce for each handshake, made when that is made."""

import hashlib
import hmac
import json


class Handshake:
    def __init__(self, secret, random_bytes):
        self.secret, self.own = secret, random_bytes(32).hex()

    def nonce(self):
        return self.own

    def prove(self, side, initiator, responder):
        said = json.dumps([side, initiator, responder], sort_keys=True).encode()
        return hmac.new(self.secret, said, hashlib.sha256).hexdigest()

    def check(self, proof, side, initiator, responder, expected):
        peer = initiator if side == "initiator" else responder
        if not hmac.compare_digest(proof, self.prove(side, initiator, responder)):
            raise ValueError("the peer does not know the secret")
        if initiator["nonce"] == responder["nonce"]:
            raise ValueError("the peer sent our nonce back")
        if initiator["version"] != responder["version"]:
            raise ValueError("the peer speaks another version")
        if peer["role"] not in expected:
            raise ValueError(f"a {peer['role']} may not speak here")
