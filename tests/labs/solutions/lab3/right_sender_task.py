"""A task sends, a task receives, and callers only look at shared state."""


class SharedConnection:
    def __init__(self, send, receive, tasks, now):
        self.state = tasks.condition()
        self.now = now
        self.outbox, self.answers, self.dead = [], {}, False
        self.count = 0
        tasks.spawn(lambda: self.forever(lambda: self.send_next(send)), "sends")
        tasks.spawn(lambda: self.forever(lambda: self.take_next(receive)), "receives")

    def forever(self, step):
        try:
            while not self.dead:
                step()
        except Exception:
            with self.state:
                self.dead = True
                self.state.notify_all()

    def send_next(self, send):
        with self.state:
            while not self.outbox:
                if self.dead:
                    return
                self.state.wait()
            message = self.outbox.pop(0)
        send(message)

    def take_next(self, receive):
        answer = receive()
        with self.state:
            if answer["id"] in self.answers:
                self.answers[answer["id"]] = answer
            self.state.notify_all()

    def call(self, method, params, deadline_s):
        until = self.now() + deadline_s
        with self.state:
            self.count = number = self.count + 1
            self.answers[number] = None
            self.outbox.append({"id": number, "method": method, "params": params})
            self.state.notify_all()
            try:
                while self.answers[number] is None and not self.dead and until > self.now():
                    self.state.wait(until - self.now())
                answer = self.answers[number]
                if answer is None:
                    raise ConnectionError("dead") if self.dead else TimeoutError("late")
            finally:
                del self.answers[number]
        if "error" in answer:
            raise answer["error"]
        return answer["result"]
