"""A coroutine that asks for as many bytes as it needs next."""


class Framing:
    def __init__(self):
        self.frames, self.waiting = [], bytearray()
        self.reader = self.read()
        self.wanted = next(self.reader)

    def frame(self, kind, payload):
        if len(payload) > 65_536:
            raise ValueError("too long")
        return kind.to_bytes(1, "big") + len(payload).to_bytes(3, "little") + payload

    def read(self):
        while True:
            header = yield 4
            length = int.from_bytes(header[1:], "little")
            if length > 65_536:
                raise ValueError("too long")
            payload = (yield length) if length else b""
            self.frames.append((header[0], payload))

    def feed(self, data):
        self.waiting += data
        while len(self.waiting) >= self.wanted:
            piece = bytes(self.waiting[: self.wanted])
            del self.waiting[: self.wanted]
            self.wanted = self.reader.send(piece)
        frames, self.frames = self.frames, []
        return frames
