"""What lab 3 asks for, and a hint in three degrees for each fault that its checks can tell."""

from __future__ import annotations

from ..lab import Hint, Lab

__all__ = ["LAB"]

LAB = Lab(
    "lab3",
    "One connection, many threads",
    needs={
        "SharedConnection": "class with __init__(self, send, receive, tasks, now) and call(self, method, params, deadline_s)"
    },
    ours=("rpclab.rpc", "rpclab.world", "rpclab.lessons"),
    minutes=120,
    lines=45,
    faults={
        "message": Hint(
            "What does the far end need, to know what to do and whom to answer?",
            "Look at what you give to send.",
            "A message is a dictionary with id, method and params; something else was sent.",
        ),
        "result": Hint(
            "What does call give back?",
            "Look at which part of the answer you return.",
            "The result of the answer does not come back from call.",
        ),
        "swallowed": Hint(
            "The answer says that the call failed. What does the caller see?",
            "Look at what you do with an answer that has an error.",
            "An error in the answer is not raised.",
        ),
        "own-threads": Hint(
            "Whose clock, locks and threads do you use?",
            "Look at your imports: you are given `tasks` and `now`.",
            "Python's own threads and clock are used: in the simulated world they stand still, and nothing can be replayed.",
        ),
        "lock-across": Hint(
            "A second task wants to call while the first still waits for its answer. May it?",
            "Look at what you hold while you wait for an answer.",
            "A lock is held across the whole call: one task waits for its answer, and all others for that task.",
        ),
        "two-sends": Hint(
            "What happens to the bytes when two tasks send at the same moment?",
            "Look at who may be in send.",
            "Two tasks are in send at once.",
        ),
        "two-receives": Hint(
            "Who is to receive, when several wait for answers?",
            "Look at who may be in receive, and what it does with an answer for somebody else.",
            "Two tasks are in receive at once.",
        ),
        "crossed": Hint(
            "Answers come in any order. How does a task know its own?",
            "Look at what decides which caller gets an answer.",
            "A caller gets another one's answer: what counts is the id, not the order.",
        ),
        "drops-others": Hint(
            "A task receives an answer that is not its own. What now?",
            "Look at what happens to that answer, and how its caller hears of it.",
            "An answer that came for another caller is lost, or its caller is never woken.",
        ),
        "woken-early": Hint(
            "condition.wait has returned. Does that mean that the answer is there?",
            "Look for an if in front of wait where a while should stand.",
            "A task that is woken for another one's answer goes on as if its own were there.",
        ),
        "same-id": Hint(
            "Two tasks take a number at the same moment. Which do they get?",
            "Look at how the next id is made.",
            "Two calls that are under way have the same id.",
        ),
        "left-waiting": Hint(
            "The peer dies while five callers wait. What do they hear?",
            "Look at what happens when receive raises.",
            "When the connection ends, those that wait are not told: they wait until their deadline, or for ever.",
        ),
        "calls-after-end": Hint(
            "The connection has ended. Somebody calls once more.",
            "Look at what call knows of the end.",
            "After the end of the connection a call waits for an answer that nobody can send.",
        ),
        "no-deadline": Hint(
            "How long does a caller wait for an answer that never comes?",
            "Look at where deadline_s goes: it is for the whole wait, however often the task is woken.",
            "A call does not end at its deadline with TimeoutError.",
        ),
        "late-answer": Hint(
            "An answer comes after its caller has given up. Who gets it?",
            "Look at what is left behind by a call that timed out.",
            "A late answer upsets the calls after it.",
        ),
        "keeps-answers": Hint(
            "A node calls for months. What grows?",
            "Look at what is put into your dictionaries, and what is taken out.",
            "What belongs to calls that are over is kept.",
        ),
        "cluster": Hint(
            "What is different in the cluster: who ends, and who begins again?",
            "Run this check alone, with its seed, and read the last messages in the picture.",
            "In a cluster your connection does not carry a client's calls.",
        ),
    },
)
