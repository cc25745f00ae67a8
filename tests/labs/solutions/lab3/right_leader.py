"""No task of its own: one of the callers receives for all, and hands over when it has its answer; a late one spawns a reader."""


class SharedConnection:
    def __init__(self, send, receive, tasks, now):
        self._send, self._receive, self._tasks, self._now = send, receive, tasks, now
        self._guard = tasks.condition()
        self._out = tasks.lock()
        self._ids = iter(range(1, 1 << 60))
        self._pending = set()
        self._arrived = {}
        self._reading = False
        self._failure = None

    def _read_one(self):
        try:
            answer = self._receive()
        except Exception as error:
            answer, self._failure = None, error
        with self._guard:
            self._reading = False
            if answer is not None and answer["id"] in self._pending:
                self._arrived[answer["id"]] = answer
            self._guard.notify_all()

    def call(self, method, params, deadline_s):
        until = self._now() + deadline_s
        with self._guard:
            number = next(self._ids)
            self._pending.add(number)
        try:
            with self._out:
                self._send({"id": number, "method": method, "params": params})
            with self._guard:
                while number not in self._arrived:
                    if self._failure is not None:
                        raise ConnectionError("gone")
                    if self._now() >= until:
                        raise TimeoutError("too late")
                    if not self._reading:
                        self._reading = True
                        self._tasks.spawn(self._read_one, "reads one answer")
                    self._guard.wait(until - self._now())
                answer = self._arrived[number]
        finally:
            with self._guard:
                self._pending.discard(number)
                self._arrived.pop(number, None)
        if "error" in answer:
            raise answer["error"]
        return answer["result"]
