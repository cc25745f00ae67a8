"""Takes whatever is not just one frame for broken."""
# fault: one-read

import struct


class Framing:
    def frame(self, kind, payload):
        if len(payload) > 65536:
            raise ValueError
        return struct.pack(">BI", kind, len(payload)) + payload

    def feed(self, data):
        kind, n = struct.unpack_from(">BI", data)
        if len(data) != 5 + n:
            raise ValueError("broken frame")
        return [(kind, data[5 : 5 + n])]
