"""A cluster that is stepped through, in either world: what one can do, and what is recorded of it, place by place.

`RecordedSteps` (local_steps.py) goes forwards, and back over what was recorded: processes cannot be sent into their past.
`BranchingSteps` (simulated_steps.py) can be.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ..errors import RpclabError, UsageError
from ..rpc.plan import Action
from ..study.history import History
from .messages import Message, Messages
from .places import Key, Place, Target, tree

__all__ = ["Steps"]

_PAST = {
    "deliver": "delivered",
    "drop": "dropped",
    "duplicate": "duplicated",
    "delay": "delayed",
    "corrupt": "corrupted",
}


class Steps(ABC):
    """The steps that a cluster was taken through; `here` is the one that is looked at. All may be called from any thread, in the
    simulated world from the one that made the cluster."""

    forks = False
    """Whether one can go another way from an earlier place."""

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster
        self._lock = threading.RLock()  # guards all of it: a page and a cell may both step
        self.places: dict[int, Place] = {}
        self.here: Place = self._arrive(None, "the beginning", ("begin",))

    # ---- forwards

    def next(self, message: Message | int | None = None) -> Place:
        """Deliver a message, by default the one that came first, and go on until the next is held; from an earlier place along
        what was done then. Errors: UsageError, if nothing is under way."""
        return self.act("deliver", message)

    def act(self, action: Action, message: Message | int | None = None, **how: Any) -> Place:
        """Decide about a message that is held, and go on: deliver, drop, duplicate, delay (`seconds`), corrupt (`byte`, `value`).
        Errors: UsageError, if it is not held any more."""
        with self._lock:
            chosen = self._held(message)
            words = f"{_PAST[action]} {_arrow(chosen)}" if chosen is not None else "went on"
            if action == "corrupt":
                words += f", byte {how.get('byte', 'by chance')}"
            if action == "delay":
                words += f", by {how.get('seconds', 0):g} s"
            number = chosen.id if chosen is not None else None
            return self._go(
                words, (action, number, *sorted(how.items())), lambda at: self._decide(at, action, number, how)
            )

    def kill(self, node: str) -> Place:
        """End a node as `kill -9` does."""
        with self._lock:
            return self._go(f"killed {node}", ("kill", node), lambda cluster: cluster.kill(node))

    def restart(self, node: str) -> Place:
        """Start a node again, in the background: what it says to be let in is held like anything else."""

        def again() -> None:
            self.cluster.restart(node)

        again.__name__ = f"restart_{node}"
        return self._begin(f"restarted {node}", ("restart", node), again)

    def release(self) -> Place:
        """Hold nothing more, and deliver what is held."""
        with self._lock:
            return self._go("released all", ("release",), lambda cluster: cluster.stage.release())

    def hold(self) -> Place:
        """Hold every message from now on."""
        with self._lock:
            return self._go("held all", ("hold",), lambda cluster: cluster.stage.hold())

    def begin(self, function: Callable[[], Any]) -> Place:
        """Hold every message, if none is to be held yet, and begin something in the background."""
        name = getattr(function, "__name__", "").strip("<>")
        return self._begin(
            f"began {name if name.isidentifier() else 'something'}", ("begin", function), function, hold=True
        )

    def _begin(self, words: str, key: Key, function: Callable[[], Any], *, hold: bool = False) -> Place:
        def do(cluster: Any) -> None:
            if hold and not cluster.stage.holds:
                cluster.stage.hold()
            self._start(cluster, function)

        with self._lock:
            return self._go(words, key, do)

    def run_to(self, target: Target, most: int = 1000) -> Place:
        """Deliver message after message until one is held to stop at, or all that was begun has ended."""
        with self._lock:
            for _ in range(most):
                if not self.run_on(target):
                    break
            return self.here

    def run_on(self, target: Target) -> bool:
        """One step towards a target; returns whether it is still ahead."""
        with self._lock:
            before = self.here
            if not before.messages and not self.busy:
                return False
            return self.next() is not before and not target.is_held(self.here.messages) and self.busy

    @property
    def busy(self) -> bool:
        """Whether anything is under way at the place one looks at."""
        return bool(self.here.messages) or any("under way" in each for each in self.here.operations)

    @abstractmethod
    def look_again(self) -> bool:
        """Notice what came without a step: by itself, or by a verb in another cell. Returns whether there was anything."""

    # ---- back

    def back(self) -> Place:
        """To the place before. Errors: UsageError at the beginning."""
        with self._lock:
            if self.here.parent is None:
                raise UsageError("this is where stepping began: nothing before it was recorded")
            return self.jump(self.here.parent.id)

    def forward(self) -> Place:
        """To the place after this one, where one was last. Errors: UsageError if there is none."""
        with self._lock:
            if not self.here.children:
                raise UsageError("nothing was done after this yet: deliver a message, or drop it")
            return self.jump(self.here.children[-1].id)

    def jump(self, place: Place | int) -> Place:
        """To any place that was recorded."""
        with self._lock:
            found = self.places.get(place.id if isinstance(place, Place) else place)
            if found is None:
                raise UsageError(f"there is no place {place}: choose one of {', '.join(map(str, self.places))}")
            self._enter(found)
            self.here = found
            way = found
            while way.parent is not None:  # so that `forward` leads along here again
                way.parent.children.sort(key=lambda child, way=way: child is way)  # type: ignore[misc]
                way = way.parent
            return found

    @abstractmethod
    def history(self) -> History:
        """The events up to the place one looks at."""

    @property
    def root(self) -> Place:
        """Where stepping began."""
        return next(iter(self.places.values()))

    def tree(self) -> list[tuple[int, Place]]:
        """Every place with how often the way to it has forked, in the order in which a tree shows them."""
        return tree(self.root)

    def __repr__(self) -> str:
        return "\n".join(
            f"{'>' if place is self.here else ' '} {place.id:>3} {'    ' * level}{place.words}"
            for level, place in self.tree()
        )

    # ---- how

    def _held(self, message: Message | int | None) -> Message | None:
        held = self.here.messages
        if message is None:
            if not held and not self.busy:
                raise UsageError("nothing is under way: hold messages (cluster.stage.hold()) and begin something")
            return held[0] if held else None
        number = message if isinstance(message, int) else message.id
        for each in held:
            if each.id == number:
                return each
        raise UsageError(f"message {number} is no longer held")

    @abstractmethod
    def _go(self, words: str, key: Key, do: Callable[[Any], None]) -> Place:
        """From here one step further."""

    @abstractmethod
    def _decide(self, cluster: Any, action: Action, message: int | None, how: dict[str, Any]) -> None: ...

    @abstractmethod
    def _start(self, cluster: Any, function: Callable[[], Any]) -> None: ...

    @abstractmethod
    def _enter(self, place: Place) -> None:
        """Make a place the one from where it goes on."""

    def _arrive(self, parent: Place | None, words: str, key: Key) -> Place:
        """Record where the cluster stands now."""
        place = self._place(parent, words, key)
        self.places[place.id] = place
        if parent is not None:
            parent.children.append(place)
        return place

    def _place(self, parent: Place | None, words: str, key: Key) -> Place:
        cluster = self.cluster
        return Place(
            max(self.places, default=-1) + 1,
            parent,
            words,
            key,
            Messages(message.still() for message in cluster.messages()),
            self._look(),
            *self._moment(),
            [repr(each).strip("<>") for each in cluster.stage.operations],
        )

    def _look(self) -> dict[str, dict[str, Any]]:
        return {node: _looked(self.cluster, node) for node in self.cluster.nodes}

    @abstractmethod
    def _moment(self) -> tuple[float, int]:
        """The seconds of the run, and the number of its events."""


def _arrow(message: Message) -> str:
    return f"{message.method or message.kind} {message.kind}, {message.sender} → {message.receiver}"


def _looked(cluster: Any, node: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = cluster.look(node)
    except RpclabError as error:
        return {"state": cluster.state(node), "problem": str(error)}
    return found
