"""Refuses only what is much too long."""
# fault: no-limit

import struct

HEADER = struct.Struct(">BI")
LARGEST = 65_536


class Framing:
    def __init__(self):
        self.buf = b""

    def frame(self, kind, payload):
        if len(payload) > LARGEST:
            raise ValueError("too long")
        return HEADER.pack(kind, len(payload)) + payload

    def feed(self, data):
        self.buf += data
        out = []
        while len(self.buf) >= 5:
            kind, n = HEADER.unpack_from(self.buf)
            if n > 1000000:
                raise ValueError("too long")
            if len(self.buf) < 5 + n:
                break
            out.append((kind, self.buf[5 : 5 + n]))
            self.buf = self.buf[5 + n :]
        return out
