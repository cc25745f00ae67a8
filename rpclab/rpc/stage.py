"""The stage: decides what becomes of a message that has arrived, before its node hears of it. Without one nothing is decided.

1. It looks at the payload's bytes, before anybody has decoded them: a byte that is changed is found, or not, by those whose
   business that is.
2. What a rule says is decided here, at the receiver, with a generator of its own (`Plan.seed`, the node, the rule's place):
   on real processes that costs no message. Only `hold` asks who directs the cluster, and waits for the answer.
3. Nobody waits here longer than the receiver would have: past its deadline a message that is held or delayed is one that has
   not come. A receiver without a deadline, as one that serves, hears it whenever it is let through, and may find its caller gone.
4. The connection stays as it is. What is dropped is missed by whoever waits for it, what is delayed holds up what comes after
   it on the same connection, as in a stream it must.
5. Handshakes, the packets of files, and what the cluster's own looking says are no messages to it.

Every decision but "deliver" is an event: held, lost, delayed, duplicated, corrupted (trace.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ..config import PACKET_HEADER_BYTES
from ..errors import DeadlineExceeded
from ..trace import Tracer
from ..world.base import World, seeded
from .plan import Arrived, Decision, Kind, Plan, Rule

if TYPE_CHECKING:
    from .endpoint import Endpoint

__all__ = ["OUTSIDE", "Ask", "Rule", "Stage"]

OUTSIDE = ("looking", "control")
"""Who is none of the cluster's nodes, but looks at them or tells them what to do."""

Ask = Callable[[Arrived], Decision | None]
"""Who directs: asked about a message that is held, answers with what becomes of it; None once `seconds` have passed."""


class _Head(Struct):
    """What the stage reads of a message, if it can."""

    id: int | str | UnsetType | None = UNSET
    method: str = ""
    error: msgspec.Raw | UnsetType = UNSET
    deadline: int | None = None
    trace: tuple[str, int, int] | None = None


_head = msgspec.json.Decoder(_Head).decode


class Stage:
    """One node's stage. `follow` a plan; its connections ask for the `next` message that is delivered."""

    def __init__(
        self, world: World, tracer: Tracer, ask: Ask, also: Callable[[Plan], object] = lambda plan: None
    ) -> None:
        self.node = tracer.node
        self.connections: dict[Endpoint, None] = {}
        """Those that are open now."""
        self._tracer, self._ask, self._also = tracer, ask, also
        self._now = world.clock.now
        self._plan = Plan()
        self._again: dict[Endpoint, bytes] = {}
        self._changed = world.tasks.condition()  # guards what follows; told when the stage is closed
        self._chances: list[Callable[[], float]] = []
        self._counts: list[int] = []
        self._closed = False

    def follow(self, plan: Plan) -> None:
        """Do from now on what a plan says. A rule that was there before goes on counting."""
        with self._changed:
            known = self._plan
            if (plan.seed, plan.rules) != (known.seed, known.rules):
                self._chances = [
                    seeded(f"{plan.seed} {self.node} {number}").random for number in range(len(plan.rules))
                ]
                self._counts = [0] * len(plan.rules)
            self._plan = plan
        self._also(plan)

    def close(self) -> None:
        """Hold nothing up any more: the node is about to stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # ---- messages

    def next(self, connection: Endpoint, deadline: float | None) -> bytes | None:
        """The next message that is delivered over a connection; None at its end. Errors: those of its channel."""
        while True:
            if self._again and (again := self._again.pop(connection, None)) is not None:
                return again
            payload = connection.payload(deadline)
            plan = self._plan
            if payload is None or not (plan.rules or plan.holds) or self._closed or connection.peer.node in OUTSIDE:
                return payload
            left = self._decided(connection, payload, deadline)
            if left is not None:
                return left

    def _decided(self, connection: Endpoint, payload: bytes, deadline: float | None) -> bytes | None:
        """The payload as it is delivered; None if it is lost."""
        message, sent = self._arrived(connection, payload, deadline)
        decision = self._scripted(message)
        if decision.action == "hold":
            self._event("held", message, sent)
            asked = self._ask(message)
            if asked is None:
                raise self._late(message)
            decision = asked
        if decision.action == "drop":
            self._event("lost", message, sent)
            return None
        if decision.action == "delay":
            self._event("delayed", message, sent, seconds=decision.seconds)
            self._wait(message, decision.seconds, deadline)
        elif decision.action == "duplicate":
            self._event("duplicated", message, sent)
            self._again[connection] = payload
        elif decision.action == "corrupt" and payload:
            return self._corrupted(message, sent, decision)
        return payload

    def _arrived(
        self, connection: Endpoint, payload: bytes, deadline: float | None
    ) -> tuple[Arrived, tuple[str, int, int] | None]:
        seconds = None if deadline is None else max(0.0, deadline - self._now())
        try:
            head = _head(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            head = _Head()
        if head.method:
            kind: Kind = "notification" if head.id is UNSET else "request"
        else:
            kind = "reply" if head.error is UNSET else "error"
        call = head.id if isinstance(head.id, int | str) else ""
        caller_s = None if head.deadline is None else head.deadline / 1000
        method = head.method or connection.asking
        message = Arrived(self.node, connection.peer.node, kind, method, call, payload, len(payload), seconds, caller_s)
        return message, head.trace

    def _scripted(self, message: Arrived) -> Decision:
        for hold in self._plan.holds:
            if hold.matches(message):
                return Decision("hold")
        with self._changed:
            for number, rule in enumerate(self._plan.rules):
                if (
                    rule.matches(message)
                    and (rule.count is None or self._counts[number] < rule.count)
                    and self._chances[number]() < rule.probability
                ):
                    self._counts[number] += 1
                    return Decision(rule.action, rule.seconds, rule.byte, rule.value)
        return Decision()

    def _wait(self, message: Arrived, seconds: float, deadline: float | None) -> None:
        until = self._now() + seconds
        with self._changed:
            while not self._closed and (left := min(until, deadline or until) - self._now()) > 0:
                self._changed.wait(left)
        if deadline is not None and until > deadline and not self._closed:
            raise self._late(message)

    def _corrupted(self, message: Arrived, sent: tuple[str, int, int] | None, decision: Decision) -> bytes:
        chance = seeded(f"{self._plan.seed} {self.node} {message.sender} {message.call} {self._now()}")
        payload = bytearray(message.payload)
        place = chance.randrange(len(payload)) if decision.byte is None else min(decision.byte, len(payload) - 1)
        before = payload[place]
        payload[place] = before ^ (1 << chance.randrange(8)) if decision.value is None else decision.value
        self._event("corrupted", message, sent, byte=place, before=before, value=payload[place])
        return bytes(payload)

    def _late(self, message: Arrived) -> DeadlineExceeded:
        return DeadlineExceeded(f"could not hear from {message.sender} before the deadline")

    def _event(self, kind: str, message: Arrived, sent: tuple[str, int, int] | None, **detail: object) -> None:
        """No `cause`: the node itself has heard nothing yet. Where the message left from is in the detail."""
        if sent is not None:
            detail["sent"] = sent[:2]
        self._tracer.event(
            kind,
            peer=message.sender,
            message=message.kind,
            method=message.method[:100],
            call=message.call,
            bytes=len(message.payload) + PACKET_HEADER_BYTES,
            detail=detail,
        )

    # ---- seeing it

    def calls(self) -> dict[str, list[str]]:
        """The calls that are under way here: `calls` that were made, and those that it is `answering`."""
        open_now = [each for each in list(self.connections) if each.peer.node not in OUTSIDE]
        return {
            "calls": [f"{each.asking} at {each.peer.node}" for each in open_now if each.asking],
            "answering": [f"{each.answering} of {each.peer.node}" for each in open_now if each.answering],
        }
