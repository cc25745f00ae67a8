"""A key for each side, and lengths before the fields."""

import hmac


def packed(*values):
    return b"".join(len(value).to_bytes(4, "big") + value for value in map(str.encode, map(str, values)))


class Handshake:
    def __init__(self, secret, random_bytes):
        self.keys = {side: hmac.digest(secret, side.encode(), "sha512") for side in ("initiator", "responder")}
        self.fresh = random_bytes

    def nonce(self):
        return "".join(f"{byte:02x}" for byte in self.fresh(32))

    def prove(self, side, initiator, responder):
        fields = [hello[key] for hello in (initiator, responder) for key in ("version", "role", "node", "nonce")]
        return hmac.new(self.keys[side], packed(*fields), "sha256").hexdigest()

    def check(self, proof, side, initiator, responder, expected):
        own, peer = (responder, initiator) if side == "initiator" else (initiator, responder)
        right = self.prove(side, initiator, responder)
        assert hmac.compare_digest(proof.encode(), right.encode()), "no"
        assert own["nonce"] != peer["nonce"] and own["version"] == peer["version"] and peer["role"] in expected
