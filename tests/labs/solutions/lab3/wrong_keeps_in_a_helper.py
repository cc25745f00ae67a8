"""What it keeps lies in an object of its own."""
# fault: keeps-answers

import itertools


class Pending:
    __slots__ = ("answer",)

    def __init__(self):
        self.answer = None


class Table(dict):
    def __init__(self):
        self.old = []


class SharedConnection:
    _s = ("s", "r", "now", "c", "out", "ids", "p", "dead", "__weakref__")

    def __init__(self, send, receive, tasks, now):
        self.s, self.r, self.now = send, receive, now
        self.c, self.out = tasks.condition(), tasks.lock()
        self.ids, self.p, self.dead = itertools.count(1), Table(), None
        tasks.spawn(self._read, "reader")

    def _read(self):
        try:
            while True:
                a = self.r()
                with self.c:
                    if a["id"] in self.p:
                        self.p[a["id"]].answer = a
                    self.c.notify_all()
        except Exception as e:
            with self.c:
                self.dead = e
                self.c.notify_all()

    def call(self, method, params, deadline_s):
        end = self.now() + deadline_s
        n, me = next(self.ids), Pending()
        with self.c:
            if self.dead:
                raise ConnectionError("gone")
            self.p[n] = me
        try:
            with self.out:
                self.s({"id": n, "method": method, "params": params})
            with self.c:
                while me.answer is None:
                    if self.dead:
                        raise ConnectionError("gone")
                    left = end - self.now()
                    if left <= 0:
                        raise TimeoutError
                    self.c.wait(left)
        finally:
            with self.c:
                self.p.old.append(n)
                self.p.pop(n, None)
        if "error" in me.answer:
            raise me.answer["error"]
        return me.answer["result"]
