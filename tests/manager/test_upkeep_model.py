"""Upkeep on a cluster of plain dictionaries: whatever happened, its work ends, and in the right state."""

from __future__ import annotations

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from rpclab.errors import NoServer, NoSuchFile
from rpclab.manager.upkeep import Bury, Copy, Trim, Work
from rpclab.records import FileRecord

from .small import ANNA, RESERVATION_S, address, directory_of, file, number_of, place, server, tombstone

COUNT, KEEP, REPLICAS = 5, 3, 2
NUMBERS = st.integers(0, COUNT - 1)
NAMES = st.sampled_from("ab")
QUOTAS = st.lists(st.sampled_from([None, None, 4, 8, 20]), min_size=COUNT, max_size=COUNT)


class Failed(Exception):
    """A work could not be done."""


class UpkeepModel(RuleBasedStateMachine):
    """Stores, deaths, returns, deletes that not all hear of, lost copies, uploads that never end, work that is interrupted."""

    @initialize(quotas=QUOTAS)
    def begin(self, quotas: list[int | None]) -> None:
        self.directory = directory_of(keep=KEEP, replicas=REPLICAS)
        self.random = Random(1)
        self.now = 0.0
        self.quotas = quotas
        self.disks: dict[int, dict[tuple[str, int], FileRecord]] = {n: {} for n in range(COUNT)}
        self.tombs: dict[int, dict[str, int]] = {n: {} for n in range(COUNT)}
        self.reports = dict.fromkeys(range(COUNT), 0)
        self.alive: set[int] = set()
        self.buried = dict.fromkeys("ab", 0)
        self.open: list[tuple[str, str, int, int, list[int]]] = []
        self.working: list[Work] = []
        self.uploads = 0
        for number in range(COUNT):
            self.come(number)

    # What the servers do.

    def stored(self, number: int) -> int:
        return sum(f.size for f in self.disks[number].values())

    def come(self, number: int) -> None:
        record = server(number, self.stored(number), quota_bytes=self.quotas[number])
        self.directory.add(record, report=self.reports[number])
        self.directory.add_files(address(number), self.disks[number].values())
        self.directory.add_files(address(number), [tombstone(*each) for each in self.tombs[number].items()])
        self.alive.add(number)

    def report(
        self, number: int, stored: list[FileRecord], removed: list[FileRecord], upload: str | None = None
    ) -> None:
        self.reports[number] += 1
        self.directory.update(
            address(number),
            stored_bytes=self.stored(number),
            report=self.reports[number],
            stored=stored,
            removed=removed,
            upload=upload,
        )

    def keep(self, number: int, record: FileRecord, upload: str) -> None:
        """A server stores a version, as the store does: nothing under a tombstone, no more than so many."""
        disk, name = self.disks[number], record.name
        newer = [version for each, version in disk if each == name and version > record.version]
        if record.version <= self.tombs[number].get(name, 0) or len(newer) >= KEEP:
            raise Failed
        disk[name, record.version] = record
        old = sorted(version for each, version in disk if each == name)[:-KEEP]
        self.report(number, [record], [disk.pop((name, version)) for version in old], upload)

    def bury_at(self, number: int, name: str, version: int) -> None:
        gone = [disk_key for disk_key in self.disks[number] if disk_key[0] == name and disk_key[1] <= version]
        removed = [self.disks[number].pop(each) for each in gone]
        self.tombs[number][name] = max(version, self.tombs[number].get(name, 0))
        self.buried[name] = max(version, self.buried[name])
        self.report(number, [tombstone(name, self.tombs[number][name])], removed)

    def holders(self, name: str, version: int) -> set[int]:
        return {number for number in self.alive if (name, version) in self.disks[number]}

    def live(self, name: str) -> list[int]:
        there = {version for n in self.alive for each, version in self.disks[n] if each == name}
        return sorted((version for version in there if version > self.buried[name]), reverse=True)[:KEEP]

    # What happens.

    @rule(name=NAMES, size=st.integers(0, 4), copies=st.integers(1, 3))
    def upload(self, name: str, size: int, copies: int) -> None:
        self.uploads += 1
        try:
            plan = place(self.directory, name, size, wanted=copies, now=self.now, upload=f"{self.uploads}")
        except NoServer:
            return
        self.open.append((f"{self.uploads}", name, size, plan.version, [number_of(each) for each in plan.servers]))

    @rule(first=st.booleans(), all_of_it=st.booleans(), wanted=st.integers(0, 3), ends=st.booleans())
    def store(self, first: bool, all_of_it: bool, wanted: int, ends: bool) -> None:
        if not self.open:
            return
        upload, name, size, version, numbers = self.open.pop(0 if first else -1)
        for number in numbers if all_of_it else numbers[:1]:
            if number in self.alive:
                try:
                    self.keep(number, file(name, version, size, wanted=wanted), upload)
                except Failed:
                    continue
        if ends:
            self.directory.placing.release(upload)

    @rule(number=NUMBERS, heard=st.booleans())
    def die(self, number: int, heard: bool) -> None:
        if number in self.alive:
            self.alive.discard(number)
            self.directory.remove(address(number), heard=self.now - 1 if heard else None)

    @rule(number=NUMBERS)
    def return_(self, number: int) -> None:
        self.come(number)

    @rule(name=NAMES, keep=st.integers(0, 2), hear=st.sets(NUMBERS, min_size=1))
    def delete(self, name: str, keep: int, hear: set[int]) -> None:
        try:
            version, told = self.directory.delete(ANNA, name, keep)
        except NoSuchFile:
            assert not self.live(name)
            return
        for number in sorted(hear & {number_of(each) for each in told}):
            if version:
                self.bury_at(number, name, version)

    @rule(number=NUMBERS, which=st.integers(0, 20))
    def lose(self, number: int, which: int) -> None:
        if number in self.alive and self.disks[number]:
            gone = sorted(self.disks[number])[which % len(self.disks[number])]
            self.report(number, [], [self.disks[number].pop(gone)])

    @rule(number=NUMBERS, trusted=st.booleans())
    def suspect(self, number: int, trusted: bool) -> None:
        (self.directory.trust if trusted else self.directory.suspect)(address(number))

    @rule(seconds=st.sampled_from([0.1, 1.0, 3.0, 20.0]))
    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.directory.upkeep.waiting(self.now)

    # What is done about it.

    def next(self) -> Work | None:
        work = self.directory.upkeep.next(self.now)
        if isinstance(work, Bury) and work.version > self.buried[work.name]:
            stay = self.live(work.name)
            assert len(stay) == KEEP
            assert work.version < stay[-1]
            assert all(self.has_all_it_can(work.name, version) for version in stay)
        return work

    @rule()
    def take(self) -> None:
        work = self.next()
        if work is not None:
            assert work.key not in {each.key for each in self.working}
            self.working.append(work)

    @rule(first=st.booleans(), succeeds=st.booleans())
    def finish(self, first: bool, succeeds: bool) -> None:
        if self.working:
            self.do(self.working.pop(0 if first else -1), succeeds=succeeds)

    def do(self, work: Work, *, succeeds: bool = True) -> None:
        done, no_server, upload = False, False, "repair"
        try:
            if not succeeds:
                raise Failed
            if isinstance(work, Copy):
                self.copy(work, upload)
            elif isinstance(work, Trim):
                self.trim(work)
            else:
                self.bury(work)
            done = True
        except NoServer:
            no_server = True
        except Failed:
            pass
        self.directory.placing.release(upload)
        self.directory.upkeep.worked(work, self.now, done=done, no_server=no_server)

    def copy(self, work: Copy, upload: str) -> None:
        target = self.directory.placing.place_copy(
            work.file, upload=upload, exclude=work.excluded, now=self.now, random=self.random
        ).server
        key = (work.file.name, work.file.version)
        if not any(self.disks[number_of(s)].get(key) == work.file for s in work.sources if number_of(s) in self.alive):
            raise Failed
        self.keep(number_of(target), work.file, upload)

    def trim(self, work: Trim) -> None:
        name, version = work.file.name, work.file.version
        if not {number_of(each) for each in [*work.keepers, work.extra]} <= self.holders(name, version):
            raise Failed
        gone = self.disks[number_of(work.extra)].pop((name, version))
        self.report(number_of(work.extra), [], [gone])
        assert len(self.holders(name, version)) >= (work.file.wanted or REPLICAS)

    def bury(self, work: Bury) -> None:
        if number_of(work.server) not in self.alive:
            raise Failed
        self.bury_at(number_of(work.server), work.name, work.version)

    # How it ends.

    def teardown(self) -> None:
        if not hasattr(self, "directory"):
            return
        for number in range(COUNT):
            self.directory.trust(address(number))
        for work in self.working:
            self.do(work, succeeds=False)
        done, until = 0, self.now + RESERVATION_S + 60
        while self.now < until:
            self.now += 1.0
            while (work := self.next()) is not None:
                self.do(work)
                done += 1
                assert done < 300, "the work never ends"
        assert self.directory.upkeep.waiting(self.now) == 0
        missing = {name for name in "ab" if not all([self.is_right(name, each) for each in self.live(name)])}
        assert self.directory.upkeep.stuck == len(missing)
        for number in self.alive:
            for name, version in self.disks[number]:
                assert version in self.live(name) or name in missing

    def has_all_it_can(self, name: str, version: int) -> bool:
        """Whether a version has as many copies as wanted, or one on every server."""
        holders = self.holders(name, version)
        wanted = self.disks[min(holders)][name, version].wanted or REPLICAS
        return len(holders) >= wanted or holders == self.alive

    def is_right(self, name: str, version: int) -> bool:
        """Whether a version has as many copies as wanted; fewer only where nobody has room, more never."""
        holders = self.holders(name, version)
        record = self.disks[min(holders)][name, version]
        missing = (record.wanted or REPLICAS) - len(holders)
        assert missing >= 0
        for number in self.alive - holders if missing else ():
            quota = self.quotas[number]
            assert quota is not None
            assert self.stored(number) + record.size > quota
        return missing == 0


TestUpkeepModel = UpkeepModel.TestCase
TestUpkeepModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
