"""Ends every frame with a mark, which a file may contain."""
# fault: content-ends


class Framing:
    def __init__(self):
        self.waiting = b""

    def frame(self, kind, payload):
        return bytes([kind]) + payload + b"EOF"

    def feed(self, data):
        self.waiting += data
        *whole, self.waiting = self.waiting.split(b"EOF")
        return [(frame[0], frame[1:]) for frame in whole if frame]
