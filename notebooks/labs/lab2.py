"""Lab 2: messages on a stream. Your part is the class Framing; the notebook says what it is for.

rpclab check lab2 lab2.py
"""

import struct

HEADER = struct.Struct(">BI")  # the kind, one byte; the length of the payload, four bytes, the highest first
LARGEST = 65_536


class Framing:
    """One end of one connection. Both ends of every connection in the cluster have one of their own."""

    def frame(self, kind, payload):
        """The bytes to send for one message: `kind` is a number from 0 to 255, `payload` are bytes.

        More than LARGEST bytes are refused: raise ValueError.
        """
        return HEADER.pack(kind, len(payload)) + payload

    def feed(self, data):
        """`data` is what one receive gave. Give back a list of the (kind, payload) that are whole by now, in order.

        Whatever cannot be the beginning of a frame, or would be one of more than LARGEST bytes: raise ValueError.
        """
        kind, length = HEADER.unpack_from(data)
        return [(kind, data[HEADER.size : HEADER.size + length])]
