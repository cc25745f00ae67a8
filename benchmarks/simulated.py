"""The simulated world: messages a second between echoing nodes beside SimPy's, and calls a second through all of the RPC.

Everything is one process in virtual time, so processor time is counted: what else the machine does matters less. SimPy does the
same work as a simulation of it would be written: a process a node, a store each, a time-out for each message's latency.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from time import process_time
from typing import Any

from benchmarks.echo import asking
from benchmarks.figures import Figure, figure, missing
from benchmarks.harness import Child, ChildError, Settings, answer_questions, interleave, pin
from rpclab.cluster.simulated_node import MemoryLog, Order
from rpclab.rpc.handshake import Identity
from rpclab.rpc.listener import Listener
from rpclab.rpc.opening import open_connection
from rpclab.rpc.registry import Registry
from rpclab.trace import Tracer
from rpclab.world.simulated import Conditions, SimulatedWorld, Simulation

__all__ = ["measure"]

PAIRS = 10
ROUND_TRIPS = 1_000  # of each pair
CALLS = 5_000
TEXT = "x" * 100
LATENCY_S = 0.0005
SIDES = ("messages", "simpy", "calls", "calls with event log")


def measure(settings: Settings) -> list[Figure]:
    """Ours to SimPy's, in the same run; and the calls with the event log to those without."""
    rates: dict[str, list[float]] = {}
    try:
        children = {side: Child("simulated", side) for side in SIDES}
        try:
            rates = interleave(
                {side: asking(child, 0.0) for side, child in children.items()}, 3 if settings.quick else 9
            )
        finally:
            for child in children.values():
                child.close()
    except ChildError as error:
        return [missing("simulated", str(error), "/s", at_least=2.0)]
    return [
        figure("simulated messages, SimPy", "/s", rates["messages"], rates["simpy"], at_least=2.0),
        figure("simulated calls, log on to off", "/s", rates["calls with event log"], rates["calls"], at_least=0.3),
    ]


def messages() -> float:
    """Messages a second of processor time over the world's own streams."""
    simulation = Simulation(1, Conditions(cut=0, joined=0, stall=0))  # SimPy's messages are not cut either
    address = ("server", 7000)
    server, client = (simulation.world(node, simulation.disk(node)) for node in ("server", "client"))
    listening = server.network.listen(address)

    def echo(stream: Any) -> None:
        view = memoryview(bytearray(4096))
        while count := stream.receive_into(view, None):
            stream.send([view[:count]], None)

    def accept() -> None:
        while (stream := listening.accept()) is not None:
            server.tasks.spawn(lambda stream=stream: echo(stream), "echo")  # type: ignore[misc]

    def ask() -> None:
        stream, view = client.network.connect(address, None), memoryview(bytearray(4096))
        for _ in range(ROUND_TRIPS):
            stream.send([TEXT.encode()], None)
            left = len(TEXT)
            while left:
                left -= stream.receive_into(view, None)
        stream.close()

    server.tasks.spawn(accept, "accept")
    return _rate(2 * PAIRS * ROUND_TRIPS, lambda: _side_by_side(simulation, client, ask))


def _side_by_side(simulation: Simulation, client: SimulatedWorld, function: Any) -> None:
    for task in [simulation.begin(function, client.life, "ask") for _ in range(PAIRS)]:
        simulation.wait_for(task)


def simpy_messages() -> float:
    """The same with SimPy: a message arrives after a random latency, and in order."""
    import simpy

    environment, chance = simpy.Environment(), random.Random(1)

    def arrive(store: Any, message: bytes) -> Iterator[Any]:
        yield environment.timeout(LATENCY_S * (0.5 + chance.random()))
        store.put(message)

    def echo(own: Any, other: Any) -> Iterator[Any]:
        while True:
            message = yield own.get()
            environment.process(arrive(other, message))

    def ask(own: Any, other: Any) -> Iterator[Any]:
        for _ in range(ROUND_TRIPS):
            environment.process(arrive(other, TEXT.encode()))
            yield own.get()

    for _ in range(PAIRS):
        here, there = simpy.Store(environment), simpy.Store(environment)
        environment.process(echo(there, here))
        environment.process(ask(here, there))
    return _rate(2 * PAIRS * ROUND_TRIPS, environment.run)


def calls(log: bool) -> float:
    """Calls a second of processor time: stubs, packets, messages, the method's table."""
    simulation = Simulation(1)
    server, client = (simulation.world(node, simulation.disk(node)) for node in ("server", "client"))

    def tracer(world: SimulatedWorld) -> Tracer:
        return Tracer(world, world.life.node, MemoryLog(Order()) if log else None)

    registry = Registry()
    registry.register_method(lambda text: text, "echo", reads=True)
    listener = Listener(server, registry, Identity("server", "server", bytes(32)), tracer(server))
    simulation.run(lambda: listener.start(("server", 7000)), server.life)

    def ask() -> None:
        identity = Identity("client", "client", bytes(32))
        with open_connection(client, ("server", 7000), identity, tracer(client), expected=("server",)) as connection:
            for _ in range(CALLS):
                if connection.call("echo", TEXT) != TEXT:
                    raise ValueError("another answer than was sent")

    return _rate(CALLS, lambda: simulation.run(ask, client.life))


def _rate(count: int, function: Any) -> float:
    began = process_time()
    function()
    return count / (process_time() - began)


def main(side: str) -> None:
    """The child: each question is answered with a rate."""
    pin()
    sides = {
        "messages": messages,
        "simpy": simpy_messages,
        "calls": lambda: calls(False),
        "calls with event log": lambda: calls(True),
    }
    answer_questions(lambda _: {"rate": sides[side]()})


if __name__ == "__main__":
    main(sys.argv[1])
