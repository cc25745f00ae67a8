"""Each call has a condition of its own, and an object that keeps its answer."""


class Waiting:
    def __init__(self, condition):
        self.condition, self.answer = condition, None

    def put(self, answer):
        with self.condition:
            self.answer = answer
            self.condition.notify_all()


class SharedConnection:
    def __init__(self, send, receive, tasks, now):
        self.tasks, self.now, self.receive = tasks, now, receive
        self.lock = tasks.lock()
        self.write = tasks.lock()
        self.transmit = send
        self.open = {}
        self.last = 0
        self.over = False
        tasks.spawn(self.loop, "answers")

    def loop(self):
        while not self.over:
            try:
                answer = self.receive()
            except Exception as error:
                with self.lock:
                    self.over = True
                    left = list(self.open.values())
                for each in left:
                    each.put({"error": ConnectionError(str(error))})
                return
            with self.lock:
                target = self.open.get(answer["id"])
            if target:
                target.put(answer)

    def call(self, method, params, deadline_s):
        end = self.now() + deadline_s
        mine = Waiting(self.tasks.condition())
        with self.lock:
            if self.over:
                raise ConnectionError("it is over")
            self.last += 1
            number = f"call {self.last}"
            self.open[number] = mine
        try:
            with self.write:
                self.transmit(dict(id=number, method=method, params=params))
            with mine.condition:
                while mine.answer is None and self.now() < end:
                    mine.condition.wait(end - self.now())
        finally:
            with self.lock:
                self.open.pop(number)
        if mine.answer is None:
            raise TimeoutError(method)
        if mine.answer.get("error"):
            raise mine.answer["error"]
        return mine.answer["result"]
