"""What a stage is told and asks: rules about messages, what links and disks are like, a message at the door, what becomes of it.

All of these are values that cross the wire.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from ..config import Address
from ..errors import UsageError
from ..world.links import Line

__all__ = [
    "Action",
    "Arrived",
    "Decision",
    "Kind",
    "Link",
    "Looked",
    "News",
    "Plan",
    "Rule",
    "check_action",
    "check_byte",
    "lines",
]

Action = Literal["deliver", "hold", "drop", "delay", "duplicate", "corrupt"]
Kind = Literal["request", "reply", "error", "notification", ""]

_MANY = {"": "messages", "request": "requests", "reply": "replies", "error": "errors", "notification": "notifications"}
_SIGN_OF_LIFE = "heartbeat"  # held only by a rule that names it: they would be all that one sees


class Rule(Struct, frozen=True, omit_defaults=True):
    """What becomes of messages: those that arrive at `node` from `peer`, of this `method` and `kind` ("" is any).

    A rule acts with a `probability`, and at each node at most `count` times in a life of it. `delay` is for so many `seconds`;
    `corrupt` sets the `byte` with this number to a `value` (None: chosen by chance).
    """

    action: Action
    node: str = ""
    peer: str = ""
    method: str = ""
    kind: Kind = ""
    probability: float = 1.0
    count: int | None = None
    seconds: float = 0.0
    byte: int | None = None
    value: int | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.probability <= 1 and self.seconds >= 0):
            raise UsageError(f"{self}: a probability is from 0 to 1, and no message is early")
        check_action(self.action)
        check_byte(self.byte, self.value)

    def __str__(self) -> str:
        share = "" if self.probability == 1 else f"{self.probability:.0%} of "
        what = f"{self.method or 'all'} {_MANY[self.kind]}"
        where = (f" from {self.peer}" if self.peer else "") + (f" to {self.node}" if self.node else "")
        how = f" by {self.seconds:g} s" if self.action == "delay" else ""
        most = "" if self.count is None else f", {self.count} at most at each node"
        return f"{self.action} {share}{what}{where}{how}{most}"

    def matches(self, message: Arrived) -> bool:
        """Whether this rule is about a message."""
        return (
            self.node in ("", message.receiver)
            and self.peer in ("", message.sender)
            and self.kind in ("", message.kind)
            and (
                self.method == message.method
                if self.method
                else self.action != "hold" or message.method != _SIGN_OF_LIFE
            )
        )


def check_action(action: str) -> None:
    if action not in ("deliver", "hold", "drop", "delay", "duplicate", "corrupt"):
        raise UsageError(f"action={action!r} is not known: choose deliver, hold, drop, delay, duplicate or corrupt")


def check_byte(byte: int | None, value: int | None) -> None:
    if (byte is not None and byte < 0) or (value is not None and not 0 <= value <= 255):
        raise UsageError(f"byte={byte}, value={value}: a byte's number is 0 or more, its value from 0 to 255")


class Link(Struct, frozen=True, omit_defaults=True):
    """The way from one node to another: cut, or slower than it is by itself."""

    sender: str
    receiver: str
    cut: bool = False
    latency_s: float = 0.0
    bytes_s: float | None = None


class Plan(Struct, frozen=True, omit_defaults=True):
    """All that every node is to do. A newer version takes the place of the one before."""

    version: int = 0
    seed: int = 0
    rules: tuple[Rule, ...] = ()
    holds: tuple[Rule, ...] = ()
    """Rules by hand, looked at first."""
    links: tuple[Link, ...] = ()
    addresses: dict[str, Address] = {}
    """Where the nodes listen: who connects there uses the link to that node."""
    full: dict[str, tuple[int, int]] = {}
    """Disks that are full: in which version that was said, and how many bytes were free then."""


def lines(plan: Plan, node: str) -> tuple[dict[Address, Line], dict[Address, Line]]:
    """What a node's links are like, by the address of the other end: the way there, and the way back."""

    def line(link: Link) -> Line:
        return Line(link.cut, link.latency_s, link.bytes_s)

    known = plan.addresses
    there = {known[link.receiver]: line(link) for link in plan.links if link.sender == node and link.receiver in known}
    back = {known[link.sender]: line(link) for link in plan.links if link.receiver == node and link.sender in known}
    return there, back


class Looked(Struct, frozen=True):
    """What a node knows and does, for who looked at it with this number."""

    number: int
    found: dict[str, Any]


class News(Struct, frozen=True, omit_defaults=True):
    """What a node that follows is told: a newer plan, and that somebody looks at it."""

    plan: Plan | None = None
    look: int = 0


class Arrived(Struct, frozen=True):
    """A message at the door, of so many bytes. Its receiver waits `seconds` for it, its caller `caller_s`, if that is known."""

    receiver: str
    sender: str
    kind: Kind
    method: str
    call: int | str
    payload: bytes
    length: int
    seconds: float | None = None
    caller_s: float | None = None


class Decision(Struct, frozen=True, omit_defaults=True):
    """What becomes of one message."""

    action: Action = "deliver"
    seconds: float = 0.0
    byte: int | None = None
    value: int | None = None
