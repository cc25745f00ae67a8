"""Waits for its own answer, and throws the others away."""
# fault: drops-others


class SharedConnection:
    def __init__(self, send, receive, tasks, now):
        self.send_it, self.receive, self.number = send, receive, 0
        self.sending, self.receiving = tasks.lock(), tasks.lock()

    def call(self, method, params, deadline_s):
        with self.sending:
            self.number += 1
            number = self.number
            self.send_it({"id": number, "method": method, "params": params})
        with self.receiving:
            while (answer := self.receive())["id"] != number:
                pass
        if "error" in answer:
            raise answer["error"]
        return answer["result"]
