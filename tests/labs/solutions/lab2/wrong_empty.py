"""A length of nothing is taken for no frame at all."""
# fault: empty

import struct


class Framing:
    def __init__(self):
        self.waiting = b""

    def frame(self, kind, payload):
        return struct.pack(">BI", kind, len(payload)) + payload

    def feed(self, data):
        self.waiting += data
        frames = []
        while len(self.waiting) >= 5:
            kind, length = struct.unpack_from(">BI", self.waiting)
            if not length or len(self.waiting) < 5 + length:
                break
            frames.append((kind, self.waiting[5 : 5 + length]))
            self.waiting = self.waiting[5 + length :]
        return frames
