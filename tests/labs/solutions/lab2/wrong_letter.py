"""The kind is sent as a letter in UTF-8, which takes two bytes from 128 on."""
# fault: kind

import struct


class Framing:
    def __init__(self):
        self.buf = b""

    def frame(self, kind, payload):
        if len(payload) > 65536:
            raise ValueError("too long")
        return chr(kind).encode() + struct.pack(">I", len(payload)) + payload

    def feed(self, data):
        self.buf += data
        out = []
        while len(self.buf) >= 5:
            kind, n = struct.unpack_from(">BI", self.buf)
            if n > 65536:
                raise ValueError("too long")
            if len(self.buf) < 5 + n:
                break
            out.append((kind, self.buf[5 : 5 + n]))
            self.buf = self.buf[5 + n :]
        return out
