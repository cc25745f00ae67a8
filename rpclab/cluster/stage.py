"""The cluster's side of the stage: the plan that every node follows, and the messages that are held until somebody decides.

A node asks about each message that is to be held, and its task waits here, or behind a connection that does (`Hub`), until `step`
or `release` decides, or its deadline has passed. All of it works over the world's tasks, so it is the same in both worlds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from ..config import Address
from ..errors import UsageError
from ..rpc.plan import Action, Arrived, Decision, Kind, Link, Plan, Rule, check_action, check_byte
from ..rpc.stage import Stage
from ..world.base import Condition, World
from .messages import Message, Messages

__all__ = ["Direction"]

_FOREVER = 1e9


class _Held:
    """A message whose task waits on `decided`."""

    def __init__(self, message: Message, decided: Condition) -> None:
        self.message, self.decided = message, decided
        self.decision: Decision | None = None


class Direction:
    """`hold` messages to decide upon each by hand, `plan` rules that decide by chance. `publish` takes a new plan to nodes that
    are elsewhere, and returns once they follow it."""

    def __init__(self, world: World, publish: Callable[[Plan], object] = lambda plan: None) -> None:
        self._now, self._publish = world.clock.now, publish
        self._changed = world.tasks.condition()  # guards what follows; told when something is held or done
        self._held: dict[int, _Held] = {}
        self._stages: dict[str, Stage] = {}
        self._busy = 0
        self._numbers = itertools.count(1)
        self.operations: list[Any] = []
        """What was begun, the first before the others."""
        self.count = 0
        """How many messages have ever been held."""
        self.current = Plan(version=1)
        """What every node is to follow now."""

    # ---- what is to be done

    def hold(
        self, method: str | None = None, node: str | None = None, peer: str | None = None, kind: Kind | None = None
    ) -> None:
        """Hold, from now on, every message of this `method` and `kind` (request, reply, error, notification) that arrives at
        `node` from `peer`; what is not given is any. Heartbeats are held only by their name."""
        rule = Rule("hold", node or "", peer or "", method or "", kind or "")
        self.change(holds=(*self.current.holds, rule))

    def release(self) -> None:
        """Hold nothing more, and deliver what is held."""
        self.change(holds=(), rules=tuple(rule for rule in self.current.rules if rule.action != "hold"))
        for number in list(self._held):
            self._let(number, Decision())

    def plan(self, rules: Iterable[Rule] = (), seed: int = 0) -> None:
        """Let these rules decide, by chance from this seed; they take the place of those before. The first that acts counts."""
        self.change(rules=tuple(rules), seed=seed)

    @property
    def holds(self) -> bool:
        """Whether any message is to be held."""
        return any(rule.action == "hold" for rule in self.rules)

    @property
    def rules(self) -> list[Rule]:
        """What decides now, in order."""
        return [*self.current.holds, *self.current.rules]

    def cut(self, links: Iterable[tuple[str, str]], addresses: dict[str, Address]) -> None:
        self._link({link: {"cut": True} for link in links}, addresses)

    def slow(
        self, links: Iterable[tuple[str, str]], latency_s: float, bytes_s: float | None, addresses: dict[str, Address]
    ) -> None:
        self._link({link: {"latency_s": latency_s, "bytes_s": bytes_s} for link in links}, addresses)

    def _link(self, changes: dict[tuple[str, str], dict[str, object]], addresses: dict[str, Address]) -> None:
        known = {(link.sender, link.receiver): link for link in self.current.links}
        for pair, change in changes.items():
            known[pair] = replace(known.get(pair, Link(*pair)), **change)
        self.change(links=tuple(known.values()), addresses=addresses)

    def mend(self) -> None:
        if self.current.links:
            self.change(links=())

    def fill(self, node: str, free_bytes: int | None) -> None:
        full = {each: said for each, said in self.current.full.items() if each != node}
        if free_bytes is not None:
            full[node] = (self.current.version + 1, free_bytes)
        self.change(full=full)

    def change(self, **parts: object) -> None:
        """Have every node follow another plan from now on."""
        with self._changed:
            self.current = plan = replace(self.current, version=self.current.version + 1, **parts)
            stages = list(self._stages.values())
        for stage in stages:
            stage.follow(plan)
        self._publish(plan)

    def joined(self, stage: Stage) -> None:
        """A node of this process follows the plan, until it joins again."""
        with self._changed:
            self._stages[stage.node] = stage
        stage.follow(self.current)

    @property
    def here(self) -> dict[str, Stage]:
        """The stages of nodes in this process, by name."""
        return self._stages

    # ---- messages that are held

    def ask(self, world: World, arrived: Arrived) -> Decision | None:
        """Wait until somebody decides; None once the receiver's time is over. `world` is that of the task that waits."""
        held = self._hold(world, arrived)
        until = self._now() + (_FOREVER if arrived.seconds is None else arrived.seconds)
        try:
            with held.decided:
                while held.decision is None and (left := until - self._now()) > 0:
                    held.decided.wait(min(left, _FOREVER))
            return held.decision
        finally:
            self._held.pop(held.message.id, None)

    def _hold(self, world: World, arrived: Arrived) -> _Held:
        number = next(self._numbers)
        held = self._held[number] = _Held(Message(number, arrived, self._now), world.tasks.condition())
        with self._changed:  # not before: who looks at a run that stands still at this message's event is to find it
            self.count = max(self.count, number)
            self._changed.notify_all()
        return held

    def messages(self) -> Messages:
        """The messages that are held now, in the order in which they came."""
        return Messages(held.message for held in list(self._held.values()))

    def decide(
        self,
        message: Message | int | None,
        action: Action,
        *,
        seconds: float = 0.0,
        byte: int | None = None,
        value: int | None = None,
    ) -> None:
        """Say what becomes of a message, by default the one that came first. Errors: UsageError."""
        check_action(action)
        check_byte(byte, value)
        if action == "hold":
            raise UsageError("it is held already: choose deliver, drop, delay, duplicate or corrupt")
        number = min(self._held, default=0) if message is None else message if isinstance(message, int) else message.id
        if not self._let(number, Decision(action, seconds, byte, value)):
            raise UsageError("no message is held" if message is None else f"message {number} is no longer held")

    def _let(self, number: int, decision: Decision) -> bool:
        held = self._held.pop(number, None)
        if held is None:
            return False
        with held.decided:
            held.decision = decision
            held.decided.notify_all()
        return True

    def forget(self, node: str) -> None:
        """A node has ended: nobody there waits any more."""
        for number, held in list(self._held.items()):
            if held.message.receiver == node:
                self._let(number, Decision("drop"))

    # ---- what goes on meanwhile

    def begun(self) -> None:
        """Something was begun that may have messages held."""
        with self._changed:
            self._busy += 1

    def ended(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    @property
    def busy(self) -> int:
        """How much of what was begun is still under way."""
        return self._busy

    def wait(self, since: int, quiet_s: float, most_s: float = _FOREVER) -> None:
        """Wait until a message is held beyond the first `since`, or all that was begun has ended; but for no longer than
        `quiet_s` if other messages are held, or nothing was begun; and in no case longer than `most_s`."""
        until, end = self._now() + quiet_s, self._now() + most_s
        with self._changed:
            was_busy = self._busy > 0
            while self.count == since and not (was_busy and not self._busy):
                left = until - self._now()
                if (left <= 0 and (self._held or not self._busy)) or self._now() >= end:
                    return
                self._changed.wait(min(max(left, quiet_s / 4), most_s))

    def __repr__(self) -> str:
        rules = "\n".join(f"  {rule}" for rule in self.rules) or "  every message is delivered"
        return f"{self.messages()._title()}; what decides:\n{rules}"
