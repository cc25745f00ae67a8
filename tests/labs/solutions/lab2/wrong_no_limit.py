"""Believes whatever length it reads."""
# fault: no-limit

import struct


class Framing:
    def __init__(self):
        self.waiting = bytearray()

    def frame(self, kind, payload):
        return struct.pack(">BI", kind, len(payload)) + payload

    def feed(self, data):
        self.waiting += data
        frames = []
        while len(self.waiting) >= 5:
            kind, length = struct.unpack_from(">BI", self.waiting)
            if len(self.waiting) < 5 + length:
                break
            frames.append((kind, bytes(self.waiting[5 : 5 + length])))
            del self.waiting[: 5 + length]
        return frames
