"""The seam holds: the unchanged roles run in a simulated world, in one thread, and one seed gives one log, to the byte."""

from __future__ import annotations

import os
import pathlib
import random
import subprocess
import sys
import threading
import time
from functools import partial
from unittest import mock

import msgspec
import pytest

from rpclab.client.session import Client
from rpclab.config import Limits
from rpclab.manager.service import Manager
from rpclab.manager.settings import Settings
from rpclab.records import Receipt
from rpclab.rpc.handshake import Identity, Role
from rpclab.server.service import Server
from rpclab.trace import Event, Tracer
from rpclab.world.base import World
from rpclab.world.simulated import SimulatedWorld, Simulation

SERVERS = ("server1", "server2", "server3")
NODES = ("manager", *SERVERS, "client1")
ADDRESS = ("manager", 65432)
LIMITS = Limits(retry_s=2.0)  # a server that was cut off stays away long enough to be missed
CONTENTS = random.Random(7).randbytes(200_000) + b"EOF"
TESTS = pathlib.Path(__file__).parent.parent
NOT_IN_A_SIMULATION = ("open", "os.", "socket.", "subprocess.")


class Play:
    """A manager, three servers and a client in one simulation: three backups, two restores, and a connection that is cut."""

    def __init__(self, seed: int) -> None:
        self.simulation = Simulation(seed)
        self.worlds = {node: self._world(node) for node in NODES}
        self.tracers: list[Tracer] = []
        self.said: list[str] = []
        self.receipts: dict[str, Receipt] = {}
        self.simulation.run(self._story)

    def _world(self, node: str) -> SimulatedWorld:
        return self.simulation.world(node, self.simulation.disk(node))

    @property
    def logs(self) -> dict[str, bytes]:
        return {node: self.contents(node, "log") for node in NODES}

    @property
    def events(self) -> list[Event]:
        lines = b"".join(self.logs.values()).splitlines()
        return sorted((msgspec.json.decode(line, type=Event) for line in lines), key=lambda event: event.time)

    def contents(self, node: str, path: str) -> bytes:
        return self.worlds[node].disk.contents(path)

    def copies(self, name: str) -> dict[str, bytes]:
        """What lies on the servers' disks under that name."""
        folder = "data/Backups/client1"
        found = {node: [entry.name for entry in self.worlds[node].disk.list(folder)] for node in SERVERS}
        return {node: self.contents(node, f"{folder}/{name}") for node in SERVERS if name in found[node]}

    def _node(self, name: str, role: Role) -> tuple[World, Identity, Tracer]:
        world = self.worlds[name]
        self.tracers.append(Tracer(world, name, world.disk.open_log("log")))
        return world, Identity(name, role, b"a secret"), self.tracers[-1]

    def _story(self) -> None:
        world, identity, tracer = self._node("manager", "manager")
        manager = Manager(world, identity, settings=Settings(), tracer=tracer, limits=LIMITS, say=self.said.append)
        manager.start(ADDRESS)
        servers = [self._server(node) for node in SERVERS]
        world, identity, tracer = self._node("client1", "client")
        with Client(world, identity, ADDRESS, tracer=tracer, limits=LIMITS) as client:
            self._wait_for(client, 3)
            self._use(world, client)
        for server in servers:
            server.stop(LIMITS.stop_s)
        manager.stop(LIMITS.stop_s)
        for tracer in self.tracers:
            tracer.close()

    def _server(self, node: str) -> Server:
        world, identity, tracer = self._node(node, "server")
        server = Server(world, identity, "data", ADDRESS, tracer=tracer, limits=LIMITS, say=self.said.append)
        server.start((node, 0))
        return server

    def _use(self, world: World, client: Client) -> None:
        world.disk.make_folder("Files")
        writer = world.disk.create("Files/photo.png")
        writer.write([CONTENTS])
        writer.close()
        modes = ("after", "pipeline")
        tasks = [world.tasks.spawn(partial(self._backup, client, mode, mode), mode) for mode in modes]
        for task in tasks:
            task.join()
        for name in modes:
            client.restore(name, "restored")
        self.simulation.wires.reset("server3", random.Random(1), 1.0)
        self._wait_for(client, 2)
        self._backup(client, "without server3", "pipeline")
        self._wait_for(client, 3)

    def _backup(self, client: Client, name: str, mode: str) -> None:
        self.receipts[name] = client.backup("Files/photo.png", name, replication=mode)

    def _wait_for(self, client: Client, servers: int) -> None:
        while len(client.list_servers()) != servers:
            assert self.simulation.now < 60, f"{servers} servers did not come to be registered: {self.said}"
            self.simulation.scheduler.sleep(0.01)


@pytest.fixture(scope="module")
def play() -> Play:
    return Play(1)


@pytest.mark.parametrize("seed", range(1, 6))
def test_files_are_backed_up_copied_and_restored_in_a_simulated_world(seed: int) -> None:
    play = Play(seed)
    for name in ("after", "pipeline"):
        receipt = play.receipts[name]
        assert receipt.complete and not receipt.problems
        assert play.copies(name) == dict.fromkeys(sorted(receipt.servers), CONTENTS)
        assert len(receipt.servers) == 2
        assert play.contents("client1", f"restored/{name}") == CONTENTS
    assert not [line for line in play.said if "fault" in line]


def test_a_pipeline_sends_on_while_the_file_arrives(play: Play) -> None:
    def stored_and_first_sent_on(name: str) -> tuple[float, float]:
        primary = [event for event in play.events if event.node == play.receipts[name].servers[0]]
        about = [event for event in primary if event.file == f"client1/{name}"]
        sent = [event.time for event in about if event.kind == "send-data" and event.copy == "replica"]
        return next(event.time for event in about if event.kind == "stored"), sent[0]

    stored, sent = stored_and_first_sent_on("after")
    assert stored <= sent
    stored, sent = stored_and_first_sent_on("pipeline")
    assert sent < stored


def test_a_server_whose_connection_is_cut_is_gone_not_chosen_and_comes_back(play: Play) -> None:
    about = [event for event in play.events if event.node == "manager" and event.peer == "server3"]
    assert [event.kind for event in about if event.kind in ("registered", "gone")] == ["registered", "gone"] * 2
    assert sorted(play.receipts["without server3"].servers) == ["server1", "server2"]


def test_time_is_virtual_and_every_task_has_ended(play: Play) -> None:
    assert 2.0 < play.simulation.now < 60.0
    assert play.events[-1].time <= play.simulation.now
    assert [task.name for world in play.worlds.values() for task in world.life.tasks] == []
    assert play.simulation.scheduler.turns > 100


def test_the_same_seed_gives_the_same_log_to_the_byte(play: Play) -> None:
    assert Play(1).logs == play.logs
    assert all(play.logs.values())


def test_another_seed_gives_another_schedule(play: Play) -> None:
    def schedule(play: Play) -> list[tuple[str, str, str]]:
        return [(event.node, event.kind, event.peer) for event in play.events]

    assert schedule(Play(1)) == schedule(play)
    assert schedule(Play(2)) != schedule(play)


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_no_socket_file_or_thread_is_used_and_no_order_hangs_on_hashes(play: Play, hash_seed: str) -> None:
    program = "from simulated.test_seam import watched; watched(1)"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    found = subprocess.run([sys.executable, "-c", program], cwd=TESTS, env=environment, capture_output=True, timeout=60)
    assert found.returncode == 0, found.stderr.decode()
    used, logs = msgspec.json.decode(found.stdout, type=tuple[list[str], dict[str, str]])
    assert used == []
    assert logs == {node: log.decode() for node, log in play.logs.items()}


def watched(seed: int) -> None:
    """In a process of its own: play, and print what of the system was used meanwhile (audit events, PEP 578), and the logs."""
    Play(seed)  # what is imported at the first use is read from real files: that is no part of the play
    used: list[str] = []
    watching = True

    def note(event: str, arguments: object) -> None:
        if watching and event.startswith(NOT_IN_A_SIMULATION):
            used.append(f"{event} {arguments!r}")

    sys.addaudithook(note)
    thread = mock.patch.object(threading.Thread, "start", lambda thread: used.append(f"thread {thread.name}"))
    sleep = mock.patch.object(time, "sleep", lambda seconds: used.append(f"sleep {seconds}"))
    with thread, sleep:  # neither has an audit event in every Python
        play = Play(seed)
    watching = False
    sys.stdout.buffer.write(msgspec.json.encode((used, {node: log.decode() for node, log in play.logs.items()})))
