"""Upkeep: what is to be done about copies that are missing, too many, or deleted elsewhere. Pure; repair.py does it.

Whatever changes about a file makes it doubtful, and a doubtful file is judged once: so a tick of the clock costs nothing while
nothing happens, and the death of a server costs as much as it held. A judgment is made from what is known at that moment, never
remembered; the order of the work is the rarest first, as in HDFS's queues by priority.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from ..config import Address
from .catalogue import FileKey
from .known import Known
from .placing import Placing
from .works import Bury, Copy, Trim, UnderWay, Work, subject

__all__ = ["Bury", "Copy", "Trim", "Upkeep", "Work"]

SETTLE_S = 1.0  # a change is looked at after so long: most are the first half of something
RETRY_S = 5.0  # until what failed is tried again
SPARE_S = 30.0  # a server that took no copy is not tried with every other file at once
JUDGED = 2000  # doubts settled in one look: 25 to 50 ms on a slow core, in which nobody else is answered

_COPIES = 1000  # what is rarer comes first; of equals, what misses more
_LAST = 1_000_000_000  # removing something is less urgent than any copy


@dataclass(frozen=True, slots=True)
class _Absent:
    """A server that went, and may be back in a moment: until then its copies are not lost."""

    until: float
    versions: dict[tuple[FileKey, int], None]  # in order: by the hash of a name nothing may be decided


class Upkeep:
    """Which files are doubtful, and what their judgment is. Times are seconds; not locked, like what is known."""

    def __init__(self, known: Known, placing: Placing, *, replicas: int, dead_s: float) -> None:
        self._known, self._placing = known, placing
        self._replicas, self._dead_s = replicas, dead_s
        self._fresh: dict[FileKey, None] = {}  # doubtful since the last look, in order
        self._due: list[tuple[float, int, FileKey]] = []
        self._due_at: dict[FileKey, float] = {}  # those in _due, with the time that is valid
        self._ready: list[tuple[int, int, FileKey]] = []
        self._ranks: dict[FileKey, int] = {}  # those in _ready, with the rank that is valid
        self._working: set[FileKey] = set()
        self._under_way = UnderWay(known.is_suspected)
        self._failed: dict[FileKey, dict[int, float]] = {}  # until when a version is not tried again
        self._alone: dict[FileKey, None] = {}  # nothing can be done before another server comes
        self._cramped: dict[FileKey, int] = {}  # nothing can be done before a server has room for so many bytes
        self._absent: dict[Address, _Absent] = {}
        self._spared: dict[Address, float] = {}  # until when they are sent no copies
        self._number = 0
        self.problem = ""  # what is wrong with somebody's own plan (own_keeping.py)

    # ---- doubts

    def doubt(self, key: FileKey) -> None:
        """Something about this file has changed."""
        self._fresh[key] = None

    def gone(self, address: Address, versions: Iterable[tuple[FileKey, int]], heard: float | None) -> None:
        """A server is gone that held these versions, and was last heard then (None: it will not be waited for)."""
        held = dict.fromkeys(versions)
        if heard is not None:
            self._absent[address] = _Absent(heard + self._dead_s, held)
        for key, _ in held:
            self.doubt(key)

    def came(self, address: Address) -> None:
        """A server is here (again)."""
        self._spared.pop(address, None)
        absent = self._absent.pop(address, None)
        for key, _ in absent.versions if absent else ():
            self.doubt(key)
        self._unstick()

    def refused(self, address: Address, now: float) -> None:
        """A server did not take a copy, and would hardly take the next one: it is spared for a while."""
        self._spared[address] = now + SPARE_S

    def has_room(self, room: int) -> None:
        """A server that had less room has so much now."""
        for key, size in self._cramped.items():
            if size <= room:
                self.doubt(key)

    def _unstick(self) -> None:
        """There is a server more to choose from."""
        for key in (*self._alone, *self._cramped):
            self.doubt(key)

    # ---- work

    def waiting(self, now: float) -> int:
        """How many files something is to be done about now, as far as is known."""
        self._judge_due(now)
        return len(self._ranks)

    @property
    def unsettled(self) -> int:
        """How many doubtful files wait for their judgment."""
        return len(self._fresh.keys() | self._due_at.keys())

    @property
    def stuck(self) -> int:
        """How many files have fewer copies than wanted, and no server that could take another."""
        return len(self._alone.keys() | self._cramped.keys())

    def awaited(self, now: float) -> dict[Address, tuple[float, int]]:
        """The servers that went and are waited for: how many seconds still, and for how many files."""
        return {
            address: (absent.until - now, len({key for key, _ in absent.versions}))
            for address, absent in self._absent.items()
            if absent.until > now
        }

    def next(self, now: float) -> Work | None:
        """The most urgent work that nobody does yet; None if there is none."""
        self._judge_due(now)
        while self._ready:
            urgency, _, key = heappop(self._ready)
            if self._ranks.get(key) != urgency:
                continue  # judged anew since
            del self._ranks[key]
            judged = self._judge(key, now)
            if judged is None:
                continue
            if judged[0] > urgency:  # it has become less urgent: in its turn
                self._enter(key, judged[0])
                continue
            self._working.add(key)
            return self._under_way.begin(judged[1])
        return None

    def worked(self, work: Work, now: float, *, done: bool, no_server: bool = False) -> None:
        """Somebody has done a work, or failed."""
        key, version = subject(work)
        self._working.discard(key)
        self._under_way.end(work)
        if not done and not no_server:
            self._failed.setdefault(key, {})[version] = now + RETRY_S
        self._put_off(key, now + SETTLE_S if no_server else now)  # without one, unless one has come since, it is stuck

    def hold(self, key: FileKey) -> None:
        """Somebody moves this file's copies: nothing else is done about it until `let_go`."""
        self._working.add(key)

    def let_go(self, key: FileKey, now: float) -> None:
        self._working.discard(key)
        self._put_off(key, now)

    def works_on(self, key: FileKey) -> bool:
        """Whether somebody is doing something about a file."""
        return key in self._working

    def _put_off(self, key: FileKey, until: float) -> None:
        if until < self._due_at.get(key, math.inf):
            self._number += 1
            self._due_at[key] = until
            heappush(self._due, (until, self._number, key))

    def _enter(self, key: FileKey, urgency: int) -> None:
        self._number += 1
        self._ranks[key] = urgency
        heappush(self._ready, (urgency, self._number, key))

    def _judge_due(self, now: float) -> None:
        self._placing.expire(now)
        for address in [address for address, absent in self._absent.items() if absent.until <= now]:
            del self._absent[address]
        for address in [address for address, until in self._spared.items() if until <= now]:
            del self._spared[address]
            self._unstick()
        for key in self._fresh:
            self._put_off(key, now + SETTLE_S)
        self._fresh.clear()
        for _ in range(JUDGED):
            if not self._due or self._due[0][0] > now:
                return
            until, _, key = heappop(self._due)
            if self._due_at.get(key) != until:
                continue  # it was put off to an earlier time, and judged then
            del self._due_at[key]
            judged = self._judge(key, now)
            if judged is None:
                self._ranks.pop(key, None)
            elif judged[0] < self._ranks.get(key, _LAST + 1):
                self._enter(key, judged[0])  # what waits less urgently is judged again before it is done

    # ---- the judgment

    def _judge(self, key: FileKey, now: float) -> tuple[int, Work] | None:
        """What is the next thing to do about a file, and how urgent it is; None is nothing, now."""
        known, catalogue = self._known, self._known.catalogue
        self._alone.pop(key, None)
        self._cramped.pop(key, None)
        if known.reservations.is_open(key) or key in self._working:
            return None  # its end makes it doubtful again
        failed = {version: until for version, until in self._failed.pop(key, {}).items() if until > now}
        if failed:
            self._failed[key] = failed
            self._put_off(key, min(failed.values()))
        live = catalogue.live(key)
        keep = known.keep(key[0])
        floor = catalogue.buried(key)
        if len(live) > keep and not any(self._is_short(key, version) for version in live[:keep]):
            floor = live[keep]
        best: tuple[int, Work] | None = None
        for version in live[:keep]:
            if version in failed:
                continue
            found = self._judge_version(key, version, now)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
        return best or (None if floor in failed else self._judge_buried(key, floor))

    def _judge_version(self, key: FileKey, version: int, now: float) -> tuple[int, Work] | None:
        known = self._known
        copies = known.catalogue.copies(key, version)
        file = next(iter(copies.values()))
        wanted = file.wanted or self._replicas
        absent = [each.until for each in self._absent.values() if (key, version) in each.versions]
        servers = known.in_order(copies)
        if len(servers) < wanted:
            if len(servers) + len(absent) >= wanted:
                self._put_off(key, min(absent))
                return None
            not_there = frozenset(known.catalogue.lying(key)[version]) | self._spared.keys()
            if not self._placing.is_other(not_there):
                self._alone[key] = None
                return None
            if not self._placing.has_room(file.size, not_there):
                self._cramped[key] = min(file.size, self._cramped.get(key, file.size))  # of its versions, the smallest
                return None
            urgency = len(servers) * _COPIES - min(wanted - len(servers), _COPIES - 1)
            return urgency, Copy(file, servers, not_there)
        if len(servers) > wanted:
            if absent or any(known.is_suspected(server.address) for server in servers):
                self._put_off(key, now + RETRY_S)
                return None
            extra = max(servers, key=self._under_way.rank)
            return _LAST, Trim(file, [server for server in servers if server is not extra], extra)
        return None

    def _is_short(self, key: FileKey, version: int) -> bool:
        """Whether a version has fewer copies than wanted and possible: what it displaces is still needed."""
        catalogue = self._known.catalogue
        copies = catalogue.copies(key, version)
        if len(copies) >= (next(iter(copies.values())).wanted or self._replicas):
            return False
        return self._placing.is_other(catalogue.lying(key)[version].keys())

    def _judge_buried(self, key: FileKey, floor: int) -> tuple[int, Work] | None:
        for version, copies in sorted(self._known.catalogue.lying(key).items()):
            if version <= floor:
                return _LAST, Bury(self._known.in_order(copies)[0], *key, floor)
        return None
