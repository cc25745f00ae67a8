"""Lab 3: one connection, many threads. The student writes how many tasks call over one connection at once."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from ..errors import ClusterError, error_text
from .lab import Broken, Hint, Lab, Mine
from .line import Call, Line
from .reach import modules_of
from .scenes import back_up_and_restore, blamed, restart_everything
from .trial import Trial

__all__ = ["LAB"]

_OF_PYTHON = ("threading", "_thread", "queue", "time", "asyncio", "concurrent", "multiprocessing", "socket", "select")

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


def _line(mine: Mine, trial: Trial, peer: Any) -> Line:
    return Line(trial.random.randrange(1 << 30), mine.SharedConnection, peer)


def _run(line: Line, *calls: tuple[str, Any, float], apart_s: float = 0.0) -> list[Call]:
    """The calls, none of which may stand still for ever."""
    try:
        made = line.run(*calls, apart_s=apart_s)
    except ClusterError as error:  # in virtual time it is seen at once that nothing will ever happen again
        if line.died is not None:
            raise line.died from error
        raise Broken("left-waiting", f"all tasks wait for one another: {error_text(error)}") from error
    if line.died is not None:
        raise line.died  # a task that the student's code has spawned: its line is named
    return made


@LAB.check("one call after the other has its answer", points=1)
def one_call(mine: Mine, trial: Trial) -> None:
    if found := sorted(modules_of(mine.SharedConnection) & set(_OF_PYTHON)):
        raise Broken("own-threads", f"it uses {', '.join(found)}")
    line = _line(mine, trial, lambda line, message: line.answer(message))
    for number in range(3):
        (call,) = _run(line, ("double", number, 5.0))
        if call.error is not None and not isinstance(call.error, TimeoutError):
            raise call.error  # the line of the student's code is named
        if not call.own:
            raise Broken("result", f"the peer answered ['done', {number}]; {call}")


@LAB.check("what went wrong over there is raised here", points=1, after=("one-call",))
def errors(mine: Mine, trial: Trial) -> None:
    line = _line(mine, trial, lambda line, message: line.answer(message, error=ZeroDivisionError("division by zero")))
    (call,) = _run(line, ("divide", 1, 5.0))
    if not isinstance(call.error, ZeroDivisionError):
        raise Broken("swallowed", f"the peer answered with a ZeroDivisionError; {call}")


@LAB.check(
    "a second call is sent while the first still waits, and nobody is in each other's way",
    points=3,
    after=("one-call",),
)
def two_at_once(mine: Mine, trial: Trial) -> None:
    waiting: list[dict[str, Any]] = []

    def both_or_none(line: Line, message: dict[str, Any]) -> None:
        waiting.append(message)
        if len(waiting) == 2:
            for each in waiting:
                line.answer(each, 0.01)

    line = _line(mine, trial, both_or_none)
    calls = _run(line, ("first", 1, 5.0), ("second", 2, 5.0))
    if len(line.sent) < 2 or (len(waiting) >= 2 and waiting[1]["params"] == waiting[0]["params"]):
        raise Broken("lock-across", "the peer answers the first call only when it has the second; that was never sent")
    if len({message["id"] for message in line.sent}) < 2:
        raise Broken("same-id", f"two calls at once had the id {line.sent[0]['id']!r}")
    if any(call.took is not None and call.took > 4 for call in calls):
        raise Broken("lock-across", "the second call was sent only after the first had given up")
    _each_its_own(line, calls)


def _each_its_own(line: Line, calls: list[Call]) -> None:
    for call in calls:
        early = isinstance(call.error, TimeoutError) and call.took is not None and call.took < call.deadline_s - 0.1
        if early or isinstance(call.error, LookupError | TypeError | AttributeError):
            raise Broken("woken-early", f"{call}, after {call.took:.3f} s of its {call.deadline_s:g}")
    for call in calls:
        if call.error is None and call.took is not None and not call.own:
            raise Broken("crossed", str(call))
    for call in calls:
        if not call.own:
            raise Broken("drops-others", f"{call}; {len(line.heard)} of {len(calls)} answers were received")


@LAB.check("eight tasks call, the answers come in any order, and each gets its own", points=4, after=("two-at-once",))
def any_order(mine: Mine, trial: Trial) -> None:
    for _ in range(12):
        random = trial.random

        def some_time_later(line: Line, message: dict[str, Any], random: Any = random) -> None:
            line.answer(message, random.choice((0.0, 0.001, 0.01, 0.1, 0.5)) * random.random())

        line = _line(mine, trial, some_time_later)
        calls = _run(line, *(("double", number, 20.0) for number in range(8)))
        ids = [message["id"] for message in line.sent]
        if len(set(ids)) < len(ids):
            raise Broken("same-id", f"eight calls were under way with the ids {ids}")
        _each_its_own(line, calls)
        again = _run(line, *(("double", 100 + number, 20.0) for number in range(3)))
        _each_its_own(line, again)


@LAB.check(
    "a call without an answer ends at its deadline, and a late answer disturbs nobody",
    points=3,
    after=("two-at-once",),
)
def deadlines(mine: Mine, trial: Trial) -> None:
    def slow_one(line: Line, message: dict[str, Any]) -> None:
        line.answer(message, 4.0 if message["params"] == "slow" else 0.3)

    line = _line(mine, trial, slow_one)
    calls = _run(line, ("ask", "slow", 2.0), *(("ask", number, 5.0) for number in range(3)), apart_s=0.5)
    late = calls[0]
    if late.took is None or not isinstance(late.error, TimeoutError) or not 1.9 < late.took < 2.6:
        took = "never" if late.took is None else f"after {late.took:.1f} s"
        raise Broken("no-deadline", f"a call with a deadline of 2 s ended {took}: {late}")
    _each_its_own(line, calls[1:])
    for number in range(10, 24):
        (call,) = _run(line, ("ask", number, 5.0))
        if not call.own:
            raise Broken("late-answer", f"the answer to the call that had given up came meanwhile; {call}")
    _small(line)


def _small(line: Line) -> None:
    """Whether it keeps something of each call that is over."""
    before = _kept(line.shared)
    for number in range(40):
        _run(line, ("ask", 1000 + number, 5.0))
    if _kept(line.shared) - before >= 40:
        raise Broken("keeps-answers", f"40 calls later it holds {_kept(line.shared) - before} things more")


def _kept(shared: object) -> int:
    """How much lies in its lists, sets and dictionaries, also in those of its own helpers."""
    count, seen, waiting = 0, set(), [shared]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, dict | list | set | deque):
            count += len(each)
            waiting += each.values() if isinstance(each, dict) else each
        if type(each).__module__ == type(shared).__module__:
            slots = [name for base in type(each).__mro__ for name in getattr(base, "__slots__", ())]
            waiting += [getattr(each, name, None) for name in {*slots, *getattr(each, "__dict__", ())}]
    return count


@LAB.check("when the connection ends, everybody hears of it at once", points=3, after=("two-at-once",))
def the_end(mine: Mine, trial: Trial) -> None:
    line = _line(mine, trial, lambda line, message: line.end(1.0) if message["params"] == 4 else None)
    calls = _run(line, *(("ask", number, 30.0) for number in range(5)))
    for call in calls:
        if call.took is None or call.took > 5 or call.error is None:
            took = "for ever" if call.took is None else f"{call.took:.0f} s"
            raise Broken("left-waiting", f"the connection ended after a second, and a caller waited {took}: {call}")
    (after,) = _run(line, ("ask", "after", 30.0))
    if after.took is None or after.took > 5 or after.error is None:
        took = "for ever" if after.took is None else f"{after.took:.0f} s"
        raise Broken("calls-after-end", f"a call after the end waited {took}: {after}")


@LAB.check("in a simulated cluster clients work over it, through restarts", points=2, after=("any-order", "the-end"))
def simulated(mine: Mine, trial: Trial) -> None:
    with blamed("cluster", "in the simulated cluster"), trial.simulated(connection=mine.SharedConnection) as cluster:
        back_up_and_restore(cluster, trial, "cluster")
        restart_everything(cluster)
        back_up_and_restore(cluster, trial, "cluster")


@LAB.check(
    "in a real cluster eight threads share it, and each gets its own answers", points=3, after=("any-order", "the-end")
)
def real(mine: Mine, trial: Trial) -> None:
    with blamed("cluster", "in the real cluster"), trial.local(connection=mine.SharedConnection, clients=1) as cluster:
        back_up_and_restore(cluster, trial, "cluster")
        restart_everything(cluster)
        client = cluster.connect("ada")
        wrong: list[str] = []

        def call(task: int) -> None:
            for number in range(20):
                word = f"{task}-{number}"
                try:
                    found = client.manager.string(word)
                except Exception as error:
                    wrong.append(f"string({word!r}) raised {type(error).__name__}: {error_text(error)}")
                    return
                if found != word:
                    wrong.append(f"string({word!r}) gave back {found!r}")

        threads = [threading.Thread(target=call, args=(task,), name=f"task{task}") for task in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if wrong:
            raise Broken("cluster", f"of 160 calls {len(wrong)} went wrong, first: {wrong[0]}")
