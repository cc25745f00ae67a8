"""The original's way: each task sends and receives, and hopes to be alone."""
# fault: two-sends


class SharedConnection:
    def __init__(self, send, receive, tasks, now):
        self.send_it, self.receive, self.number = send, receive, 0

    def call(self, method, params, deadline_s):
        self.number += 1
        self.send_it({"id": self.number, "method": method, "params": params})
        answer = self.receive()
        if "error" in answer:
            raise answer["error"]
        return answer["result"]
