"""What the directory's knowledge costs, in memory and in looks, when there is a lot of it."""

from __future__ import annotations

from random import Random

import pytest

from rpclab.manager.balancing import next_move
from rpclab.manager.candidates import Candidates
from rpclab.manager.said import LATE
from rpclab.manager.upkeep import SETTLE_S

from .small import address, directory_of, file, server


def test_what_is_remembered_of_reports_does_not_grow_with_their_number() -> None:
    directory = directory_of(0)
    for number in range(1, 3 * LATE, 2):
        directory.update(address(0), stored_bytes=0, report=number, stored=[file("a", number)])
        directory.update(address(0), stored_bytes=0, report=number + 1, removed=[file("a", number)])
    heard = directory._servers[address(0)]
    assert max(len(heard.last_word), len(heard.words)) <= LATE + 2
    directory.update(address(0), stored_bytes=0, report=3 * LATE - 1, stored=[file("a", 3 * LATE - 1)])
    assert directory.total_files == 0, "a late report was believed"


def test_a_choice_leaves_no_suspected_server_out_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = directory_of(*range(1000))
    for number in range(500):
        directory.suspect(address(number))
    left_out: list[int] = []
    begin = Candidates.__init__
    monkeypatch.setattr(
        Candidates, "__init__", lambda self, pool, blocked: left_out.append(len(blocked)) or begin(self, pool, blocked)
    )
    assert directory.placing.choose(now=0, random=Random()).server.node == "server500"
    assert sum(left_out) == 0


def test_what_wants_another_server_is_not_looked_at_again_because_there_is_room() -> None:
    directory = directory_of(0, 0, replicas=3, quota_bytes=1000)
    for number in range(2):
        directory.add_files(address(number), [file(str(name)) for name in range(100)])
    directory.upkeep.waiting(0.0)
    assert directory.upkeep.waiting(SETTLE_S) == 0
    assert directory.upkeep.stuck == 100
    directory.update(address(0), stored_bytes=100, report=1)
    directory.update(address(0), stored_bytes=0, report=2)
    assert not directory.upkeep._fresh
    directory.add(server(2))
    directory.upkeep.waiting(2.0)
    assert directory.upkeep.waiting(2.0 + SETTLE_S) == 100


def test_room_for_the_smallest_is_not_an_occasion_for_the_largest() -> None:
    directory = directory_of(0, 100, replicas=2, quota_bytes=100)
    directory.add_files(address(0), [file("small", size=10), file("large", size=90)])
    directory.upkeep.waiting(0.0)
    assert (directory.upkeep.waiting(SETTLE_S), directory.upkeep.stuck) == (0, 2)
    directory.update(address(1), stored_bytes=50, report=1)
    assert list(directory.upkeep._fresh) == [("anna", "small")]


def test_a_reservation_that_ends_is_room_too() -> None:
    directory = directory_of(0, 0, replicas=2, quota_bytes=100)
    directory.add_files(address(0), [file("a", size=50)])
    directory.placing.reserve("other", [address(1)], ("anna", "b"), 60, 0.0)
    directory.upkeep.waiting(0.0)
    assert (directory.upkeep.waiting(SETTLE_S), directory.upkeep.stuck) == (0, 1)
    directory.placing.release("other")
    directory.upkeep.waiting(2.0)
    assert directory.upkeep.waiting(2.0 + SETTLE_S) == 1


def test_a_move_looks_once_at_each_file_of_the_fullest_however_many_could_take_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory = directory_of(*range(1000, 50_000, 1000), replicas=1)
    directory.add(server(100, stored=10_000_000))
    directory.add_files(address(100), [file(str(n), size=9000 + n % 7) for n in range(1000)])
    asked: list[str] = []
    holds = directory.holds
    monkeypatch.setattr(directory, "holds", lambda address, file: asked.append(file.name) or holds(address, file))
    move = next_move(directory, 1.2)
    assert move is not None
    assert (move.file.size, move.target.node) == (9006, "server0")
    assert len(asked) < 20
