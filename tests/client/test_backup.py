"""To whom a file is offered: a server that does not take it is passed over for another one, as long as nothing was sent."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable, Iterator

import pytest

from rpclab.client.session import Client
from rpclab.cluster.local import LocalCluster
from rpclab.config import Limits
from rpclab.errors import ConnectFailed, FolderNotUsable
from rpclab.rpc.handshake import Identity
from rpclab.secret import load_secret
from rpclab.world.real import RealWorld

IMPATIENT = Limits(handshake_s=0.5, call_s=2.0)
FOLDER_REMOVED = {name: "the test removes a server's whole folder" for name in ("counts", "folders")}


@pytest.fixture
def impatient() -> Iterator[Callable[[LocalCluster], Client]]:
    """A client that finds out soon that a server is paused."""
    made: list[Client] = []

    def connect(cluster: LocalCluster) -> Client:
        me = Identity("ann", "client", load_secret(str(cluster.secret_file)))
        made.append(
            Client(
                RealWorld(), me, cluster.addresses["manager"], tracer=cluster._sessions.tracer("ann"), limits=IMPATIENT
            )
        )
        return made[-1]

    yield connect
    for client in made:
        client.close()


def test_a_paused_primary_is_passed_over(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, impatient: Callable, copies: Callable
) -> None:
    cluster = start_cluster()
    cluster.pause("server1")
    receipt = impatient(cluster).backup(make_file("a", b"1"), "a")
    assert receipt.servers == ["server2", "server3"]
    assert copies(cluster, "ann/a") == {"server2": b"1", "server3": b"1"}


def test_a_primary_that_is_paused_behind_a_kept_connection_is_passed_over(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, impatient: Callable
) -> None:
    cluster = start_cluster()
    client = impatient(cluster)
    assert client.backup(make_file("a", b"1"), "a", replicas=1).servers == ["server1"]
    cluster.pause("server1")  # it holds the old copy, so it is chosen again
    assert client.backup(make_file("a", b"2"), "a", replicas=1).servers == ["server2"]


def test_when_nobody_answers_every_try_is_told(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, impatient: Callable
) -> None:
    cluster = start_cluster(servers=2)
    for server in cluster.servers:
        cluster.pause(server)
    with pytest.raises(
        ConnectFailed, match=r"server1: .*is that node paused.*; server2: .*is that node paused"
    ) as caught:
        impatient(cluster).backup(make_file("a", b"1"), "a")
    assert caught.value.definite


def test_a_primary_whose_folder_was_removed_is_passed_over(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, copies: Callable
) -> None:
    cluster = start_cluster(expect=FOLDER_REMOVED)
    shutil.rmtree(cluster.data / "servers/server1")
    with cluster.connect("ann") as session:
        for name, contents in (("a", b"1"), ("empty", b"")):
            assert session.backup(make_file(name, contents)).servers == ["server2", "server3"]
    assert set(copies(cluster, "ann/a")) == {"server2", "server3"}


def test_when_every_folder_was_removed_every_try_is_told(
    start_cluster: Callable[..., LocalCluster], make_file: Callable, tmp_path: pathlib.Path
) -> None:
    cluster = start_cluster(servers=2, expect=FOLDER_REMOVED)
    for server in cluster.servers:
        shutil.rmtree(cluster.data / "servers" / server)
    gone = "; ".join(rf"{server}: the folder [^ ]*{server} is gone: [^;]*" for server in cluster.servers)
    with (
        cluster.connect("ann") as session,
        pytest.raises(FolderNotUsable, match=f"^{gone}; all 2 servers are excluded"),
    ):
        session.backup(make_file("a", b"1"))
