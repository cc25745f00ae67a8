"""Writes payloads as text."""
# fault: text

import json


class Framing:
    def __init__(self):
        self.waiting = ""

    def frame(self, kind, payload):
        return (json.dumps([kind, payload.decode()]) + "\n").encode()

    def feed(self, data):
        self.waiting += data.decode()
        *lines, self.waiting = self.waiting.split("\n")
        return [(kind, payload.encode()) for kind, payload in map(json.loads, lines)]
