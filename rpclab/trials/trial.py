"""One simulated trial: a cluster, clients, a nemesis, the judge's verdict and the model's. Its schedule decides all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from blake3 import blake3

from ..cluster.simulated import SimCluster
from ..errors import NotRunning, RpclabError
from ..records import Location, file_key
from ..study.report import Finding, Verdict
from ..trace import Event
from .disks import arriving, copies, held_bytes
from .kept import could_not_know, unkept
from .model import GONE, Ledger
from .nemesis import Nemesis
from .schedule import SECONDS, Schedule
from .story import last_events
from .workload import Operation, Work

__all__ = ["SimulatedTrial", "replay"]

READER = "reader"


def replay(seed: int) -> str:
    """The command that runs a seed again."""
    return f"rpclab replay {seed}"


class SimulatedWork(Work):
    """A client's operations, in virtual time."""

    def __init__(self, cluster: SimCluster, name: str, seed: int, ledgers: dict[str, Ledger], note: Any) -> None:
        super().__init__(cluster.clients[name], seed, ledgers, note)
        self._cluster = cluster
        self.begun: list[int] = []
        """The numbers of the operations that there was time for."""

    def run(self, plan: Iterable[Operation], until: float) -> None:
        for operation in plan:
            self._cluster.sleep(operation.pause)
            while self._cluster.state(self.name) == "stopped" and self._cluster.now < until:
                self._cluster.sleep(0.05)
            if self._cluster.now >= until:
                return
            self.begun.append(operation.number)
            self.carry_out(operation)

    def _now(self) -> float:
        return self._cluster.now

    def _source(self, data: bytes) -> str:
        return str(self.client.put("source", data))

    def _restored(self, name: str, **options: Any) -> tuple[Any, bytes]:
        restored = self.client.restore(name, **options)
        return restored, self.client.read(restored.path)


class SimulatedTrial:
    """`run` it once; `summary` is its line of figures, `notes` what happened, `cluster` what is left: it knows its past."""

    def __init__(self, which: int | Schedule, seconds: float = SECONDS) -> None:
        self.schedule = which if isinstance(which, Schedule) else Schedule.of(which, seconds)
        self.seed = self.schedule.seed
        self.summary = ""
        self.operations = 0
        self.notes: list[str] = []
        self.findings: list[Finding] = []
        """What the judge found, where it is against the system."""
        self.cluster = SimCluster(
            seed=self.seed,
            servers=self.schedule.servers,
            clients=self.schedule.clients,
            replicas=self.schedule.replicas,
            keep=self.schedule.keep,
            heartbeat_s=0.5,
            dead_s=self.schedule.dead_s,
            scrub_bytes_s=16 << 20,
            scrub_round_s=self.schedule.scrub_round_s,
            disk_bytes=64 << 20,
            drift=self.schedule.drift,
        )

        self.ledgers: dict[str, Ledger] = {}
        self.works: list[SimulatedWork] = []
        self.nemesis = Nemesis(self.cluster, self.seed, self.note)

    def note(self, line: str) -> None:
        self.notes.append(f"{self.cluster.now:.3f} {line}")

    def run(self) -> list[str]:
        """Carry it out and return what is wrong, a sentence each."""
        cluster = self.cluster
        cluster.run(self._play)
        self.nemesis.heal()
        problems = [violation for work in self.works for violation in work.violations]
        reader = cluster.connect(READER)
        problems += [f"not settled: {wrong}" for wrong in self._settle(reader)]
        keep = self.schedule.keep
        problems += unkept(self.ledgers, reader, "restored", keep, self.named, lambda path: digest(reader.read(path)))
        self._sum_up()
        cluster.stop()
        return problems + self._judged()

    def _play(self) -> None:
        """All of it is made here, so that it is made anew when the run is."""
        cluster, schedule = self.cluster, self.schedule
        until = cluster.now + schedule.seconds
        self.ledgers = {name: Ledger(name) for name in cluster.clients}
        self.nemesis = nemesis = Nemesis(cluster, self.seed, self.note)
        self.works = [SimulatedWork(cluster, name, self.seed, self.ledgers, self.note) for name in self.ledgers]
        runs = [lambda work=work: work.run(schedule.operations.get(work.name, ()), until) for work in self.works]
        cluster.run(*runs, lambda: nemesis.run(schedule.faults, schedule.seconds))

    def done(self) -> Schedule:
        """The schedule without what there was no time for, or no use."""
        if not self.works:
            return self.schedule
        begun = [(work.name, number) for work in self.works for number in work.begun]
        return self.schedule.only(begun, self.nemesis.done)

    # ---- settling

    def _settle(self, reader: Any) -> list[str]:
        until = self.cluster.now + self.schedule.settle_s
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
                if len(nodes) != (file.wanted or self.schedule.replicas):
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
        wrong = [
            (judgement, finding)
            for judgement in report
            if judgement.verdict is not Verdict.VALID
            for finding in judgement.deciding
            if not (judgement.name == "restores" and could_not_know(history, finding))
        ]
        self.findings = [finding for _, finding in wrong]
        return [
            f"invariant {judgement.name!r} is {judgement.verdict.value}: {finding.sentence}"
            for judgement, finding in wrong
        ]

    def _sum_up(self) -> None:
        counts: Counter[str] = Counter()
        for work in self.works:
            counts.update(work.counts)
        self.operations = sum(counts.values())
        broken = ", ".join(f"{kind} {count}" for kind, count in sorted(self.nemesis.counts.items())) or "none"
        drift = f", clocks wrong by up to {self.schedule.drift:.1%}" if self.schedule.drift else ""
        self.summary = (
            f"seed {self.seed}: {self.operations} operations, {counts['backup acknowledged']} backups acknowledged, "
            f"{self.schedule.replicas} copies and {self.schedule.keep} versions of each file, "
            f"{self.cluster.now:.0f} s of virtual time{drift}; faults: {broken}"
        )

    def picture(self, problems: list[str], last: int = 24) -> str:
        """The last events before what is wrong."""
        marked, files = self.telling(problems)
        return last_events(self.cluster.events, marked, files, last)

    def telling(self, problems: list[str]) -> tuple[list[Event], list[str]]:
        """The events that show what is wrong, and the files that it is about."""
        files = self._concerned(problems[:1])
        telling = sorted(self.findings, key=lambda finding: not finding.file)[:1]  # one about a file, if there is
        marked = [event for finding in telling for event in finding.events]
        if files and not any(event.file in files for event in marked):  # what the reader found there is wrong
            events = self.cluster.events.values()
            read = [each for each in events if each.node == READER and each.kind == "restored" and each.file in files]
            marked = [each for each in read if each.detail.get("asked") is None][-1:] or read[-1:]
        return marked, list(dict.fromkeys([*files, *(event.file for event in marked if event.file)]))

    def _concerned(self, problems: list[str]) -> list[str]:
        """The files that these are about."""
        files = [(f"{client}/{name}", client, name) for client, ledger in self.ledgers.items() for name in ledger.names]
        return [
            key
            for key, client, name in files
            if any(key in each or (each.startswith(f"{client} #") and repr(name) in each) for each in problems)
        ]

    def story(self, problems: list[str]) -> str:
        """What is wrong, the command that shows it again, what the clients did that it concerns, and the last events before."""
        lines = [*problems[:10], f"run it again: {replay(self.seed)}"]
        for key in self._concerned(problems[:2]):
            client, _, name = key.partition("/")
            lines += [f"{key}: what its client did", self.ledgers[client].story(name)]
        return "\n".join([*lines, self.picture(problems)])


def digest(data: bytes) -> str:
    return str(blake3(data).hexdigest())
