"""Going through a run message by message: begin something, see what is held, decide, look what it has changed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ..rpc.plan import Action
from .messages import Message, Messages
from .stage import Direction

__all__ = ["Operation", "Stepping"]


class Operation:
    """Something that was begun. `done` once it has ended; `result()` waits for that."""

    def __init__(self, function: Callable[[], Any], ended: Callable[[], object]) -> None:
        name = str(getattr(function, "__name__", ""))
        self.name = name if name.isidentifier() else "operation"  # not so that of a lambda
        self.done = False
        self.error: BaseException | None = None
        """What it raised."""
        self.wait: Callable[[], object] = lambda: None
        """Returns once it has ended; whoever starts `carry_out` knows how."""
        self._function, self._ended = function, ended
        self._result: Any = None

    def carry_out(self) -> None:
        try:
            self._result = self._function()
        except Exception as error:
            self.error = error
        finally:
            self.done = True
            self._ended()

    def result(self) -> Any:
        """Wait for its end, and return what it returned; what it raised is raised here."""
        self.wait()
        if self.error is not None:
            raise self.error
        return self._result

    def __repr__(self) -> str:
        how = "under way" if not self.done else f"failed: {self.error}" if self.error is not None else "done"
        return f"<{self.name}: {how}>"


class Stepping(ABC):
    """What a cluster has of it. `stage` says which messages are held, and what rules decide about the others."""

    stage: Direction
    _quiet_s: float
    """How long nothing more is held before it is taken that nothing will be, while other messages wait."""

    def messages(self) -> Messages:
        """The messages that are held now, in the order in which they came."""
        return self.stage.messages()

    def step(
        self,
        message: Message | int | None = None,
        action: Action = "deliver",
        *,
        seconds: float = 0.0,
        byte: int | None = None,
        value: int | None = None,
    ) -> Messages:
        """Decide about a held message, by default the one that came first, and go on until the next one is held, or what was
        begun has ended, or nothing more happens; returns what is held then.

        Actions: deliver, drop, duplicate, delay (so many `seconds`), corrupt (the `byte` with this number becomes `value`; left
        out, chance chooses). Where nothing is held it only goes on. Errors: UsageError, if that message is no longer held.
        """
        since = self.stage.count
        if message is not None or self.messages():
            self.stage.decide(message, action, seconds=seconds, byte=byte, value=value)
        self._go_on(since)
        return self.messages()

    def begin(self, function: Callable[[], Any]) -> Operation:
        """Begin something in the background, and go on until its first message is held, or it has ended. Returns at once where
        nothing is to be held."""
        since = self.stage.count
        operation = self._begun(function)
        if self.stage.holds:
            self._go_on(since)
        return operation

    def _begun(self, function: Callable[[], Any]) -> Operation:
        self.stage.begun()
        operation = self._carry_out(function)
        self.stage.operations.append(operation)
        return operation

    @abstractmethod
    def look(self, node: str) -> dict[str, Any]:
        """What a node knows and does now, as plain values: the manager its servers, files and reservations, a server its files,
        what it stores and what is arriving, each the calls that are under way. Looking is not drawn, and never held. Errors:
        NotRunning, if it does not answer."""

    @abstractmethod
    def _carry_out(self, function: Callable[[], Any]) -> Operation:
        """Start an operation beside the caller, and say how to `wait` for it."""

    @abstractmethod
    def _go_on(self, since: int) -> None:
        """`stage.wait`, in the cluster's own time."""
