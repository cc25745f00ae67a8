"""Somebody else's failure detector, and their plan of repairs, in place of ours.

    class Detector:
        def __init__(self, suspect_s, dead_s): ...   # seconds of silence
        def heard(self, server, now): ...            # a server has registered, or given a sign of life
        def forget(self, server): ...                # it has left
        def look(self, now): ...                     # {server: "alive", "suspected" or "dead"} of all that are known

    def plan_repair(files, servers, wanted):
        # files     {file: [the servers that hold it]}
        # servers   {server: "alive", "suspected" or "dead"}
        # wanted    how many copies each is to have
        return [(file, source, target), ...]         # a copy each, the most urgent first

The plan is asked for whenever a version is judged that misses a copy; the first copy that it names is made, and then it is judged
anew. What they raise is told, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ..config import Address, address_text
from ..errors import error_text
from ..own import Own
from ..records import ServerRecord, file_key
from .catalogue import FileKey
from .known import Known
from .membership import Change, Membership
from .placing import Placing
from .settings import Settings
from .upkeep import RETRY_S, Copy, Upkeep, Work

__all__ = ["membership_of", "upkeep_of"]

_STATES = ("alive", "suspected", "dead")


def membership_of(own: Own, settings: Settings, now: float) -> Membership:
    return Membership(settings, now) if own.detector is None else _OwnMembership(own.detector, settings, now)


def upkeep_of(own: Own, known: Known, placing: Placing, *, replicas: int, dead_s: float) -> Upkeep:
    if own.plan_repair is None:
        return Upkeep(known, placing, replicas=replicas, dead_s=dead_s)
    return _OwnUpkeep(own.plan_repair, known, placing, replicas=replicas, dead_s=dead_s)


class _OwnMembership(Membership):
    """What silence means is theirs to say; a server is known to them by its address, as text."""

    def __init__(self, code: Any, settings: Settings, now: float) -> None:
        super().__init__(settings, now)
        self._theirs: Any = None
        self._theirs = self._ask(code, settings.suspect_s, settings.dead_s)

    def _ask(self, method: Any, *args: Any) -> Any:
        try:
            return method(*args)
        except Exception as error:  # somebody else's code: whatever it raises is told as what it is
            name = getattr(method, "__name__", "Detector")
            self.problem = f"the detector's {name} raised {type(error).__name__}: {error_text(error)}"
            return None

    def register(
        self, address: Address, node: str, connection: Hashable, now: float, *, watched: bool, end: Any
    ) -> int:
        number = super().register(address, node, connection, now, watched=watched, end=end)
        if watched and self._theirs is not None:
            self._ask(self._theirs.heard, address_text(address), now)
        return number

    def forget(self, address: Address, number: int) -> float | None:
        heard = super().forget(address, number)
        if heard is not None and self._theirs is not None:
            self._ask(self._theirs.forget, address_text(address))
        return heard

    def heard(self, address: Address, connection: Hashable, now: float) -> None:
        super().heard(address, connection, now)
        member = self._members.get(address)
        if member is not None and member.connection == connection and self._theirs is not None:
            self._ask(self._theirs.heard, address_text(address), now)

    def look(self, now: float) -> list[Change]:
        found = self._ask(self._theirs.look, now) if self._theirs is not None else None
        if not isinstance(found, dict):
            self.problem = self.problem or f"the detector's look gave back a {type(found).__name__}, not a dictionary"
            return []
        changes = []
        for address, member in self._members.items():
            state = found.get(address_text(address))
            if not member.watched or state == ("suspected" if member.suspected else "alive"):
                continue
            if state not in _STATES:
                self.problem = f"the detector says of {member.node} that it is {state!r}: it must be one of {_STATES}"
                continue
            member.suspected = state == "suspected"
            what = "trusted" if state == "alive" else state
            changes.append(Change(what, address, member.node, member.number, now - member.heard, member.end))
        return changes


class _OwnUpkeep(Upkeep):
    """Which copy of a version is made is theirs to say; servers are known to them by their node's names."""

    def __init__(self, code: Any, known: Known, placing: Placing, *, replicas: int, dead_s: float) -> None:
        super().__init__(known, placing, replicas=replicas, dead_s=dead_s)
        self._plan = code

    def _judge_version(self, key: FileKey, version: int, now: float) -> tuple[int, Work] | None:
        found = super()._judge_version(key, version, now)
        if found is None or not isinstance(found[1], Copy):
            return found
        copy = self._planned(found[1])
        if copy is None:
            self._put_off(key, now + RETRY_S)
            return None
        return found[0], copy

    def _planned(self, copy: Copy) -> Copy | None:
        """The copy that they want made, None if they name none that can be."""
        name = f"{file_key(copy.file.client, copy.file.name)} version {copy.file.version}"
        known = self._known
        here = {server.node: server for server in known.servers() if server.wire == "rpclab"}
        states = {node: "suspected" if known.is_suspected(each.address) else "alive" for node, each in here.items()}
        holders = {server.node: server for server in copy.sources}
        try:
            plan = list(self._plan({name: list(holders)}, states, copy.file.wanted or self._replicas))
            first = next(((source, target) for file, source, target in plan if file == name), None)
        except Exception as error:  # as above
            self.problem = f"plan_repair raised {type(error).__name__}: {error_text(error)}"
            return None
        if first is None:
            self.problem = f"plan_repair has no copy for {name}, of which one is missing"
            return None
        source, target = holders.get(first[0]), here.get(first[1])
        if source is None or target is None or target.address in copy.excluded:
            self.problem = f"plan_repair wants {name} copied from {first[0]} to {first[1]}, which cannot be"
            return None
        return Copy(copy.file, [source], self._but(target, here.values()) | copy.excluded)

    @staticmethod
    def _but(target: ServerRecord, servers: Any) -> frozenset[Address]:
        return frozenset(server.address for server in servers if server is not target)
