"""A line of digits before each payload, as in a netstring."""

import io


class Framing:
    def __init__(self):
        self.waiting = b""

    def frame(self, kind, payload):
        if len(payload) > 65_536:
            raise ValueError("a frame is at most 65,536 bytes")
        return b"%d %d:%s" % (kind, len(payload), payload)

    def feed(self, data):
        self.waiting += data
        frames = []
        while (colon := self.waiting.find(b":", 0, 12)) >= 0:
            kind, length = map(int, self.waiting[:colon].split())
            if length > 65_536:
                raise ValueError("too long")
            file = io.BytesIO(self.waiting)
            file.seek(colon + 1)
            payload = file.read(length)
            if len(payload) < length:
                break
            frames.append((kind, payload))
            self.waiting = file.read()
        else:
            if len(self.waiting) >= 12:
                raise ValueError("no frame begins like this")
        return frames
