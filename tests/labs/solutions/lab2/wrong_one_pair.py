"""Gives the pair back itself, not in a list."""
# fault: no-list

import struct


class Framing:
    def frame(self, kind, payload):
        return struct.pack(">BI", kind, len(payload)) + payload

    def feed(self, data):
        kind, n = struct.unpack_from(">BI", data)
        return (kind, data[5 : 5 + n])
