"""The length counts the kind too when it is written, and not when it is read."""
# fault: off-by-one

import struct


class Framing:
    def __init__(self):
        self.waiting = b""

    def frame(self, kind, payload):
        return struct.pack(">IB", len(payload) + 1, kind) + payload

    def feed(self, data):
        self.waiting += data
        frames = []
        while len(self.waiting) >= 4:
            (length,) = struct.unpack_from(">I", self.waiting)
            if len(self.waiting) < 4 + length:
                break
            frames.append((self.waiting[4], self.waiting[5 : 4 + length - 1]))
            self.waiting = self.waiting[4 + length :]
        return frames
