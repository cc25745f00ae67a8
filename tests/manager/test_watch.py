"""Placement functions that take long: told while they run, refused if they took too long."""

from __future__ import annotations

import pathlib
import threading
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.errors import PlacementError
from rpclab.manager.placement import POLICIES, Request, decide
from rpclab.manager.watch import watched
from rpclab.records import ServerRecord
from rpclab.world.real import RealWorld

SERVERS = [ServerRecord("server1", ("127.0.0.1", 1001), 0)]
REQUEST = Request("ann/a", 1, 0)


def test_one_that_takes_long_is_named_while_it_still_runs(world: RealWorld) -> None:
    told, heard = list[str](), threading.Event()

    def say(line: str) -> None:
        told.append(line)
        heard.set()

    def waits_to_be_named(servers: Any, request: Any, random: Any) -> Any:
        assert heard.wait(20)
        return servers[0]

    policy = watched(waits_to_be_named, world, say, slow_s=0.01, limit_s=60)
    assert decide(policy, SERVERS, REQUEST, Random()) == SERVERS[0]
    assert len(told) == 1 and told[0].startswith("the placement policy waits_to_be_named has run for 0.")


def test_one_that_took_too_long_is_a_clear_error(world: RealWorld) -> None:
    def too_slow(servers: Any, request: Any, random: Any) -> Any:
        return servers[0]

    with pytest.raises(
        PlacementError, match=r"^the placement policy too_slow took 0.0 s to choose .* more than 0 s are"
    ):
        decide(watched(too_slow, world, print, limit_s=0.0), SERVERS, REQUEST, Random())


def test_one_that_is_quick_is_not_spoken_of(world: RealWorld, eventually: Callable) -> None:
    told: list[str] = []
    for answer in (SERVERS[0], None, SystemExit()):

        def quick(servers: Any, request: Any, random: Any, answer: Any = answer) -> Any:
            if isinstance(answer, BaseException):
                raise answer
            return answer

        policy = watched(quick, world, told.append, slow_s=60)
        if answer is SERVERS[0]:
            assert decide(policy, SERVERS, REQUEST, Random()) == SERVERS[0]
        else:
            with pytest.raises(PlacementError, match="policy quick r"):
                decide(policy, SERVERS, REQUEST, Random())
    eventually(lambda: not [t for t in threading.enumerate() if t.name == "manager-watches-placement"])
    assert told == []


def test_ours_need_no_watch(world: RealWorld) -> None:
    assert all(watched(policy, world, print) is policy for policy in POLICIES.values())


def test_a_manager_names_the_function_that_holds_it_up(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, eventually: Callable, tmp_path: pathlib.Path
) -> None:
    go_on = str(tmp_path / "go on")

    def loops(servers: Any, request: Any, random: Any) -> Any:
        import os

        while not os.path.exists(go_on):
            continue
        return servers[0]

    cluster = start_cluster(servers=1, replicas=1, placement=loops, expect={"placement": "a function of its own"})
    with cluster.connect("ann") as session:
        asking = threading.Thread(target=session.backup, args=(make_file("a"), "a"))
        asking.start()
        eventually(lambda: "the placement policy loops has run for 2." in cluster.log("manager"))
        pathlib.Path(go_on).touch()
        asking.join(20)
        assert [each.file.name for each in session.list_files()] == ["a"]
