"""Lab 3: one connection, many threads. Your part is the class SharedConnection; the notebook says what it is for.

rpclab check lab3 lab3.py
"""


class SharedConnection:
    """All tasks of a client call over this one connection."""

    def __init__(self, send, receive, tasks, now):
        """What you have: nothing of Python's threading or time, so that your code runs in the simulated world too.

        send(message)   sends {"id": ..., "method": ..., "params": ...}; only one task at a time may be in it
        receive()       waits for the next answer: {"id": ..., "result": ...} or {"id": ..., "error": an exception}; one at a time
        tasks           tasks.lock(), tasks.condition(), tasks.spawn(function, name), as in threading
        now()           seconds

        What send or receive raises means that the connection has ended.
        """
        self.send, self.receive, self.number = send, receive, 0

    def call(self, method, params, deadline_s):
        """The result of a call; raises what the answer holds as "error", and TimeoutError when none came in so many seconds.

        `params` are sent on as they are.
        """
        self.number += 1
        self.send({"id": self.number, "method": method, "params": params})
        answer = self.receive()
        return answer["result"]
