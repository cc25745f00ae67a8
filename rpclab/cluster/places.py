"""Where stepping has led: a moment of a run, with what was under way and what each node knew; and the tree of such moments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .facts import Fact, compared
from .messages import Message, Messages

__all__ = ["Key", "Place", "Target", "tree"]

Key = tuple[Any, ...]


@dataclass(slots=True)
class Place:
    """One moment of a run, and the step that led there."""

    id: int
    parent: Place | None
    words: str
    """What was done to get here."""
    key: Key
    """The same in the program's terms: doing it again from the same place leads here again."""
    messages: Messages
    """Those under way."""
    found: dict[str, dict[str, Any]]
    """What each node knew."""
    seconds: float
    """Since the run began."""
    events: int
    """How many had been written."""
    operations: list[str]
    """What was begun, and how it stands."""
    verbs: int = 0
    """How many verbs the script had, in the simulated world."""
    run: Any = None
    """The simulated cluster whose script leads here."""
    children: list[Place] = field(default_factory=list)

    def facts(self, node: str) -> list[Fact]:
        """What this node knew, and what the last step has changed in it."""
        return compared(self.parent.found.get(node, {}) if self.parent is not None else None, self.found[node])

    @property
    def depth(self) -> int:
        """How many steps led here."""
        return 0 if self.parent is None else self.parent.depth + 1

    def __repr__(self) -> str:
        return f"<place {self.id}, step {self.depth}: {self.words}>"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to run to: `what` is end, node (a message to it), method (a message of it) or error (an answer that is one)."""

    what: str
    name: str = ""

    def is_held(self, messages: list[Message]) -> Message | None:
        """The first of these messages that is one to stop at."""
        return next((message for message in messages if self._matches(message)), None)

    def _matches(self, message: Message) -> bool:
        if self.what == "node":
            return message.receiver == self.name
        if self.what == "method":
            return message.method == self.name
        return self.what == "error" and message.kind == "error"


def tree(root: Place) -> list[tuple[int, Place]]:
    """Every place with how often the way to it has forked: what was tried first goes straight on, what was tried after it stands
    before that, further in."""
    found: list[tuple[int, Place]] = []
    waits = [(0, root)]
    while waits:
        level, place = waits.pop()
        found.append((level, place))
        children = sorted(place.children, key=lambda child: child.id)
        waits += [(level, first) for first in children[:1]]
        waits += [(level + 1, other) for other in reversed(children[1:])]
    return found
