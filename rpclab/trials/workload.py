"""Clients that back up, overwrite, restore, delete and prune at random, each from a plan that its seed alone decides."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from blake3 import blake3

from ..errors import ClusterError, CommunicationError, NoSuchFile, RpclabError, TooFewCopies
from .model import Attempt, Ledger

__all__ = ["Operation", "Work", "contents_of", "operations"]

NAMES = ("a.txt", "b.bin", "photos/c d.png", "photos/old/e.png", "Übung.txt", "big.iso", "g", "h")
SIZES = {0: 1, 1: 1, 100: 4, 4_096: 6, 65_536: 2, 65_537: 2, 200_000: 4, 1 << 20: 2, 3 << 20: 1}
KINDS = {"backup": 45, "restore": 30, "restore earlier": 6, "restore other": 5, "delete": 8, "prune": 4, "verify": 2}


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do; all of it is decided before the run."""

    number: int
    kind: str
    name: str
    size: int
    keep: int
    options: dict[str, Any]
    choice: float  # picks an earlier version, or another client, of those there are
    pause: float  # as a part of the longest one


def operations(seed: int, client: str, sizes: Mapping[int, int] = SIZES) -> Iterator[Operation]:
    """A client's plan, without end. `sizes`: how often a file has each."""
    chance = random.Random(f"{seed}/{client}")
    number = 0
    while True:
        number += 1
        options: dict[str, Any] = {}
        if chance.random() < 0.7:
            options["replication"] = chance.choice(("after", "pipeline"))
        if chance.random() < 0.2:
            options["acknowledge"] = "primary"
        yield Operation(
            number,
            chance.choices(list(KINDS), list(KINDS.values()))[0],
            chance.choice(NAMES),
            chance.choices(list(sizes), list(sizes.values()))[0],
            chance.randint(1, 3),
            options,
            chance.random(),
            chance.random(),
        )


def contents_of(seed: int, client: str, operation: Operation) -> bytes:
    return random.Random(f"{seed}/{client}/{operation.number}").randbytes(operation.size)


class Work(ABC):
    """What one client does, one operation after the other. `violations` is what no fault excuses."""

    def __init__(self, client: Any, seed: int, ledgers: Mapping[str, Ledger], note: Callable[[str], None]) -> None:
        self.client, self.name = client, str(client.name)
        self._seed, self._ledgers, self._note = seed, ledgers, note
        self.ledger = ledgers[self.name]
        self.counts: dict[str, int] = {}
        self.stale = 0
        self.violations: list[str] = []

    def carry_out(self, operation: Operation) -> None:
        try:
            getattr(self, "_" + operation.kind.replace(" ", "_"))(operation)
        except Exception as error:  # whatever the product raises that is none of its errors is a finding
            self._violation(operation, f"{type(error).__name__} instead of an error of ours: {error}")

    # ---- where it happens

    @abstractmethod
    def _now(self) -> float: ...

    @abstractmethod
    def _source(self, data: bytes) -> Any:
        """Put the contents that are to be backed up somewhere; returns their path."""

    @abstractmethod
    def _restored(self, name: str, **options: Any) -> tuple[Any, bytes]:
        """Restore a file; returns what the client said, and what it wrote."""

    # ---- what changes files

    def _backup(self, operation: Operation) -> None:
        data = contents_of(self._seed, self.name, operation)
        source = self._source(data)
        attempt = self._attempt(operation, blake3(data).hexdigest())

        def act() -> None:
            receipt = self.client.backup(source, operation.name, **operation.options)
            attempt.version, attempt.copies = receipt.file.version, receipt.copies
            if receipt.file.digest != attempt.contents:
                self._violation(operation, f"its receipt has digest {receipt.file.digest}, {attempt.contents} was sent")

        self._carry_out(attempt, act)

    def _delete(self, operation: Operation) -> None:
        self._carry_out(self._attempt(operation), lambda: self.client.delete(operation.name))

    def _prune(self, operation: Operation) -> None:
        self._carry_out(self._attempt(operation), lambda: self.client.prune(operation.name, operation.keep))

    def _attempt(self, operation: Operation, contents: str = "") -> Attempt:
        attempt = Attempt(operation.number, operation.kind, operation.name, contents, operation.keep)
        attempt.began = self._now()
        self.ledger.begin(attempt)
        return attempt

    def _carry_out(self, attempt: Attempt, act: Callable[[], object]) -> None:
        try:
            act()
            attempt.outcome = "acknowledged"
        except TooFewCopies as error:
            attempt.outcome, attempt.said = "acknowledged", "TooFewCopies"
            attempt.version, attempt.copies = error.receipt.file.version, error.receipt.copies
        except RpclabError as error:
            partly = attempt.kind != "backup" and not isinstance(error, NoSuchFile | CommunicationError | ClusterError)
            attempt.outcome = "refused" if error.definite and not partly else "doubt"
            attempt.said = f"{type(error).__name__}: {error}"
        attempt.ended = self._now()
        self._count(f"{attempt.kind} {attempt.outcome}")

    # ---- what reads

    def _restore(self, operation: Operation) -> None:
        possible = self.ledger.possible(operation.name)
        found = self._read(operation, self.name, operation.name)
        if found is not None and found not in possible:
            self.stale += 1
            self._note(f"{self.name} read {found[:12]} of {operation.name!r}, older than what was acknowledged")

    def _restore_earlier(self, operation: Operation) -> None:
        versions = {attempt.version: attempt.contents for attempt in self.ledger.of(operation.name) if attempt.version}
        if versions:
            version = sorted(versions)[int(operation.choice * len(versions))]
            found = self._read(operation, self.name, operation.name, version=version)
            if found not in (None, versions[version]):
                self._violation(
                    operation, f"version {version} was acknowledged with {versions[version]}, read is {found}"
                )

    def _restore_other(self, operation: Operation) -> None:
        others = sorted(self._ledgers)
        self._read(operation, others[int(operation.choice * len(others))], operation.name)

    def _read(self, operation: Operation, owner: str, name: str, **which: Any) -> str | None:
        """The digest of what a restore wrote, None after an error of ours. Bytes that nobody sent are a violation."""
        found = None
        try:
            restored, contents = self._restored(name, client=owner, **which)
        except RpclabError as error:
            self._count(f"{operation.kind} {type(error).__name__}")
        else:
            found = blake3(contents).hexdigest()
            self._count(f"{operation.kind} done")
            if found != restored.file.digest or found not in self._ledgers[owner].sent(name):
                self._violation(
                    operation,
                    f"restored {owner}/{name} from {restored.server}: the bytes have digest {found}, version "
                    f"{restored.file.version} should have {restored.file.digest}; nobody ever sent that",
                )
        return found

    def _verify(self, operation: Operation) -> None:
        try:
            verdicts = self.client.verify(operation.name)
        except RpclabError as error:
            self._count(f"verify {type(error).__name__}")
        else:
            self._count("verify done" if all(verdicts.values()) else "verify found damage")

    # ---- telling

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def _violation(self, operation: Operation, what: str) -> None:
        text = f"{self.name} #{operation.number} {operation.kind} {operation.name!r}: {what}"
        self.violations.append(text)
        self._note(f"VIOLATION {text}")
