"""Locks the sending, and lets everybody receive."""
# fault: two-receives


class SharedConnection:
    def __init__(self, send, receive, tasks, now):
        self.send_it, self.receive, self.number = send, receive, 0
        self.sending = tasks.lock()

    def call(self, method, params, deadline_s):
        with self.sending:
            self.number += 1
            number = self.number
            self.send_it({"id": number, "method": method, "params": params})
        while (answer := self.receive())["id"] != number:
            pass
        if "error" in answer:
            raise answer["error"]
        return answer["result"]
