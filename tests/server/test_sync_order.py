"""In what order a backup is written, synced, renamed and acknowledged on every server that takes it, in both replications."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from rpclab.client.session import Client
from rpclab.config import Address, Limits
from rpclab.manager.service import Manager
from rpclab.rpc.handshake import Identity
from rpclab.server.service import Server
from rpclab.world.base import Buffer
from rpclab.world.real import RealWorld

SECRET = bytes(32)
ANYWHERE: Address = ("127.0.0.1", 0)
NODES = ("server1", "server2", "server3")


class Recorded:
    """Passes everything on to what it wraps, and notes each receipt that is sent."""

    def __init__(self, wrapped: Any, note: Callable[[str], None]) -> None:
        self._wrapped, self._note = wrapped, note

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    def listen(self, address: Address) -> Any:
        return Recorded(self._wrapped.listen(address), self._note)

    def accept(self) -> Any:
        stream = self._wrapped.accept()
        return None if stream is None else Recorded(stream, self._note)

    def send(self, buffers: Sequence[Buffer], deadline: float | None) -> None:
        if b'"result":{"upload"' in b"".join(map(bytes, buffers)):
            self._note("answer")
        self._wrapped.send(buffers, deadline)


class Steps(list[tuple[str, str]]):
    """What all servers did, in the order in which they did it: (node, step)."""

    def of(self, node: str) -> list[str]:
        return [step for who, step in self if who == node]


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def client(new_folder: Callable[[], str], step_world: Callable[..., Any], steps: Steps) -> Iterator[Client]:
    manager = Manager(RealWorld(), Identity("manager", "manager", SECRET))
    address = manager.start(ANYWHERE)
    servers = []
    for node in NODES:
        world = step_world()

        def note(step: str, node: str = node) -> None:
            steps.append((node, step))

        before = world.steps.step

        def watch(what: str, path: str, *rest: Any, before: Any = before, note: Any = note) -> None:
            name = "incoming" if "Incoming/" in path else path.rpartition("/")[2]
            note(f"{what} {'Versions/' if '/Versions/' in path else ''}{name}")
            before(what, path, *rest)

        world.steps.step = watch
        world.network = Recorded(world.network, note)
        server = Server(world, Identity(node, "server", SECRET), new_folder(), address)
        server.start(ANYWHERE)
        assert server.link.wait_registered(20)  # type: ignore[attr-defined]
        servers.append(server)
    client = Client(RealWorld(), Identity("ann", "client", SECRET), address, limits=Limits())
    yield client
    client.close()
    for server in servers:
        server.stop(5)
    manager.stop(5)


def in_order(steps: list[str], *wanted: str) -> bool:
    """Whether the wanted steps are among these, in this order, each after the last of the one before."""
    place = -1
    for step in wanted:
        last = max((index for index, each in enumerate(steps) if each == step), default=-1)
        if last <= place:
            return False
        place = last
    return True


@pytest.mark.parametrize("replication", ["after", "pipeline"])
@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_a_file_is_durable_on_every_server_before_its_receipt_is_sent(
    client: Client, steps: Steps, make_file: Callable, replication: str, size: int
) -> None:
    for attempt in range(3):
        steps.clear()
        receipt = client.backup(make_file("a", size), "a", replication=replication, replicas=3)
        assert sorted(receipt.servers) == sorted(NODES)
        for node in NODES:
            own = steps.of(node)
            written = ["write incoming"] if size else []
            aside = ["rename to Versions/" + str(receipt.file.version - 1), "sync folder Versions/a"] if attempt else []
            wanted = [
                "create incoming",
                *written,
                "sync incoming",
                "write journal.jsonl",
                "sync journal.jsonl",
                *aside,
                "rename to a",
                "sync folder ann",
                "answer",
            ]
            assert in_order(own, *wanted), (node, own)
        primary = receipt.servers[0]
        answers = [node for node, step in steps if step == "answer"]
        assert answers[-1] == primary and sorted(answers) == sorted(NODES)


def test_with_primary_acknowledged_only_the_first_copy_need_be_durable(
    client: Client, steps: Steps, make_file: Callable, eventually: Callable
) -> None:
    receipt = client.backup(make_file("a", 100_000), "a", acknowledge="primary", replicas=2)
    (primary,) = receipt.servers
    assert receipt.pending == 1
    assert in_order(
        steps.of(primary), "sync incoming", "sync journal.jsonl", "rename to a", "sync folder ann", "answer"
    )
    eventually(lambda: sum(step == "sync folder ann" for _, step in list(steps)) == 2, what="the second copy")


def test_the_order_is_looked_at_rightly() -> None:
    steps = ["write a", "sync a", "write a", "answer"]
    assert in_order(steps, "sync a", "answer") and in_order(steps, "write a", "answer")
    assert not in_order(steps, "write a", "sync a", "answer")
    assert not in_order(steps, "sync a", "rename a", "answer")
