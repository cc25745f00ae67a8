"""Does not look whether there is a connection."""
# fault: calls-after-end


class SharedConnection:
    def __init__(self, send, receive, tasks, now):
        self.send_it, self.receive, self.now = send, receive, now
        self.sending = tasks.lock()
        self.changed = tasks.condition()
        self.number = 0
        self.waiting = {}
        self.ended = None
        tasks.spawn(self.hear, "hears")

    def hear(self):
        try:
            while True:
                answer = self.receive()
                with self.changed:
                    if answer["id"] in self.waiting:
                        self.waiting[answer["id"]] = answer
                        self.changed.notify_all()
        except Exception as error:
            with self.changed:
                self.ended, self.last = error, self.number
                self.changed.notify_all()

    def call(self, method, params, deadline_s):
        until = self.now() + deadline_s
        with self.changed:
            self.number += 1
            number = self.number
            self.waiting[number] = None
        try:
            if self.ended is None:
                with self.sending:
                    self.send_it({"id": number, "method": method, "params": params})
            answer = self.wait(number, until)
        finally:
            with self.changed:
                del self.waiting[number]
        if "error" in answer:
            raise answer["error"]
        return answer["result"]

    def wait(self, number, until):
        with self.changed:
            while self.waiting[number] is None:
                if self.ended is not None and number <= self.last:
                    raise ConnectionError("the connection has ended") from self.ended
                left = until - self.now()
                if left <= 0:
                    raise TimeoutError("no answer in time")
                self.changed.wait(left)
            return self.waiting[number]
