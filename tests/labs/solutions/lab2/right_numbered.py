"""Each frame has a number, so that a lost or doubled one is noticed."""

import struct


class Framing:
    """Each frame has a number, so that a lost or doubled one is noticed."""

    def __init__(self):
        self.sent, self.got, self.buf = 0, 0, b""

    def frame(self, kind, payload):
        if len(payload) > 65536:
            raise ValueError("too long")
        self.sent += 1
        return struct.pack(">IBI", self.sent, kind, len(payload)) + payload

    def feed(self, data):
        self.buf += data
        out = []
        while len(self.buf) >= 9:
            number, kind, n = struct.unpack_from(">IBI", self.buf)
            if n > 65536 or number != self.got + 1:
                raise ValueError("not the next frame")
            if len(self.buf) < 9 + n:
                break
            self.got += 1
            out.append((kind, self.buf[9 : 9 + n]))
            self.buf = self.buf[9 + n :]
        return out
