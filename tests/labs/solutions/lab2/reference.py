"""The length stands before the payload."""

import struct

HEADER = struct.Struct(">BI")
LARGEST = 65_536


class Framing:
    def __init__(self):
        self.waiting = bytearray()

    def frame(self, kind, payload):
        if len(payload) > LARGEST:
            raise ValueError(f"a frame carries at most {LARGEST} bytes")
        return HEADER.pack(kind, len(payload)) + payload

    def feed(self, data):
        self.waiting += data
        frames = []
        while len(self.waiting) >= HEADER.size:
            kind, length = HEADER.unpack_from(self.waiting)
            if length > LARGEST:
                raise ValueError(f"a frame says that it has {length} bytes")
            end = HEADER.size + length
            if len(self.waiting) < end:
                break
            frames.append((kind, bytes(self.waiting[HEADER.size : end])))
            del self.waiting[:end]
        return frames
