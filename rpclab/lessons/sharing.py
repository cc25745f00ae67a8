"""One connection that several tasks share without a lock: the original's worst fault, to be seen happen and to be cured.

The caller below is as the original's was: it sends its request, and takes whatever the next receive gives for its answer. It is
written for a `World`, so that the same lines race on real sockets and threads, or in a simulated world, again and again by seed.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from ..cluster.tables import html_table, text_table
from ..config import PACKET_BYTES, Address, Limits
from ..errors import ConnectionLost, RpclabError
from ..rpc.channel import Channel
from ..rpc.document import converse, encode_request
from ..rpc.registry import Registry
from ..trace import Tracer
from ..world.base import Stream, World

__all__ = ["Exchange", "Exchanges", "SharedConnection", "race", "simulated_race"]


class SharedConnection:
    """A connection on the description's wire that any task may use at any time: nobody waits for anybody's turn.

    With `lock` it is cured in the simplest way: whoever calls has the connection until the answer is there.
    """

    def __init__(self, world: World, address: Address, *, lock: bool = False, wait_s: float = 0.5) -> None:
        self._now, self._wait_s = world.clock.now, wait_s
        self._stream: Stream = world.network.connect(address, self._now() + 5)
        self._turn: Any = world.tasks.lock() if lock else nullcontext()  # guards a request and its answer

    def call(self, method: str, *args: Any) -> Any:
        """Send a request, receive once, and believe that it is the answer. Errors: JSONDecodeError when it is none, or two;
        DeadlineExceeded when nothing comes."""
        with self._turn:
            self._stream.send([encode_request(method, list(args), {})], self._now() + self._wait_s)
            buffer = bytearray(PACKET_BYTES)
            count = self._stream.receive_into(memoryview(buffer), self._now() + self._wait_s)
            if not count:
                raise ConnectionLost("the peer closed the connection before it answered")
            return json.loads(buffer[:count])

    def close(self) -> None:
        self._stream.close()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call: which task asked what, what it took for the answer, or the `fault` that it ended in."""

    task: int
    asked: str
    answered: object = None
    fault: str = ""

    @property
    def verdict(self) -> str:
        """right, crossed (another task's answer, or an older one), garbled (no answer at all), lost (nothing came)."""
        if self.fault:
            return "lost" if self.fault == "DeadlineExceeded" else "garbled"
        if self.answered == self.asked:
            return "right"
        return "crossed" if isinstance(self.answered, str) and self.answered.startswith("task ") else "garbled"


class Exchanges(list[Exchange]):
    """The calls of a race, in the order in which they ended; shows itself as a table of those that went wrong."""

    @property
    def counts(self) -> dict[str, int]:
        """How many calls came to what."""
        found = Counter(exchange.verdict for exchange in self)
        return {verdict: found[verdict] for verdict in ("right", "crossed", "garbled", "lost")}

    @property
    def wrong(self) -> list[Exchange]:
        return [exchange for exchange in self if exchange.verdict != "right"]

    def _title(self) -> str:
        counts = ", ".join(f"{count} {verdict}" for verdict, count in self.counts.items() if count)
        shown = f"; the first {_SHOWN} that went wrong" if len(self.wrong) > _SHOWN else ""
        return f"{len(self)} calls: {counts}{shown}"

    def _rows(self) -> list[list[str]]:
        return [[each.asked, each.verdict, _short(each.fault or repr(each.answered))] for each in self.wrong[:_SHOWN]]

    def _repr_html_(self) -> str:
        return html_table(self._title(), _HEADS, self._rows())

    def __repr__(self) -> str:
        return text_table(self._title(), _HEADS, self._rows())


_SHOWN = 10
_HEADS = ("asked", "verdict", "what it took for the answer")


def _short(text: str) -> str:
    return text if len(text) <= 48 else f"{text[:47]}…"


def race(
    world: World, address: Address, *, tasks: int = 4, calls: int = 10, lock: bool = False, wait_s: float = 0.5
) -> Exchanges:
    """Have tasks call `string("task 2, call 7")` over one connection: each should get its own text back.

    A task that got no answer goes on with its next call, so that all calls are made.
    """
    shared = SharedConnection(world, address, lock=lock, wait_s=wait_s)
    ended = Exchanges()

    def work(task: int) -> None:
        for number in range(1, calls + 1):
            text = f"task {task}, call {number}"
            try:
                ended.append(Exchange(task, text, shared.call("string", text)))
            except (ValueError, RpclabError) as error:
                ended.append(Exchange(task, text, fault=type(error).__name__))

    working = [world.tasks.spawn(lambda task=task: work(task), f"racer-{task}") for task in range(1, tasks + 1)]  # type: ignore[misc]
    for each in working:
        each.join()
    shared.close()
    return ended


def simulated_race(seed: int, *, tasks: int = 4, calls: int = 10, lock: bool = False) -> Exchanges:
    """The same race in a simulated world: the same seed has the same answers go astray. The network cuts nothing there, so that
    whatever goes wrong is the sharing's fault."""
    from ..world.simulated import Conditions, Simulation  # here: who has no greenlet can read the rest

    simulation = Simulation(seed, Conditions(cut=0, joined=0, stall=0))
    manager, racer = (simulation.world(name, simulation.disk(name)) for name in ("manager", "racer"))
    registry = Registry()
    registry.register_method(lambda text: text, "string")
    listening = manager.network.listen(("manager", 1))

    def serve() -> None:
        if (stream := listening.accept()) is not None:
            converse(Channel(manager, stream, Limits()), registry, Tracer(manager, "manager"), lambda line: None)

    manager.tasks.spawn(serve, "manager-serves")
    ended = simulation.run(lambda: race(racer, ("manager", 1), tasks=tasks, calls=calls, lock=lock), racer.life)
    simulation.close()
    assert isinstance(ended, Exchanges)
    return ended
