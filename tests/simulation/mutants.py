"""Bugs planted in the role code, one at a time: the simulation must find each. `python -m tests.simulation --mutants` makes the
table of after how many seeds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from rpclab.manager.directory import Directory
from rpclab.manager.reservations import Reservations
from rpclab.server.incoming import Incoming
from rpclab.server.index import Index
from rpclab.server.journal import Journal
from rpclab.server.manager_link import ManagerLink
from rpclab.server.replication import Replication
from rpclab.server.store import Store
from rpclab.trials.trial import SimulatedTrial

__all__ = ["MUTANTS", "caught_after", "planted"]


class _Without:
    """Something real, but for one method that does nothing."""

    def __init__(self, real: Any, method: str) -> None:
        self._real, self._method = real, method

    def __getattr__(self, name: str) -> Any:
        return (lambda *args: None) if name == self._method else getattr(self._real, name)


def rename_before_sync(original: Callable[..., Any]) -> Callable[..., Any]:
    def commit(self: Any, digest: str) -> Any:
        self._writer = _Without(self._writer, "sync")
        return original(self, digest)

    return commit


def answer_before_sync(original: Callable[..., Any]) -> Callable[..., Any]:
    def append(self: Any, entry: Any) -> None:
        if self._writer is None:
            self._writer = _Without(self._disk.append(self._path), "sync")
        original(self, entry)

    return append


def no_folder_sync(original: Callable[..., Any]) -> Callable[..., Any]:
    def put(self: Any, *args: Any) -> Any:
        disk, self._disk = self._disk, _Without(self._disk, "sync_folder")
        try:
            return original(self, *args)
        finally:
            self._disk = disk

    return put


def failure_of_the_second_ignored(original: Callable[..., Any]) -> Callable[..., Any]:
    def attempt(self: Any, copies: Any, file: Any, upload: str, target: Any, keep: Any) -> None:
        before = len(copies.nodes)
        original(self, copies, file, upload, target, keep)
        if len(copies.nodes) == before:
            copies.nodes.append(target.node)

    return attempt


def acknowledged_before_the_replica(original: Callable[..., Any]) -> Callable[..., Any]:
    def attempt(self: Any, copies: Any, *args: Any) -> None:
        other = type(copies)()
        self._world.tasks.spawn(lambda: original(self, other, *args), "copies later")
        copies.nodes.append(args[2].node)

    return attempt


def capacity_counted_twice(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, report, *args, **named: original(self, (report[0], 2 * report[1]), *args, **named)


def stale_version_wins(original: Callable[..., Any]) -> Callable[..., Any]:
    def locate(self: Any, client: str, name: str, version: int | None = None) -> Any:
        return original(self, client, name, version) if version is not None else self.versions(client, name)[-1]

    return locate


def tombstone_forgotten(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, tombstone: None


def reservation_leaked(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, address, upload: None


MUTANTS: dict[str, tuple[type, str, Callable[[Callable[..., Any]], Callable[..., Any]]]] = {
    "answer before sync": (Journal, "append", answer_before_sync),
    "rename before sync": (Incoming, "commit", rename_before_sync),
    "no folder sync": (Store, "_put", no_folder_sync),
    "secondary's failure ignored": (Replication, "_attempt", failure_of_the_second_ignored),
    "capacity counted twice": (ManagerLink, "report", capacity_counted_twice),
    "stale version wins": (Directory, "locate", stale_version_wins),
    "tombstone forgotten": (Index, "bury", tombstone_forgotten),
    "reservation leaked": (Reservations, "release", reservation_leaked),
    "acknowledged before the replica": (Replication, "_attempt", acknowledged_before_the_replica),
}


@contextlib.contextmanager
def planted(name: str) -> Iterator[None]:
    kind, method, mutate = MUTANTS[name]
    with mock.patch.object(kind, method, mutate(getattr(kind, method))):
        yield


def caught_after(name: str, limit: int, first: int = 1) -> tuple[int, str]:
    """After how many seeds a mutant is caught, and by what; (0, "") if it is not."""
    with planted(name):
        for number, seed in enumerate(range(first, first + limit), 1):
            trial = SimulatedTrial(seed)
            try:
                problems = trial.run()
            except Exception as error:  # a node that fails in a way of its own is caught too
                problems = [f"{type(error).__name__}: {error}"]
            if problems:
                return number, problems[0]
    return 0, ""
