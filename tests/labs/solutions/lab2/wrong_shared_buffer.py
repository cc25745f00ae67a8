"""The buffer belongs to the class, so all connections share it."""
# fault: shared-state

import struct


class Framing:
    waiting = bytearray()

    def frame(self, kind, payload):
        if len(payload) > 65_536:
            raise ValueError("too long")
        return struct.pack(">BI", kind, len(payload)) + payload

    def feed(self, data):
        self.waiting += data
        frames = []
        while len(self.waiting) >= 5:
            kind, length = struct.unpack_from(">BI", self.waiting)
            if length > 65_536:
                raise ValueError("too long")
            if len(self.waiting) < 5 + length:
                break
            frames.append((kind, bytes(self.waiting[5 : 5 + length])))
            del self.waiting[: 5 + length]
        return frames
