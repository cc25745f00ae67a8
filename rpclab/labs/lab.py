"""What a lab is: the names that a student writes, the checks, and a hint in three degrees for each fault that a check can tell.

Each lab has a folder of three files:

    about.py       LAB = Lab("lab2", "Messages on a stream", needs={"Framing": ...}, faults={"one-read": Hint(...)})
    alone.py       the checks of the student's part by itself
    clusters.py    the checks of a cluster, simulated or real, that works with it

    @LAB.check("a frame that arrives in pieces comes out once it is whole", points=3)
    def in_pieces(mine: Mine, trial: Trial) -> None:
        ...
        raise Broken("one-read", seen="after the first 3 bytes it gave back ...")

A check returns when all was right and raises `Broken` with the name of a fault. A hint names the fault and never the solution:
first a question, then where to look, then what exactly is wrong.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from ..study.history import History
    from ..trace import Event
    from .trial import Trial

__all__ = ["COMMON", "Broken", "Check", "Hint", "Lab", "Mine", "lab_named", "lab_names"]

_LABS = ("lab1", "lab2", "lab3", "lab4", "lab5", "lab6", "lab7", "lab8")
CHECK_S = 20.0  # as long as a check may take on a machine that others use too; most take a second


@dataclass(frozen=True, slots=True)
class Hint:
    """What is wrong, in three degrees: a question to think about, where to look, what exactly happens there."""

    question: str
    place: str
    fault: str

    def __iter__(self) -> Any:
        return iter((self.question, self.place, self.fault))


COMMON = {
    "missing": Hint(
        "Does your module define every name that this lab asks for?",
        "The lab's page lists the names under 'What you write', with their arguments.",
        "A name that the lab asks for is not there, or is not something that can be called.",
    ),
    "raised": Hint(
        "What does your code do with what it was given here?",
        "The last line of yours that ran is named beside 'seen'.",
        "Your code raised an exception that nobody expected of it.",
    ),
    "took-too-long": Hint(
        "Is there a loop, or a wait, that may never end?",
        "Run this check alone, with the command below, and stop it with Ctrl-C: the traceback shows where it stands.",
        "The check was ended because it did not finish in its time, so nobody knows whether it would have passed.",
    ),
    "too-much-memory": Hint(
        "How much does your code keep, and for how long?",
        "Look for what grows with every call, and for room that is made because a number in a message says so.",
        "The check was ended because it took more memory than a lab needs.",
    ),
    "too-many-processes": Hint(
        "Does your code start processes or threads in a loop?",
        "None of the labs asks you to start a process.",
        "The check was ended because it started more processes than a cluster has.",
    ),
    "ended": Hint(
        "Does your code end the process it runs in?",
        "Look for sys.exit, os._exit, quit, a signal, or a recursion without end.",
        "The process that ran the check was gone before the check had a verdict.",
    ),
    "uses-ours": Hint(
        "Is this part written by you?",
        "Look at your imports.",
        "It imports the very part of rpclab that this lab asks you to write.",
    ),
    "changed-rpclab": Hint(
        "Does your code assign to something that belongs to rpclab?",
        "Your part is put in place for you: there is nothing to patch.",
        "After your code had run, functions of rpclab were not what they were before.",
    ),
    "does-not-load": Hint(
        "Does Python itself accept your file?",
        "The line is named beside 'seen'.",
        "The module could not be loaded, so nothing could be checked.",
    ),
}
"""Faults that any lab's submission can have."""


class Broken(BaseException):
    """A check has found a fault. `seen` says in the student's words what happened; `event` is the one that broke it. No
    `except Exception` of a student's hides it."""

    def __init__(self, fault: str, seen: str, *, event: Event | None = None, history: History | None = None) -> None:
        super().__init__(f"{fault}: {seen}")
        self.fault, self.seen, self.event, self.history = fault, seen, event, history


class Mine:
    """What the student wrote, by its names: `mine.frame`, `mine.Deframer`."""

    def __init__(self, parts: dict[str, Any]) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        try:
            return self._parts[name]
        except KeyError:
            raise AttributeError(name) from None

    def names(self) -> list[str]:
        return list(self._parts)


CheckFunction = Callable[[Mine, "Trial"], None]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `expected` is a sentence about what the student's part does; `after` are those without which it says nothing."""

    name: str
    expected: str
    function: CheckFunction
    points: int
    limit_s: float
    after: tuple[str, ...]


@dataclass
class Lab:
    """One lab: `needs` says of each name that is to be written what it is; `ours` are the modules that solve it."""

    name: str
    title: str
    needs: dict[str, str]
    faults: dict[str, Hint]
    ours: tuple[str, ...] = ()
    minutes: int = 90
    lines: int = 30
    checks: list[Check] = field(default_factory=list)

    def check(
        self, expected: str, *, points: int = 1, limit_s: float = CHECK_S, after: tuple[str, ...] = ()
    ) -> Callable[[CheckFunction], CheckFunction]:
        """Add a check; its name is the function's, with dashes."""

        def add(function: CheckFunction) -> CheckFunction:
            name = function.__name__.replace("_", "-")
            self.checks.append(Check(name, expected, function, points, limit_s, after))
            return function

        return add

    @property
    def points(self) -> int:
        return sum(check.points for check in self.checks)

    def check_named(self, name: str) -> Check:
        for check in self.checks:
            if check.name == name:
                return check
        raise UsageError(f"{self.name} has no check {name!r}; it has: {', '.join(each.name for each in self.checks)}")

    def hint(self, fault: str) -> Hint:
        return self.faults.get(fault) or COMMON[fault]


def lab_names() -> list[str]:
    """The labs that there are."""
    return [name for name in _LABS if importlib.util.find_spec(f"{__package__}.{name}") is not None]


def lab_named(name: str) -> Lab:
    """A lab by its name; raises UsageError, which lists them."""
    if name not in lab_names():
        raise UsageError(f"there is no lab {name!r}; there are: {', '.join(lab_names())}")
    lab = importlib.import_module(f"{__package__}.{name}").LAB
    assert isinstance(lab, Lab)
    return lab
