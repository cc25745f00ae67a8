"""What goes wrong in a simulated cluster, from a plan that its seed alone decides.

It keeps the rule of the trial's nemesis: **it never destroys the last good copy of anything.** A bit is flipped only in one copy
of a file of which another server has a good and durable one, while all servers run, and no second time in that file before all of
its copies are whole again. All else destroys nothing that is durable, and may hit every node at once.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..cluster.simulated import SimCluster
from ..errors import RpclabError
from ..world.simulated_life import SimulatedTask
from .disks import copies

__all__ = ["KINDS", "Fault", "Nemesis", "faults", "names"]

TRIES = 20

KINDS = {
    "kill": 12,
    "power": 24,
    "pause": 12,
    "restart": 6,
    "partition": 16,
    "one way": 8,
    "reset": 14,
    "fill": 8,
    "syncs": 6,
    "flip": 16,
    "power all": 2,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to break: after how long, what, whom, for how long. What else is to choose, `number` and the seed decide."""

    number: int
    wait_s: float
    kind: str
    node: str
    hold_s: float

    def __str__(self) -> str:
        return f"fault {self.number}: {self.kind}, held {self.hold_s:.2f} s"


def faults(seed: int, servers: int, clients: int) -> Iterator[Fault]:
    """A seed's plan, without end."""
    chance = random.Random(f"{seed}/nemesis")
    server_names, client_names = names("server", servers), names("client", clients)
    # one client is as good as another: most of what is broken are servers, and the manager
    nodes = ["manager", "manager", *server_names, *server_names, *client_names]
    for number in itertools.count(1):
        hold_s = chance.uniform(4, 8) if chance.random() < 0.15 else chance.uniform(0.05, 2.5)
        kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
        yield Fault(number, chance.uniform(0.1, 1.5), kind, chance.choice(nodes), hold_s)


def names(role: str, count: int) -> list[str]:
    """The names of a cluster's nodes."""
    return [f"{role}{number}" for number in range(1, count + 1)]


class Nemesis:
    """`run` it in the simulation for so many seconds; then `heal` mends all that is broken."""

    def __init__(self, cluster: SimCluster, seed: int, note: Callable[[str], None]) -> None:
        self.cluster, self._seed, self._note = cluster, seed, note
        self._chance = random.Random()
        self.counts: dict[str, int] = {}
        self.done: set[int] = set()
        """The numbers of the faults that were."""
        self._broken: set[str] = set()
        self._flipped: dict[str, tuple[str, str]] = {}  # file: the digests before and after its last damage
        self._held: list[SimulatedTask] = []

    def run(self, plan: Iterable[Fault], seconds: float) -> None:
        until = self.cluster.now + seconds
        for fault in plan:
            self.cluster.sleep(fault.wait_s)
            if self.cluster.now > until:
                break
            self._chance = random.Random(f"{self._seed}/nemesis/{fault.number}")  # its own: others may be left out
            self._break(fault, fault.node)
        for task in self._held:
            self.cluster.simulation.wait_for(task)
            if task.error is not None:
                raise task.error

    def _break(self, fault: Fault, node: str) -> None:
        undo = getattr(self, "_" + fault.kind.replace(" ", "_"))(node)
        if undo is None:
            return
        self.done.add(fault.number)
        self.counts[fault.kind] = self.counts.get(fault.kind, 0) + 1
        self._note(f"{fault} {node}")

        def later() -> None:
            self.cluster.sleep(fault.hold_s)
            undo()

        simulation = self.cluster.simulation
        self._held.append(simulation.begin(later, simulation.outside, "undo"))

    def _take(self, node: str) -> bool:
        free = node not in self._broken and (node not in self.cluster.nodes or self.cluster.state(node) == "running")
        if free:
            self._broken.add(node)
        return free

    def _mends(self, undo: Callable[[], object], taken: str) -> Callable[[], object]:
        def mend() -> None:
            undo()
            self._broken.discard(taken)

        return mend

    def _kill(self, node: str) -> Callable[[], object] | None:
        if not self._take(node):
            return None
        self.cluster.kill(node)
        return lambda: self._start(node)

    def _power(self, node: str) -> Callable[[], object] | None:
        if not self._take(node):
            return None
        self.cluster.cut_power(node)
        return lambda: self._start(node)

    def _power_all(self, node: str) -> Callable[[], object] | None:
        if self._broken:
            return None
        for each in self.cluster.nodes:
            self._take(each)
            self.cluster.cut_power(each)

        nodes = list(self.cluster.nodes)
        self._chance.shuffle(nodes)

        def start() -> None:
            self.cluster.run(*(lambda each=each: self._start(each) for each in nodes))

        return start

    def _restart(self, node: str) -> Callable[[], object] | None:
        return (lambda: self._start(node)) if self._take(node) else None

    def _start(self, node: str) -> None:
        """Start a node again, or for the first time; while its disk is full or fails to sync it is tried again."""
        for _ in range(TRIES):
            try:
                self.cluster.restart(node, start_s=8)
            except RpclabError as error:
                self._note(f"{node} {self.cluster.state(node)}: {type(error).__name__}: {error}")
            if self.cluster.state(node) != "stopped":
                break  # it may be cut off from the manager, and registers later
            self.cluster.sleep(0.5)
        self._broken.discard(node)

    def _pause(self, node: str) -> Callable[[], object] | None:
        if not self._take(node):
            return None
        self.cluster.pause(node)
        return self._mends(lambda: self.cluster.resume(node), node)

    def _partition(self, node: str) -> Callable[[], object] | None:
        return self._cut(node, one_way=False)

    def _one_way(self, node: str) -> Callable[[], object] | None:
        return self._cut(node, one_way=True)

    def _cut(self, node: str, *, one_way: bool) -> Callable[[], object] | None:
        if not self._take("links"):
            return None
        if self._chance.random() < 0.5:
            self.cluster.partition(node, one_way=one_way)
        else:
            nodes = self.cluster.nodes
            several = self._chance.sample(nodes, min(len(nodes), self._chance.randint(2, max(2, len(nodes) // 2))))
            self.cluster.partition(several, one_way=one_way)
        return self._mends(self.cluster.heal, "links")

    def _reset(self, node: str) -> Callable[[], object] | None:
        self.cluster.reset(node, self._chance.random())
        return lambda: None

    def _fill(self, node: str) -> Callable[[], object] | None:
        if not self._take(f"room on {node}"):
            return None
        self.cluster.fill(node, self._chance.choice([0, 100, 10_000, 300_000]))
        return self._mends(lambda: self.cluster.empty(node), f"room on {node}")

    def _syncs(self, node: str) -> Callable[[], object] | None:
        if not self._take(f"syncs of {node}"):
            return None
        self.cluster.fail_syncs(node, self._chance.choice([0.05, 0.3, 1.0]))
        return self._mends(lambda: self.cluster.fail_syncs(node, 0), f"syncs of {node}")

    def _flip(self, node: str) -> Callable[[], object] | None:
        """Flip a bit of one copy of a file, by the rule above."""
        if any(self.cluster.state(server) != "running" for server in self.cluster.servers):
            return None
        chosen = [copy for copy in copies(self.cluster) if copy.size]
        self._chance.shuffle(chosen)
        for copy in chosen[:20]:
            others = copies(self.cluster, copy.file)
            good = [
                other
                for other in others
                if (other.server != copy.server and other.digest == copy.digest)
                and self.cluster.disk(other.server).is_durable(other.path)
            ]
            if good and self._whole_again(copy.file, [other.digest for other in others]):
                path = self.cluster.damage(copy.server, copy.file, version=copy.version)
                after = next(other for other in copies(self.cluster, copy.file) if other.path == path)
                self._flipped[copy.file] = (copy.digest, after.digest)
                return lambda: None
        return None

    def damaged(self, server: str) -> bool:
        """Whether a file lies on a server that was damaged: found at a start, it stays there and is not counted."""
        bad = {digest for _, digest in self._flipped.values()}
        return any(copy.server == server and copy.digest in bad for copy in copies(self.cluster))

    def _whole_again(self, file: str, lying: list[str]) -> bool:
        if file not in self._flipped:
            return True
        good, bad = self._flipped[file]
        return bad not in lying and lying.count(good) != 1

    def heal(self) -> None:
        """Everything runs, nothing is full, nothing is cut."""
        self.cluster.heal()
        for node in self.cluster.nodes:
            if f"room on {node}" in self._broken:
                self.cluster.empty(node)
            if f"syncs of {node}" in self._broken:
                self.cluster.fail_syncs(node, 0)
            if self.cluster.state(node) == "paused":
                self.cluster.resume(node)
        for node in self.cluster.nodes:
            if self.cluster.state(node) == "stopped":
                with_manager = [node, "manager"] if self.cluster.state("manager") == "stopped" else [node]
                for each in reversed(with_manager):
                    self.cluster.restart(each)
        self._note("everything is healed")
