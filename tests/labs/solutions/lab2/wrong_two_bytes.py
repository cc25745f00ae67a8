"""Two bytes hold no 65,536."""
# fault: largest

import struct


class Framing:
    def __init__(self):
        self.waiting = b""

    def frame(self, kind, payload):
        if len(payload) > 65_536:
            raise ValueError("too long")
        return struct.pack(">BH", kind, len(payload)) + payload

    def feed(self, data):
        self.waiting += data
        frames = []
        while len(self.waiting) >= 3:
            kind, length = struct.unpack_from(">BH", self.waiting)
            if len(self.waiting) < 3 + length:
                break
            frames.append((kind, self.waiting[3 : 3 + length]))
            self.waiting = self.waiting[3 + length :]
        return frames
