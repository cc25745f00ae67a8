"""Uses Python's own lock."""
# fault: own-threads

import threading


class SharedConnection:
    def __init__(self, send, receive, tasks, now):
        self.send_it, self.receive, self.lock = send, receive, threading.Lock()

    def call(self, method, params, deadline_s):
        with self.lock:
            self.send_it({"id": 1, "method": method, "params": params})
            return self.receive()["result"]
