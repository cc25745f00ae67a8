"""Placement in a real cluster: the policies by name, and a function of one's own, whatever it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.errors import RpclabError, UsageError
from rpclab.manager.placement import POLICIES


@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("replicas", [1, 3])
def test_every_policy_places_copies_on_different_servers(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, disk_bytes: Callable, policy: str, replicas: int
) -> None:
    cluster = start_cluster(placement=policy, replicas=replicas, seed=1)
    with cluster.connect("ann") as session:
        receipts = [session.backup(make_file("a", 1000 * number), f"{number}") for number in range(6)]
    assert all(len(set(receipt.servers)) == replicas for receipt in receipts)
    assert cluster.stored_bytes() == disk_bytes(cluster) and sum(disk_bytes(cluster).values()) == 15_000 * replicas
    if policy == "fewest-bytes" and replicas == 1:
        assert max(disk_bytes(cluster).values()) <= 7000
    if policy == "round-robin" and replicas == 1:
        assert {receipt.servers[0] for receipt in receipts[:3]} == set(cluster.servers)


def test_a_function_from_here_chooses(start_cluster: Callable[..., LocalCluster], make_file: Callable) -> None:
    favourite = "server3"

    def always_the_same(servers: Any, request: Any, random: Any) -> Any:
        return next((server for server in servers if server.node == favourite), servers[0])

    cluster = start_cluster(placement=always_the_same, expect={"placement": "a function of the test's own chooses"})
    assert "always_the_same" in repr(cluster)
    with cluster.connect("ann") as session:
        assert [session.backup(make_file("a"), f"{number}").servers[0] for number in range(3)] == ["server3"] * 3
        assert tuple(session.manager.getServer()) == cluster.addresses["server3"]


def by_name_only(servers: Any, request: Any, random: Any) -> Any:
    return "server9"


def nothing_at_all(servers: Any, request: Any, random: Any) -> Any:
    return None


def divides(servers: Any, request: Any, random: Any) -> Any:
    return servers[1 // 0]


def takes_too_few() -> None:
    return None


def test_a_function_that_takes_other_arguments_is_refused_before_anything_starts(start_cluster: Callable) -> None:
    with pytest.raises(UsageError, match=r"takes \(servers, request, random\); takes_too_few does not"):
        start_cluster(placement=takes_too_few)


@pytest.mark.parametrize("policy", [by_name_only, nothing_at_all, divides])
def test_a_function_that_goes_wrong_is_told_to_the_client_and_the_manager_goes_on(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, policy: Callable[..., Any]
) -> None:
    cluster = start_cluster(placement=policy, servers=1, replicas=1)
    with cluster.connect("ann") as session:
        for _ in range(2):
            with pytest.raises(RpclabError, match=policy.__name__ if policy is not divides else "ZeroDivisionError"):
                session.backup(make_file("a"))
        assert session.is_connected() and len(session.list_servers()) == 1
    assert "Traceback" not in cluster.log("manager") and cluster.stored_bytes() == {"server1": 0}


def test_what_can_be_no_policy_is_refused_before_anything_starts(tmp_path: Any) -> None:
    with pytest.raises(UsageError, match="fewest-bytes"):
        LocalCluster(placement="best", data=tmp_path)
    with pytest.raises(UsageError, match="function"):
        LocalCluster(placement=7, data=tmp_path)  # type: ignore[arg-type]
    open_file = (tmp_path / "x").open("w")
    with open_file, pytest.raises(UsageError, match="cannot be sent"):
        LocalCluster(placement=lambda servers, request, random: open_file, data=tmp_path)
