"""What goes wrong, on purpose, from a plan that its seed alone decides.

The rule it keeps, because no system of two copies can promise more: **it never destroys the last good copy of anything.** A
bit is flipped only in one copy of a file of which it has just seen another good one on the disk of another server, while all
servers run, and no second time in that file before all of its copies are seen whole again. `kill -9`, pauses, cut
connections and full disks destroy nothing that is durable: those may hit every node at once.
"""

from __future__ import annotations

import heapq
import itertools
import os
import pathlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from blake3 import blake3

from rpclab.cluster.local import LocalCluster
from rpclab.errors import ClusterError, NotRunning
from rpclab.records import file_key

from .disks import digest_of, held_bytes, stored_files
from .sockets import cut

__all__ = ["Fault", "Nemesis", "faults"]

KINDS = {"kill": 26, "pause": 20, "restart": 8, "cut": 24, "fill": 6, "squeeze": 4, "flip": 20, "kill all": 2}
START_S = 8.0  # for a node to start and be listed
TRIES = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to break: after how long, what, whom (a number that is taken modulo those there are), for how long."""

    number: int
    wait_s: float
    kind: str
    target: int
    hold_s: float


def faults(seed: int) -> Iterator[Fault]:
    """The plan, without end."""
    chance = random.Random(f"{seed}/nemesis")
    for number in itertools.count(1):
        hold_s = chance.uniform(4, 8) if chance.random() < 0.15 else chance.uniform(0.05, 2.5)
        kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
        yield Fault(number, chance.uniform(0.1, 1.0), kind, chance.randrange(1 << 30), hold_s)


@dataclass(order=True)
class _Undo:
    at: float
    number: int
    act: Callable[[], None] = field(compare=False)


class Nemesis:
    """Carries the plan out in a thread of its own, until it is stopped; then `heal` mends all that is broken."""

    def __init__(
        self,
        cluster: LocalCluster,
        seed: int,
        *,
        squeezed: str,
        disk: pathlib.Path | None,
        note: Callable[[str], None],
    ) -> None:
        self.cluster, self._seed, self._note = cluster, seed, note
        self._squeezed, self._disk = squeezed, disk
        self._chance = random.Random(f"{seed}/nemesis/details")
        self.counts: dict[str, int] = {}
        self.problems: list[str] = []
        self._broken: set[str] = set()  # nodes that are down or paused now
        self._flipped: dict[str, tuple[str, str]] = {}  # file: the digests before and after its last damage
        self._full: set[int] = set()  # faults that filled the disk
        self._failures: dict[str, int] = {}  # nodes that did not start, and how often in a row
        self._undo: list[_Undo] = []
        self._stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name="trial-nemesis", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self, within_s: float = 90.0) -> bool:
        self._stop.set()
        self.thread.join(within_s)
        return not self.thread.is_alive()

    def _run(self) -> None:
        plan = faults(self._seed)
        fault = next(plan)
        due = time.monotonic() + fault.wait_s
        while not self._stop.is_set():
            now = time.monotonic()
            if self._undo and self._undo[0].at <= now:
                self._guarded(heapq.heappop(self._undo).act)
            elif due <= now:
                self._guarded(lambda: self._break(fault))  # noqa: B023 - done at once
                fault = next(plan)
                due = time.monotonic() + fault.wait_s
            else:
                self._stop.wait(min([due, *(each.at for each in self._undo[:1])]) - now)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # a cluster that cannot be started again is a finding, and the trial goes on
            self.problems.append(f"{time.perf_counter():.3f} {type(error).__name__}: {error}")
            self._note(f"the nemesis failed: {type(error).__name__}: {error}")

    # ---- breaking

    def _break(self, fault: Fault) -> None:
        nodes = self.cluster.nodes
        node = nodes[fault.target % len(nodes)]
        act = getattr(self, "_" + fault.kind.replace(" ", "_"))
        what = act(fault, node)
        if what:
            self.counts[fault.kind] = self.counts.get(fault.kind, 0) + 1
            self._note(f"fault {fault.number}: {fault.kind} {what}, for {fault.hold_s:.2f} s")

    def _later(self, fault: Fault, act: Callable[[], None]) -> None:
        heapq.heappush(self._undo, _Undo(time.monotonic() + fault.hold_s, fault.number, act))

    def _kill(self, fault: Fault, node: str) -> str:
        if node in self._broken:
            return ""
        self.cluster.kill(node)
        self._broken.add(node)
        self._later(fault, lambda: self._start(node))
        return node

    def _pause(self, fault: Fault, node: str) -> str:
        if node in self._broken:
            return ""
        self.cluster.pause(node)
        self._broken.add(node)
        self._later(fault, lambda: self._resume(node))
        return node

    def _restart(self, fault: Fault, node: str) -> str:
        if node in self._broken:
            return ""
        self._start(node)
        return f"{node}, cleanly"

    def _kill_all(self, fault: Fault, node: str) -> str:
        for each in self.cluster.nodes:
            self.cluster.kill(each)
        self._undo = [each for each in self._undo if each.number in self._full]
        heapq.heapify(self._undo)
        self._broken.update(self.cluster.nodes)
        self._later(fault, self._start_all)
        return ", ".join(self.cluster.nodes)

    def _cut(self, fault: Fault, node: str) -> str:
        """Connections of a node, or of the clients in this process; not those by which we tell a client what to do."""
        if node in self.cluster.clients or node in self._broken:
            node = ""
        told = {self.cluster.addresses[client] for client in self.cluster.clients}
        pid = self.cluster.processes().get(node) if node else os.getpid()
        count = (
            cut(pid, self._chance, lambda each: tuple(each.raddr) in told or tuple(each.laddr) in told) if pid else 0
        )
        return f"{count} connections of {node or 'the clients'}" if count else ""

    def _fill(self, fault: Fault, node: str) -> str:
        """Fill the small disk to its last byte."""
        if self._disk is None or self._ballast.exists():
            return ""
        with open(self._ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        self._full.add(fault.number)
        self._later(fault, lambda: self._ballast.unlink(missing_ok=True))
        return f"{self._disk}"

    @property
    def _ballast(self) -> pathlib.Path:
        assert self._disk is not None
        return self._disk / "ballast"

    def _squeeze(self, fault: Fault, node: str) -> str:
        """Give one server a quota of what it holds and a little more."""
        if self._squeezed in self._broken:
            return ""
        held = held_bytes(self.cluster, self._squeezed)
        self._set_quota(held + 300_000)
        self._start(self._squeezed)
        return f"{self._squeezed} to {held + 300_000:,} bytes"

    def _set_quota(self, quota: int | None) -> None:
        part = self.cluster._nodes[self._squeezed]
        options = part._options
        if "--quota-bytes" in options:
            place = options.index("--quota-bytes")
            del options[place : place + 2]
        if quota is not None:
            options += ["--quota-bytes", str(quota)]

    def _flip(self, fault: Fault, node: str) -> str:
        """Flip a bit of one copy of a file, by the rule above."""
        if self._broken:
            return ""
        files = sorted(path for server in self.cluster.servers for path in stored_files(self.cluster, server))
        self._chance.shuffle(files)
        for path in files[:20]:
            if damaged := self._flip_one(path):
                return damaged
        return ""

    def _flip_one(self, path: pathlib.Path) -> str:
        server, key = self._whose(path)
        try:
            with open(path, "r+b", buffering=0) as file:  # opened before it is read: what is flipped is what was seen
                data = file.read()
                if not data or not self._may_flip(server, key, blake3(data).hexdigest()):
                    return ""
                place, bit = self._chance.randrange(len(data)), 1 << self._chance.randrange(8)
                file.seek(place)
                file.write(bytes([data[place] ^ bit]))
        except OSError:
            return ""  # replaced or removed meanwhile
        before = blake3(data).hexdigest()
        after = blake3(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]).hexdigest()
        self._flipped[key] = (before, after)
        self.cluster._sessions.tracer("cluster").event("damaged", peer=server, file=key)
        return f"byte {place} of {key} at {server}, contents {before[:12]}"

    def _may_flip(self, server: str, key: str, contents: str) -> bool:
        """Whether another server has these contents too, and what was damaged in this file before is whole again."""
        digests = {
            other: list(map(digest_of, stored_files(self.cluster, other, key))) for other in self.cluster.servers
        }
        if not any(contents in found for other, found in digests.items() if other != server):
            return False
        if key in self._flipped:
            good, bad = self._flipped[key]
            lying = [digest for found in digests.values() for digest in found]
            if bad in lying or lying.count(good) == 1:
                return False
        return True

    def _whose(self, path: pathlib.Path) -> tuple[str, str]:
        server, kind, client, *name = path.relative_to(self.cluster.data / "servers").parts
        return server, file_key(client, "/".join(name if kind == "Backups" else name[:-1]))

    # ---- mending

    def _resume(self, node: str) -> None:
        self._broken.discard(node)
        try:
            self.cluster.resume(node)
        except NotRunning:
            self.problems.append(f"{node} had ended while it was paused; it said:\n{self.cluster.log(node)}")
            self._start(node)

    def _start(self, node: str) -> None:
        """Start a node again. Its port may for a moment be somebody else's: it is tried again."""
        self._broken.add(node)
        try:
            self.cluster.restart(node, start_s=START_S)
        except ClusterError as error:
            self._failures[node] = self._failures.get(node, 0) + 1
            self._note(f"{node} did not start: {error}")
            if self._failures[node] > TRIES:
                self.problems.append(f"{node} does not start, tried {TRIES} times: {error}")
            heapq.heappush(self._undo, _Undo(time.monotonic() + 0.5, 0, lambda: self._start(node)))
        else:
            self._broken.discard(node)
            self._failures.pop(node, None)

    def _start_all(self) -> None:
        for node in self.cluster.nodes:
            self._guarded(lambda node=node: self._start(node))  # type: ignore[misc]

    def heal(self) -> None:
        """Everything runs, nothing is full: call it once the nemesis has stopped."""
        if self._disk is not None:
            self._ballast.unlink(missing_ok=True)
        self._set_quota(None)
        self._undo.clear()
        for node in self.cluster.nodes:
            if self.cluster.state(node) == "paused":
                self._guarded(lambda node=node: self._resume(node))  # type: ignore[misc]
        self._broken = {node for node in self.cluster.nodes if self.cluster.state(node) == "stopped"} | {self._squeezed}
        for _ in range(TRIES):
            for node in self.cluster.nodes:
                if node in self._broken:
                    self._guarded(lambda node=node: self._start(node))  # type: ignore[misc]
        self._note("everything is healed")
