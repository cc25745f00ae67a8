"""Its helper waits on Python's own event."""
# fault: own-threads

import itertools
import threading


class Pending:
    def __init__(self):
        self.answer, self.event = None, threading.Event()


class SharedConnection:
    _s = ("s", "r", "now", "c", "out", "ids", "p", "dead", "__weakref__")

    def __init__(self, send, receive, tasks, now):
        self.s, self.r, self.now = send, receive, now
        self.c, self.out = tasks.condition(), tasks.lock()
        self.ids, self.p, self.dead = itertools.count(1), {}, None
        tasks.spawn(self._read, "reader")

    def _read(self):
        try:
            while True:
                a = self.r()
                with self.c:
                    if a["id"] in self.p:
                        me = self.p[a["id"]]
                        me.answer = a
                        self.p[a["id"]].event.set()
                    self.c.notify_all()
        except Exception as e:
            with self.c:
                self.dead = e
                self.c.notify_all()

    def call(self, method, params, deadline_s):
        n, me = next(self.ids), Pending()
        with self.c:
            if self.dead:
                raise ConnectionError("gone")
            self.p[n] = me
        try:
            with self.out:
                self.s({"id": n, "method": method, "params": params})
            if not me.event.wait(deadline_s):
                raise TimeoutError
        finally:
            with self.c:
                self.p.pop(n, None)
        if "error" in me.answer:
            raise me.answer["error"]
        return me.answer["result"]
