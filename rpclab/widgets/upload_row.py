"""One file's line in the uploader: how far it is, how fast, how it ended, in words."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..records import Receipt
from ..text import bytes_text, version_text

__all__ = ["Options", "Pace", "Row", "receipt_facts", "receipt_words"]

_WINDOW_S = 3.0  # the rate that is shown is that of the last seconds


@dataclass(frozen=True, slots=True)
class Options:
    """What was chosen when the file was: later choices are for later files. None is "as the cluster does"."""

    client: str
    replicas: int | None = None
    replication: str | None = None
    acknowledge: str | None = None


class Pace:
    """How fast bytes pass, and when the last will have."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def saw(self, done: int) -> None:
        now = self._clock()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Bytes a second; 0 while that is not known."""
        if len(self._seen) < 2:
            return 0.0
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - began) if now > began else 0.0

    def words(self, done: int, size: int) -> str:
        """31 MiB of 50 MiB, 12.7 MiB/s, 2 s left."""
        said = f"{bytes_text(done)} of {bytes_text(size)}"
        if self.rate > 0 and done < size:
            said += f", {bytes_text(self.rate)}/s, {_duration((size - done) / self.rate)} left"
        return said


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@dataclass(slots=True)
class Row:
    """A file, from the moment it was chosen to its receipt.

    `phase`: asks (its name is taken), arrives, waits, backs-up, done, short (fewer copies than wanted), failed, cancelled.
    """

    id: str
    name: str
    size: int
    options: Options
    source: str  # browser or disk
    phase: str = "arrives"
    done: int = 0
    words: str = ""
    facts: list[str] = field(default_factory=list)
    traceback: str = ""
    path: Any = None  # what `backup` takes, once the file is on the disk
    replace: bool = False
    cancelled: bool = False
    pace: Pace = field(default_factory=Pace)

    def shown(self) -> dict[str, Any]:
        """What the script draws."""
        return {
            "id": self.id,
            "name": self.name,
            "size": bytes_text(self.size),
            "client": self.options.client,
            "phase": self.phase,
            "share": self.done / self.size if self.size else 1.0,
            "words": self.words,
            "facts": self.facts,
            "traceback": self.traceback,
            "source": "disk" if self.path is not None else self.source,
        }

    def enter(self, phase: str, words: str) -> None:
        """A new part of the way begins, or the way ends."""
        self.phase, self.words, self.done = phase, words, self.size if phase in ("done", "short") else 0
        self.facts, self.traceback, self.pace = [], "", Pace()

    def moved(self, done: int) -> None:
        self.done = done
        self.pace.saw(done)
        self.words = self.pace.words(done, self.size)


def receipt_words(receipt: Receipt) -> str:
    """Two copies, on server1 and server3."""
    on = _listed(receipt.servers)
    copies = f"{receipt.copies} {'copy' if receipt.copies == 1 else 'copies'}"
    if not receipt.complete:
        missing = "; ".join(receipt.problems) or "no other server could be had"
        return f"Stored with {copies} of {receipt.wanted}, on {on}. {missing}"
    pending = (
        f" {receipt.pending} more {'is' if receipt.pending == 1 else 'are'} being made." if receipt.pending else ""
    )
    return f"Stored in {copies}, on {on}.{pending}"


def receipt_facts(receipt: Receipt, seconds: float, where: str) -> list[str]:
    """What one may want to know besides."""
    file = receipt.file
    rate = f", {bytes_text(file.size / seconds)}/s" if seconds > 0 and file.size else ""
    return [
        f"digest (BLAKE3) {file.digest}",
        f"version {version_text(file.version)} of {file.client}/{file.name}, {file.size:,} bytes",
        f"backed up in {seconds:.2f} s{rate}",
        f"from {where}",
    ]


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
