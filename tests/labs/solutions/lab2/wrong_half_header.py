"""Waits for the payload, but takes it for granted that the header has arrived."""
# fault: half-header

import struct


class Framing:
    def __init__(self):
        self.waiting = b""

    def frame(self, kind, payload):
        return struct.pack(">BI", kind, len(payload)) + payload

    def feed(self, data):
        self.waiting += data
        frames = []
        while self.waiting:
            kind, length = struct.unpack_from(">BI", self.waiting)
            if len(self.waiting) < 5 + length:
                break
            frames.append((kind, self.waiting[5 : 5 + length]))
            self.waiting = self.waiting[5 + length :]
        return frames
