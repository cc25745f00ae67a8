"""No length at all: a mark ends a frame, and wherever the content has it, it is escaped."""

MARK, ESCAPE = b"\n", b"\\"


class Framing:
    def __init__(self):
        self.waiting = b""

    def frame(self, kind, payload):
        if len(payload) > 65_536:
            raise ValueError("too long")
        body = bytes([kind]) + payload
        return body.replace(ESCAPE, ESCAPE + b"e").replace(MARK, ESCAPE + b"n") + MARK

    def feed(self, data):
        *whole, self.waiting = (self.waiting + data).split(MARK)
        if len(self.waiting) > 2 * 65_537:
            raise ValueError("too long")
        bodies = [each.replace(ESCAPE + b"n", MARK).replace(ESCAPE + b"e", ESCAPE) for each in whole]
        return [(body[0], body[1:]) for body in bodies]
