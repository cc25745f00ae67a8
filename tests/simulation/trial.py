"""One simulated trial: a cluster, eight clients, a nemesis, the judge's verdict and the model's. One seed decides all of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from blake3 import blake3

from rpclab import SimCluster
from rpclab.errors import NotRunning, RpclabError
from rpclab.records import Location, file_key
from rpclab.study.report import Verdict

from ..trial.model import GONE, Ledger
from ..trial.trial import could_not_know
from ..trial.verdict import unkept
from ..trial.workload import Work, operations
from .disks import arriving, copies, held_bytes
from .nemesis import Nemesis

__all__ = ["SimulatedTrial", "replay"]

CLIENTS = 8
SERVERS = 5
KEEP = 3
SECONDS = 12.0
THINK_S = 0.5
SETTLE_S = 180.0  # of virtual time: a reservation that nobody releases ends after 120
READER = "reader"


def replay(seed: int) -> str:
    """The command that runs a seed again."""
    return f"python -m tests.simulation {seed}"


class SimulatedWork(Work):
    """A client's operations, in virtual time."""

    def __init__(self, cluster: SimCluster, name: str, seed: int, ledgers: dict[str, Ledger], note: Any) -> None:
        super().__init__(cluster.clients[name], seed, ledgers, note)
        self._cluster = cluster

    def run(self, until: float) -> None:
        for operation in operations(self._seed, self.name):
            self._cluster.sleep(operation.pause * THINK_S)
            while self._cluster.state(self.name) == "stopped" and self._cluster.now < until:
                self._cluster.sleep(0.05)
            if self._cluster.now >= until:
                return
            self.carry_out(operation)

    def _now(self) -> float:
        return self._cluster.now

    def _source(self, data: bytes) -> str:
        return str(self.client.put("source", data))

    def _restored(self, name: str, **options: Any) -> tuple[Any, bytes]:
        restored = self.client.restore(name, **options)
        return restored, self.client.read(restored.path)


class SimulatedTrial:
    """`run` it once; `summary` is its line of figures, `notes` what happened."""

    def __init__(self, seed: int, seconds: float = SECONDS) -> None:
        self.seed, self.seconds = seed, seconds
        self.summary = ""
        self.notes: list[str] = []
        self.cluster = SimCluster(
            seed=seed,
            servers=SERVERS,
            clients=CLIENTS,
            keep=KEEP,
            heartbeat_s=0.5,
            dead_s=3.0,
            scrub_bytes_s=16 << 20,
            scrub_round_s=5.0,
            disk_bytes=64 << 20,
        )
        self.ledgers = {name: Ledger(name) for name in self.cluster.clients}
        self.nemesis = Nemesis(self.cluster, seed, self.note)

    def note(self, line: str) -> None:
        self.notes.append(f"{self.cluster.now:.3f} {line}")

    def run(self) -> list[str]:
        """Carry it out and return what is wrong, a sentence each."""
        cluster, until = self.cluster, self.cluster.now + self.seconds
        names = list(self.ledgers)
        works = [SimulatedWork(cluster, name, self.seed, self.ledgers, self.note) for name in names]
        runs = [lambda work=work: work.run(until) for work in works]  # type: ignore[misc]
        cluster.run(*runs, lambda: self.nemesis.run(self.seconds))
        self.nemesis.heal()
        problems = [violation for work in works for violation in work.violations]
        reader = cluster.connect(READER)
        problems += [f"not settled: {wrong}" for wrong in self._settle(reader)]
        problems += unkept(self.ledgers, reader, "restored", KEEP, self.named, lambda path: digest(reader.read(path)))
        self._sum_up(works)
        cluster.stop()
        return problems + self._judged()

    # ---- settling

    def _settle(self, reader: Any) -> list[str]:
        until = self.cluster.now + SETTLE_S
        while True:
            try:
                wrong = self._uncounted() or self._copies_wrong(reader)
            except (RpclabError, NotRunning) as error:
                wrong = [f"{type(error).__name__}: {error}"]
            if not wrong or self.cluster.now > until:
                self.note(f"settled: {not wrong}")
                return wrong
            self.cluster.sleep(1.0)

    def _uncounted(self) -> list[str]:
        wrong = []
        records = self.cluster._listed()
        for server in self.cluster.servers:
            held = held_bytes(self.cluster, server)
            if server not in records:
                wrong.append(f"{server} is not registered with the manager")
            elif records[server].stored_bytes != held and not self.nemesis.damaged(server):
                wrong.append(
                    f"{server}: the manager counts {records[server].stored_bytes:,} bytes, the disk has {held:,}"
                )
            elif records[server].reserved_bytes:
                wrong.append(f"{server}: {records[server].reserved_bytes:,} bytes are still reserved")
            if found := arriving(self.cluster, server):
                wrong.append(f"{server}: still arriving are {found}")
        return wrong

    def _copies_wrong(self, reader: Any) -> list[str]:
        lying: dict[tuple[str, str], set[str]] = {}
        for copy in copies(self.cluster):
            lying.setdefault((copy.file, copy.digest), set()).add(copy.server)
        wrong = []
        for newest in self.cluster.files():
            versions: list[Location] = reader.versions(newest.file.name, newest.file.client)
            for location in versions:
                file = location.file
                key = file_key(file.client, file.name)
                nodes, good = {server.node for server in location.servers}, lying.get((key, file.digest), set())
                if len(nodes) != (file.wanted or 2):
                    wrong.append(f"{key} version {file.version} has {len(nodes)} copies, on {sorted(nodes)}")
                if not nodes <= good:
                    reader.verify(file.name, file.client, file.version)  # what is damaged is put aside, and made anew
                    wrong.append(f"{key} version {file.version}: said {sorted(nodes)}, good {sorted(good)}")
        return wrong

    # ---- judging

    def named(self, contents: str) -> str:
        """What a digest is the contents of."""
        for client, ledger in self.ledgers.items():
            for name in ledger.names:
                for attempt in ledger.of(name):
                    if attempt.contents == contents:
                        return (
                            f"{contents[:12]} (what {client} sent as {name!r} in #{attempt.number}, {attempt.outcome})"
                        )
        return contents if contents != GONE else "gone"

    def _judged(self) -> list[str]:
        report, history = self.cluster.check(), self.cluster.history
        return [
            f"invariant {judgement.name!r} is {judgement.verdict.value}: {finding.sentence}"
            for judgement in report
            if judgement.verdict is not Verdict.VALID
            for finding in judgement.deciding
            if not (judgement.name == "restores" and could_not_know(history, finding))
        ]

    def _sum_up(self, works: list[SimulatedWork]) -> None:
        counts: Counter[str] = Counter()
        for work in works:
            counts.update(work.counts)
        self.operations = sum(counts.values())
        broken = ", ".join(f"{kind} {count}" for kind, count in sorted(self.nemesis.counts.items()))
        self.summary = (
            f"seed {self.seed}: {self.operations} operations, {counts['backup acknowledged']} backups acknowledged, "
            f"{self.cluster.now:.0f} s of virtual time; faults: {broken}"
        )

    def story(self, problems: list[str]) -> str:
        """What is wrong, and what happened to the files that are concerned."""
        lines = [*problems[:10], f"run it again: {replay(self.seed)}"]
        history = self.cluster.history.by_time()
        for client, ledger in self.ledgers.items():
            for name in ledger.names:
                key = f"{client}/{name}"
                if any(key in each for each in problems[:2]):
                    lines += [f"{key}: what its client did", ledger.story(name), "what happened"]
                    lines += [
                        f"    {event.time:.3f} {event.node} {event.kind} {event.peer} {event.copy} {event.bytes} {event.detail}"
                        for event in history
                        if event.file == key and "-data" not in event.kind
                    ][-60:]
        return "\n".join(lines)


def digest(data: bytes) -> str:
    return str(blake3(data).hexdigest())
