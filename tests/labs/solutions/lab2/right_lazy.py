"""feed is a generator."""

import struct


class Framing:
    def __init__(self):
        self.buf = bytearray()

    def frame(self, kind, payload):
        if len(payload) > 65536:
            raise ValueError
        return struct.pack(">BI", kind, len(payload)) + payload

    def feed(self, data):
        self.buf += data
        while len(self.buf) >= 5:
            kind, n = struct.unpack_from(">BI", self.buf)
            if n > 65536:
                raise ValueError
            if len(self.buf) < 5 + n:
                return
            whole = bytes(self.buf[5 : 5 + n])
            del self.buf[: 5 + n]
            yield kind, whole
