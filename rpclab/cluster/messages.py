"""Messages that are held: what each is, as bytes, as JSON, as the call that it means; shown as a row, a table, a page."""

from __future__ import annotations

import copy
import html
from collections.abc import Callable
from typing import Any

import msgspec

from ..rpc.plan import Arrived
from ..text import bytes_text
from .tables import html_table, text_table

__all__ = ["Message", "Messages"]

_SHORT = 60  # letters of a value in a sentence
_HEADS = ("id", "from", "to", "kind", "call", "bytes", "waits still")


class Message:
    """One message that was sent and not yet delivered."""

    def __init__(self, number: int, arrived: Arrived, now: Callable[[], float]) -> None:
        self.id = number
        self.sender, self.receiver = arrived.sender, arrived.receiver
        self.kind: str = arrived.kind
        """request, reply, error or notification."""
        self.method = arrived.method
        self.call = arrived.call
        """The call's number on its connection."""
        self.payload = arrived.payload
        """Its bytes; of a long one the first 32,000."""
        self.length = arrived.length
        self._now, self._since = now, now()
        known = [seconds for seconds in (arrived.seconds, arrived.caller_s) if seconds is not None]
        self._seconds = min(known) if known else None

    @property
    def left_s(self) -> float | None:
        """How long somebody still waits for it: negative once its caller has given up; None if nobody minds."""
        return None if self._seconds is None else self._seconds - (self._now() - self._since)

    @property
    def sent(self) -> tuple[str, int] | None:
        """The event that sent it: its sender and the event's number there; None where that cannot be read."""
        try:
            node, number, _ = msgspec.json.decode(self.payload)["trace"]
            return str(node), int(number)
        except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError, ValueError):
            return None

    def still(self) -> Message:
        """A copy for which time stands still: the message as it is now."""
        message, now = copy.copy(self), self._now()
        message._now = lambda: now
        return message

    @property
    def json(self) -> str:
        """Its text, indented."""
        try:
            return msgspec.json.format(self.payload, indent=2).decode("utf-8", "replace")
        except msgspec.MsgspecError:
            return self.payload.decode("utf-8", "replace")

    @property
    def meaning(self) -> str:
        """What it says, as a sentence."""
        try:
            said = msgspec.json.decode(self.payload)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return f"{self.sender} sends {self.receiver} {bytes_text(self.length)}"
        if self.kind == "request":
            return f"{self.sender} asks {self.receiver}: {self.method}({_arguments(said.get('params'))})"
        if self.kind == "notification":
            return f"{self.sender} tells {self.receiver}: {self.method}({_arguments(said.get('params'))})"
        call = f"{self.method or 'call ' + str(self.call)} of {self.receiver}"
        if self.kind == "reply":
            return f"{self.sender} answers {call}: {_short(said.get('result'))}"
        error = said.get("error", {})
        return f"{self.sender} answers {call} with an error: {_short(error.get('message') if error else None)}"

    def row(self) -> list[str]:
        """What a table shows of it."""
        left = self.left_s
        waits = "" if left is None else f"{left:.1f} s" if left > 0 else "given up"
        return [str(self.id), self.sender, self.receiver, self.kind, self.method, f"{self.length:,}", waits]

    def __repr__(self) -> str:
        return f"<message {self.id}: {self.meaning}>"

    def _repr_html_(self) -> str:
        return (
            f"<details open><summary>message {self.id}: {html.escape(self.meaning)}</summary>"
            f'<pre style="margin:0.3em 1em">{html.escape(self.json)}</pre></details>'
        )


class Messages(list[Message]):
    """The messages that are held, the one that came first before the others; shown as a table."""

    def _title(self) -> str:
        return f"{len(self)} message{'s' * (len(self) != 1)} held"

    def _repr_html_(self) -> str:
        return html_table(self._title(), _HEADS, [message.row() for message in self], right=(0, 5, 6))

    def __repr__(self) -> str:
        return text_table(self._title(), _HEADS, [message.row() for message in self]) if self else self._title()


def _arguments(params: Any) -> str:
    if isinstance(params, dict):
        return ", ".join(f"{name}={_short(value)}" for name, value in params.items())
    return ", ".join(_short(value) for value in params or ())


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
