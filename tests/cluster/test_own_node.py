"""A node of one's own: a notebook's functions, called by name from elsewhere in the cluster."""

from __future__ import annotations

import pathlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.config import Limits
from rpclab.errors import (
    DeadlineExceeded,
    HandshakeError,
    MethodNotFound,
    NameRefused,
    NotRunning,
    UsageError,
    WrongArguments,
)
from rpclab.rpc.handshake import Identity
from rpclab.rpc.opening import open_connection
from rpclab.trace import Tracer
from rpclab.world.real import RealWorld

Start = Callable[..., LocalCluster]


def double(number: int) -> int:
    """Twice as much."""
    return 2 * number


def test_its_functions_are_called_described_and_traced(start_cluster: Start) -> None:
    cluster = start_cluster(servers=0)
    node = cluster.serve("calculator", double)
    stub = cluster.connect("ann").server(node.address)
    assert stub.double(21) == 42
    assert dir(stub) == ["double"] and "Twice as much" in stub.double.__doc__
    with pytest.raises(MethodNotFound, match=r"'halve'.*double"):
        stub.halve(42)
    with pytest.raises(WrongArguments, match="number"):
        stub.double("x")
    assert node.said[0] == "ann: double([21])"
    answered = [event for event in cluster.history if event.node == "calculator" and event.kind == "send"]
    assert [event.method for event in answered][:1] == ["double"]


def test_a_function_can_be_added_later(start_cluster: Start) -> None:
    cluster = start_cluster(servers=0)
    node = cluster.serve("calculator")
    node.registry.register_method(double)
    assert cluster.connect("ann").server(node.address).double(4) == 8


def test_it_asks_for_the_secret_and_keeps_its_own_limits(start_cluster: Start, world: RealWorld) -> None:
    node = start_cluster(servers=0).serve("calculator", limits=Limits(connections=0))
    stranger = Identity("ann", "client", bytes(32))
    with pytest.raises(Exception, match="can serve no more"):
        open_connection(world, node.address, stranger, Tracer(world, "ann"), expected=("server",))


def test_a_stranger_is_refused(start_cluster: Start, world: RealWorld) -> None:
    node = start_cluster(servers=0).serve("calculator", double)
    stranger = Identity("ann", "client", bytes(32))
    with pytest.raises(HandshakeError, match="secret"):
        open_connection(world, node.address, stranger, Tracer(world, "ann"), expected=("server",))


def test_it_ends_with_the_cluster(start_cluster: Start, eventually: Any) -> None:
    cluster = start_cluster(servers=0)
    node = cluster.serve("calculator", double)
    cluster.connect("ann").server(node.address).double(1)
    cluster.stop()
    eventually(lambda: not [each for each in threading.enumerate() if each.name.startswith("calculator-")])
    with pytest.raises(NotRunning):
        cluster.serve("another", double)


def test_it_cannot_have_the_name_of_a_part_or_one_that_is_none(start_cluster: Start) -> None:
    cluster = start_cluster(servers=1)
    with pytest.raises(UsageError, match="server1 runs"):
        cluster.serve("server1", double)
    with pytest.raises(NameRefused):
        cluster.serve("../x", double)


def test_it_speaks_tls_where_the_cluster_does(start_cluster: Start, tmp_path: pathlib.Path) -> None:
    cluster = start_cluster(servers=0, tls=True)
    node = cluster.serve("calculator", double)
    assert cluster.connect("ann").server(node.address).double(3) == 6


def test_a_client_waits_as_long_as_its_limits_say(start_cluster: Start) -> None:
    cluster = start_cluster(servers=0)
    never = threading.Event()
    node = cluster.serve("sleeper", sleep_until(never))
    hasty = cluster.connect("hasty", limits=Limits(call_s=0.2)).server(node.address)
    with pytest.raises(DeadlineExceeded):
        hasty.sleep()
    never.set()


def sleep_until(event: threading.Event) -> Callable[[], None]:
    def sleep() -> None:
        event.wait(30)

    return sleep
