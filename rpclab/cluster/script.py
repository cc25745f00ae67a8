"""What was done to a simulated cluster from outside, verb by verb: enough to do all of it again.

A verb is `recorded`; what it does on its way (other verbs, functions that `run` calls) is part of it and not recorded. Objects
that belong to one run, such as a client, name the place where another run has the same one (`_place`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ..world.simulated_interrupt import KeptInterrupt

if TYPE_CHECKING:
    from .travel import Travel

__all__ = ["Order", "Script", "ScriptEntry", "recorded", "verbs"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Order:
    """The lines of all event logs of a run, in the order in which they were written. `watch` is told of each."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.watch: Callable[[bytes], None] | None = None

    def add(self, line: bytes) -> None:
        self.lines.append(line)
        if self.watch is not None:
            self.watch(line)


@dataclass(slots=True)
class ScriptEntry:
    """One verb: `place` is how to get from the cluster to what has it, `before` how many events were written before."""

    place: tuple[str, ...]
    verb: str
    arguments: tuple[Any, ...]
    named: dict[str, Any]
    before: int
    after: int | None = None
    """How many events were written when it was over; None while it is not."""
    left: bool = False
    """Whether another decision was made in its middle."""

    def carry_out(self, cluster: Travel) -> object:
        """Do it again, in another run."""
        found: Any = cluster
        for step in self.place:
            found = found[step] if isinstance(found, dict) else getattr(found, step)
        return getattr(found, self.verb)(*self.arguments, **self.named)

    def __str__(self) -> str:
        given = [*map(_shown, self.arguments), *(f"{name}={_shown(each)}" for name, each in self.named.items())]
        verb = "SimCluster" if self.verb == "__init__" else ".".join([*self.place, self.verb])
        return f"{verb}({', '.join(given)})"


class Script(list[ScriptEntry]):
    """The verbs so far, in order. `busy` while one is carried out."""

    busy = False
    broken: int | None = None
    """After so many events somebody broke a verb off (Ctrl-C): nothing after that can be made again."""

    def __repr__(self) -> str:
        left = {True: " (left in its middle)", False: ""}
        return "\n".join(f"{entry.before:>7,} events, then {entry}{left[entry.left]}" for entry in self)


def recorded(function: Callable[P, R]) -> Callable[P, R]:
    """Make a method a verb of the script.

    Its object has `_cluster`, and `_place`: how to find it from there, an attribute or a key each. An argument with a method
    `in_script` is recorded as what that returns (a message as its id). All that lets the simulation run has to be a verb.
    Ctrl-C interrupts a verb, and nothing else: see world/simulated_interrupt.py.
    """

    @functools.wraps(function)
    def verb(*arguments: P.args, **named: P.kwargs) -> R:
        owner: Any = arguments[0]
        cluster: Travel = owner._cluster
        cluster.check_here()
        if cluster.script.busy or cluster.inside:
            return function(*arguments, **named)
        told = tuple(map(_told, arguments[1:])), {name: _told(each) for name, each in named.items()}
        return _record(cluster, owner._place, function.__name__, told, lambda: function(*arguments, **named))

    return verb


def verbs(*names: str) -> Callable[[type[T]], type[T]]:
    """Make methods that a class inherits verbs of the script."""

    def make(kind: type[T]) -> type[T]:
        for name in names:
            setattr(kind, name, recorded(getattr(kind, name)))
        return kind

    return make


def _record(
    cluster: Travel,
    place: tuple[str, ...],
    verb: str,
    told: tuple[tuple[Any, ...], dict[str, Any]],
    act: Callable[[], R],
) -> R:
    script, lines = cluster.script, cluster.order.lines
    entry = ScriptEntry(place, verb, *told, before=len(lines))
    script.append(entry)
    script.busy = True
    try:
        if cluster.made_again:
            return act()
        with KeptInterrupt(cluster.keep_interrupt):
            result = act()
        cluster.simulation.scheduler.be_interrupted()
        return result
    except (KeyboardInterrupt, SystemExit):
        script.broken = entry.before if script.broken is None else script.broken
        raise
    finally:
        if not entry.left:
            script.busy, entry.after = False, len(lines)


def _told(value: Any) -> Any:
    return value.in_script() if hasattr(value, "in_script") else value


def _shown(value: Any) -> str:
    if callable(value):
        return str(getattr(value, "__name__", "a function"))
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:30]}...{text[-6:]}"
