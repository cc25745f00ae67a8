"""What each client may believe of its files: the last word that it was given on each, and what is in doubt since.

A backup or a delete ends in one of three ways, and the system is held to what it said:

    acknowledged   it happened, and stays (TooFewCopies too: stored, on fewer servers)
    refused        an error with `definite` True: it did not happen
    doubt          an error with `definite` False, or the client's process was killed: it may have happened

Each client does one thing at a time, and versions rise, so what is in doubt before an acknowledgement no longer matters
after it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

__all__ = ["GONE", "Attempt", "Ledger"]

GONE = "gone"


@dataclass(slots=True)
class Attempt:
    """One operation that changes a file. `contents` is the digest of what was sent, `keep` what a prune was to leave."""

    number: int
    kind: str
    name: str
    contents: str = ""
    keep: int = 0
    outcome: str = "doubt"
    version: int = 0
    copies: int = 0
    said: str = ""
    began: float = 0.0
    ended: float = 0.0

    def __str__(self) -> str:
        what = f"{self.kind} {self.name!r}" + (f" contents {self.contents[:12]}" if self.contents else "")
        fate = f"{self.outcome}" + (f" version {self.version} on {self.copies}" if self.version else "")
        times = f"{self.began:.3f} to {self.ended:.3f}" if self.ended else f"{self.began:.3f}, never ended"
        return f"#{self.number} {times} {what}: {fate}" + (f" ({self.said})" if self.said else "")


@dataclass
class Ledger:
    """One client's attempts, in order, and from them what may be true."""

    client: str
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)  # guards the lists, which the verdict and readers read

    def begin(self, attempt: Attempt) -> None:
        with self.lock:
            self.attempts.setdefault(attempt.name, []).append(attempt)

    def of(self, name: str) -> list[Attempt]:
        with self.lock:
            return list(self.attempts.get(name, ()))

    @property
    def names(self) -> list[str]:
        with self.lock:
            return list(self.attempts)

    def possible(self, name: str) -> set[str]:
        """What the newest version may be: digests of contents, or GONE."""
        possible = {GONE}
        for attempt in self.of(name):
            after = attempt.contents if attempt.kind == "backup" else GONE
            if attempt.kind == "prune" or attempt.outcome == "refused":
                continue
            possible = {after} if attempt.outcome == "acknowledged" else possible | {after}
        return possible

    def sent(self, name: str) -> set[str]:
        """All contents that were ever sent under a name: nothing else may ever be read."""
        return {attempt.contents for attempt in self.of(name) if attempt.kind == "backup"}

    def certain(self, name: str, keep: int) -> dict[int, str]:
        """The acknowledged versions that must be there still, with their contents, when `keep` newest ones are kept."""
        kept: list[Attempt] = []
        for attempt in self.of(name):
            if attempt.outcome == "refused":
                continue
            if attempt.kind == "backup":
                kept = [*kept, attempt][-keep:]
            elif attempt.kind == "prune":
                kept = kept[-attempt.keep :]
            else:
                kept = []
        return {attempt.version: attempt.contents for attempt in kept if attempt.outcome == "acknowledged"}

    def story(self, name: str) -> str:
        """Every attempt on a name, a line each: what a person needs first when something is wrong with it."""
        return "\n".join(f"    {attempt}" for attempt in self.of(name))
