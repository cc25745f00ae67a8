"""A cluster reached from another process: here from other objects of the same one, over the same sockets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rpclab.cluster.attached import AttachedCluster
from rpclab.cluster.desk import Desk
from rpclab.errors import HandshakeError, NotRunning, UsageError
from rpclab.secret import new_secret
from rpclab.study.history import History


@pytest.fixture
def owner(start_cluster: Callable[..., Any]) -> Any:
    return start_cluster(clients=1)


def test_it_shows_what_its_owner_shows(owner: Any, make_file: Any) -> None:
    with Desk(owner), AttachedCluster(owner.data) as cluster:
        owner.clients["client1"].backup(make_file("a.txt"))
        assert (cluster.nodes, cluster.servers, list(cluster.clients)) == (
            owner.nodes,
            owner.servers,
            list(owner.clients),
        )
        assert (cluster.addresses, cluster.settings) == (owner.addresses, owner.settings)
        assert cluster.files() == owner.files() and cluster.stored_bytes() == owner.stored_bytes()
        assert cluster.upkeep().keys() == owner.upkeep().keys()
        assert cluster.log("server1").split() == owner.log("server1").split()
        assert isinstance(cluster.history, History) and len(cluster.tail().read()) > 0
        assert "server3" in repr(cluster)


def test_its_verbs_are_its_owners(owner: Any, make_file: Any) -> None:
    with Desk(owner), AttachedCluster(owner.data) as cluster:
        cluster.pause("server2")
        assert (owner.state("server2"), cluster.state("server2")) == ("paused", "paused")
        cluster.resume("server2")
        cluster.kill("server1")
        assert owner.state("server1") == cluster.state("server1") == "stopped"
        cluster.kill("client1")
        with pytest.raises(NotRunning, match="client1"):
            cluster.clients["client1"].backup(make_file("a.txt"))
        cluster.restart("server1")
        cluster.restart("client1")
        assert cluster.clients["client1"].backup(make_file("a.txt")).copies == 2
        with pytest.raises(NotRunning, match="not running"):
            owner.kill("server3")
            cluster.pause("server3")
        kinds = [event.kind for event in owner.history if event.node == "cluster"]
        assert kinds[:3] == ["paused", "resumed", "killed"]


def test_what_is_no_verb_no_part_and_no_client_is_refused(owner: Any) -> None:
    with Desk(owner), AttachedCluster(owner.data) as cluster:
        with pytest.raises(UsageError, match="no 'stop' here"):
            cluster._do("stop", "server1")
        with pytest.raises(UsageError, match="no 'server9'"):
            cluster.kill("server9")
        with pytest.raises(UsageError, match="no 'server9'"):
            cluster.log("server9")
        with pytest.raises(UsageError, match="no client"):
            cluster.connect("somebody")


def test_without_the_clusters_secret_nobody_is_served(owner: Any, tmp_path: Path) -> None:
    from rpclab.rpc.handshake import Identity
    from rpclab.rpc.opening import open_connection
    from rpclab.secret import load_secret
    from rpclab.trace import Tracer
    from rpclab.world.real import RealWorld

    world = RealWorld()
    stranger = Identity("control", "client", load_secret(new_secret(tmp_path / "other-secret")))
    with Desk(owner) as desk, pytest.raises(HandshakeError):
        open_connection(world, desk.address, stranger, Tracer(world, "control"), expected=("client",))


def test_without_a_desk_one_is_told_so(owner: Any) -> None:
    desk = Desk(owner)
    desk.close()
    desk.close()
    with pytest.raises(NotRunning, match="rpclab app"):
        AttachedCluster(owner.data)
