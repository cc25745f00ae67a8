"""Gives out every whole frame of one receive, and forgets the half one behind them."""
# fault: half-frame

import struct


class Framing:
    def frame(self, kind, payload):
        return struct.pack(">BI", kind, len(payload)) + payload

    def feed(self, data):
        frames = []
        while len(data) >= 5:
            kind, length = struct.unpack_from(">BI", data)
            if len(data) < 5 + length:
                break
            frames.append((kind, data[5 : 5 + length]))
            data = data[5 + length :]
        return frames
