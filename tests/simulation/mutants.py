"""Bugs planted in the role code, one at a time: the simulation must find each. `python -m tests.simulation --mutants` makes the
table of after how many seeds."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from msgspec import UNSET

from rpclab.errors import ConnectionLost
from rpclab.manager.directory import Directory
from rpclab.manager.reservations import Reservations
from rpclab.rpc import pool
from rpclab.rpc.connection import Connection
from rpclab.server import replication
from rpclab.server.incoming import Incoming
from rpclab.server.index import Index
from rpclab.server.journal import Journal
from rpclab.server.manager_link import ManagerLink
from rpclab.server.replication import Replication
from rpclab.server.store import Store
from rpclab.server.uploads import Uploads
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
    class Careless:
        """The world, with a disk on which no change of a name is ever synced."""

        def __init__(self, world: Any) -> None:
            self._world, self.disk = world, _Without(world.disk, "sync_folder")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._world, name)

    return lambda self, world, *args, **named: original(self, Careless(world), *args, **named)


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


def ids_of_one_byte(original: int) -> int:
    return 1


def from_a_bad_copy(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, expected="", **named: original(*args, **named)


def shared(original: Callable[..., Any]) -> Callable[..., Any]:
    """A pool with one connection, which every task uses that needs one."""

    def take(self: Any, fresh: bool) -> Any:
        connection = getattr(self, "_one", None)
        if connection is None or connection.closed or fresh:
            connection = self._one = original(self, fresh)
        return connection

    return take


def unguarded(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self: self._taken.acquire(False)


def any_answer(original: Callable[..., Any]) -> Callable[..., Any]:
    """The next answer is taken for this call's, whatever call it is of."""

    def answer(self: Any, number: int, deadline: float, notified: Any) -> Any:
        message = self._receive(deadline)
        if message is None or message.method is not UNSET:
            raise ConnectionLost("no answer")
        return message

    return answer


def as_if_first_in_line(original: Callable[..., Any]) -> Callable[..., Any]:
    """A server in the middle of a broken pipeline looks for another: it may be given one that is before it."""

    def make_copies(self: Any, file: Any, job: Any, forward: Any) -> Any:
        return original(self, file, dataclasses.replace(job, copy="original"), forward)

    return make_copies


Mutation = tuple[Any, str, Callable[[Any], Any]]

MUTANTS: dict[str, list[Mutation]] = {
    "answer before sync": [(Journal, "append", answer_before_sync)],
    "rename before sync": [(Incoming, "commit", rename_before_sync)],
    "no folder sync": [(Store, "__init__", no_folder_sync)],
    "secondary's failure ignored": [(Replication, "_attempt", failure_of_the_second_ignored)],
    "acknowledged before the replica": [(Replication, "_attempt", acknowledged_before_the_replica)],
    "capacity counted twice": [(ManagerLink, "report", capacity_counted_twice)],
    "stale version wins": [(Directory, "locate", stale_version_wins)],
    "tombstone forgotten": [(Index, "bury", tombstone_forgotten)],
    "reservation leaked": [(Reservations, "release", reservation_leaked)],
    "reply to the wrong call": [(pool, "_ONCE_BYTES", ids_of_one_byte)],
    "repair from a bad copy": [(replication, "send_file", from_a_bad_copy)],
    "one server counted twice": [(Uploads, "_make_copies", as_if_first_in_line)],
    "shared connection without lock": [
        (pool.Pool, "_take", shared),
        (Connection, "_take", unguarded),
        (Connection, "_answer", any_answer),
    ],
}


@contextlib.contextmanager
def planted(name: str) -> Iterator[None]:
    with contextlib.ExitStack() as planting:
        for owner, what, mutate in MUTANTS[name]:
            planting.enter_context(mock.patch.object(owner, what, mutate(getattr(owner, what))))
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
