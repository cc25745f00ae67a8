"""Lab 3's checks of the student's part by itself."""

from __future__ import annotations

from collections import deque
from typing import Any

from ...errors import ClusterError, error_text
from ..lab import Broken, Mine
from ..reach import modules_of
from ..trial import Trial
from .about import LAB
from .line import Call, Line

__all__ = ["any_order", "deadlines", "errors", "one_call", "the_end", "two_at_once"]

_OF_PYTHON = ("threading", "_thread", "queue", "time", "asyncio", "concurrent", "multiprocessing", "socket", "select")


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
