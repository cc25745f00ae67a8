"""One trial: a cluster, eight clients, a nemesis, and at the end the verdict.

A manager keeps nothing. One that was started anew while every server with the newest version of a file is away can know only of
older ones, and gives those: that is counted ("of an older version"), and no other wrong answer is excused.
"""

from __future__ import annotations

import pathlib
import shutil
import threading
import time
from collections import Counter

from rpclab.cluster.local import LocalCluster
from rpclab.study.history import History
from rpclab.study.report import Finding, Verdict
from rpclab.trace import Event
from rpclab.trials.kept import could_not_know, unkept
from rpclab.trials.model import GONE, Ledger

from .disks import digest_of
from .nemesis import Nemesis
from .verdict import Surroundings, leftovers, settle
from .worker import THINK_S, Worker

__all__ = ["Trial"]

SESSIONS = ("ann", "ben", "cleo", "dora", "emil", "fay")
KEEP = 5
STOP_S = 150.0  # a client that is in the middle of something when all is healed has its own deadlines
SETTLE_S = 120.0


class Trial:
    """Run it once; `summary` is its line of figures, `report` what a person needs who looks for a cause."""

    def __init__(self, folder: pathlib.Path, seed: int, seconds: float, disk: pathlib.Path | None) -> None:
        self.folder, self.seed, self.seconds, self.disk = folder, seed, seconds, disk
        self.summary = ""
        self._lock = threading.Lock()  # guards the journal, which all threads write
        self._journal = open(folder / "trial.log", "w", encoding="utf-8")  # noqa: SIM115 - closed at the end of run

    def note(self, line: str) -> None:
        with self._lock:
            if not self._journal.closed:
                self._journal.write(f"{time.perf_counter():.3f} {line}\n")
                self._journal.flush()

    def run(self) -> list[str]:
        """Carry it out and return what is wrong, a sentence each."""
        before = Surroundings()
        self.note(f"seed {self.seed}, {self.seconds:g} s")
        data = self.folder / "data"
        self._give_disk(data, "server5")
        with self._cluster(data) as cluster:
            problems = self._trial(cluster)
            self._keep_evidence = cluster.folder
        problems += leftovers(before, data)
        problems += self._judged(cluster)
        self.note(self.summary)
        for problem in problems:
            self.note(f"WRONG {problem}")
        self._journal.close()
        return problems

    def _give_disk(self, data: pathlib.Path, server: str) -> None:
        """Let a server's folder lie on the small disk."""
        (data / "servers").mkdir(parents=True)
        if self.disk is not None:
            (self.disk / server).mkdir()
            (data / "servers" / server).symlink_to(self.disk / server, target_is_directory=True)

    def _cluster(self, data: pathlib.Path) -> LocalCluster:
        return LocalCluster(
            servers=5,
            clients=2,
            replicas=2,
            keep=KEEP,
            heartbeat_s=0.5,
            dead_s=3.0,  # so that some of what is held for longer is repaired, and the rest comes back in time
            scrub_bytes_s=16 << 20,
            scrub_round_s=5.0,
            ports="free",
            data=data,
            seed=self.seed,
        )

    def _trial(self, cluster: LocalCluster) -> list[str]:
        clients = [*(cluster.connect(name) for name in SESSIONS), *cluster.clients.values()]
        self.ledgers = {client.name: Ledger(client.name) for client in clients}
        think_s = THINK_S * max(1.0, self.seconds / 300)
        self.workers = [
            Worker(cluster, client, self.seed, self.folder / "work", self.ledgers, self.note, think_s)
            for client in clients
        ]
        self.nemesis = Nemesis(cluster, self.seed, squeezed="server4", disk=self.disk, note=self.note)
        for worker in self.workers:
            worker.start()
        self.nemesis.start()
        threading.Event().wait(self.seconds)
        return self._judge(cluster)

    def _judge(self, cluster: LocalCluster) -> list[str]:
        problems = [] if self.nemesis.stop() else ["the nemesis does not come to its end"]
        for worker in self.workers:
            worker.ask_to_stop()
        self.nemesis.heal()
        until = time.monotonic() + STOP_S
        for worker in self.workers:
            if not worker.wait_stopped(max(0.0, until - time.monotonic())):
                problems.append(f"{worker.name} hangs in {worker.doing}")
        problems += [violation for worker in self.workers for violation in worker.violations]
        problems += self.nemesis.problems
        self.note("the clients have stopped")
        with cluster._looking() as reader:
            began = time.monotonic()
            problems += [f"not settled: {wrong}" for wrong in settle(cluster, reader, SETTLE_S)]
            settled_s = time.monotonic() - began
            self.note(f"settled in {settled_s:.1f} s")
            lost = unkept(self.ledgers, reader, self.folder / "back", KEEP, self.named, digest)
        self.summary = self._summed_up(len(lost), settled_s)
        return lost + problems

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

    def _judged(self, cluster: LocalCluster) -> list[str]:
        """What the judge of runs has to say against it, by all event logs and disks."""
        began = time.monotonic()
        report = cluster.check()
        self.note(f"judged in {time.monotonic() - began:.1f} s:\n{report}")
        history = cluster.history
        return [
            f"invariant {judgement.name!r} is {judgement.verdict.value}: {finding.sentence} {_at(finding)}"
            for judgement in report
            if judgement.verdict is not Verdict.VALID
            for finding in judgement.deciding
            if not (judgement.name == "restores" and could_not_know(history, finding))
        ]

    def _summed_up(self, lost: int, settled_s: float) -> str:
        attempts = [each for ledger in self.ledgers.values() for name in ledger.names for each in ledger.of(name)]
        acknowledged = sum(each.kind == "backup" and each.outcome == "acknowledged" for each in attempts)
        doubtful = sum(each.outcome == "doubt" for each in attempts)
        counts: Counter[str] = Counter()
        for worker in self.workers:
            counts.update(worker.counts)
        self.note(f"operations: {dict(sorted(counts.items()))}")
        right = sum(count for what, count in counts.items() if what.startswith("restore") and what.endswith("done"))
        older = sum(worker.stale for worker in self.workers)
        broken = ", ".join(f"{kind} {count}" for kind, count in sorted(self.nemesis.counts.items()))
        return (
            f"trial by fire: seed {self.seed}, {self.seconds:g} s: {acknowledged} backups acknowledged, {len(attempts)} "
            f"changes tried ({doubtful} in doubt), {right} restores right ({older} of an older version); faults: {broken}; "
            f"settled in {settled_s:.1f} s; lost: {lost}"
        )

    # ---- the gift

    def report(self, problems: list[str]) -> str:
        """What is wrong, and in the folder it names the story of each file that is concerned."""
        gift = pathlib.Path("out") / f"trial-{self.seed}"
        shutil.rmtree(gift, ignore_errors=True)
        shutil.copytree(self._keep_evidence, gift / "run", ignore=shutil.ignore_patterns("secret"))
        shutil.copy(self.folder / "trial.log", gift)
        history = History.read(gift / "run" / "events").by_time()
        for client, ledger in self.ledgers.items():
            for name in ledger.names:
                key = f"{client}/{name}"
                marks = (key, f"{client} #")
                if any(marks[0] in each or (marks[1] in each and repr(name) in each) for each in problems):
                    lines = [_line(event) for event in history if event.file == key and "-data" not in event.kind]
                    text = "\n".join([f"{key}: what its client did", ledger.story(name), "what happened", *lines])
                    (gift / f"{client}-{name.replace('/', '-')}.txt").write_text(text, encoding="utf-8")
        shown = "\n  ".join(problems[:40])
        return f"{self.summary}\n  {shown}\nevent logs and stories: {gift.absolute()}; repeat: RPCLAB_TRIAL_SEED={self.seed}"


def _line(event: Event) -> str:
    return f"{event.time:.3f} {event.node} {event.kind} {event.peer} {event.copy} {event.bytes} {event.detail}"


def digest(path: str) -> str:
    return digest_of(pathlib.Path(path))


def _at(finding: Finding) -> str:
    return ", ".join(f"{event.node} {event.number} {event.kind}" for event in finding.events[:4])
