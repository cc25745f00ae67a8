"""Takes one receive for one message."""
# fault: one-read

import struct


class Framing:
    def frame(self, kind, payload):
        return struct.pack(">BI", kind, len(payload)) + payload

    def feed(self, data):
        kind, length = struct.unpack_from(">BI", data)
        return [(kind, data[5 : 5 + length])]
