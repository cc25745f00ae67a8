"""Chunks with two bytes of length; a full one has another behind it. Sevens are frames by chance."""


class Framing:
    """Chunks of at most 65,535 bytes; the highest bit of nothing is used: a chunk that is full has another behind it."""

    def __init__(self):
        self.buf, self.part, self.kind = b"", b"", None

    def frame(self, kind, payload):
        if len(payload) > 65536:
            raise ValueError("too long")
        out = bytes([kind])
        while True:
            chunk, payload = payload[:65535], payload[65535:]
            out += len(chunk).to_bytes(2, "big") + chunk
            if len(chunk) < 65535:
                return out

    def feed(self, data):
        self.buf += data
        out = []
        while self.buf:
            if self.kind is None:
                self.kind, self.buf = self.buf[0], self.buf[1:]
            n = int.from_bytes(self.buf[:2], "big")
            if len(self.buf) >= 2 and len(self.part) + n > 65536:
                raise ValueError("too long")
            if len(self.buf) < 2 + n or len(self.buf) < 2:
                break
            self.part, self.buf = self.part + self.buf[2 : 2 + n], self.buf[2 + n :]
            if n < 65535:
                out.append((self.kind, self.part))
                self.kind, self.part = None, b""
        return out
