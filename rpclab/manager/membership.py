"""Who is here: which servers are registered, how long each has been silent, and whether the manager knows enough to act. Pure.

A server's connection ends at once when its process dies, but not when it hangs, or when a cable is pulled. So each also sends a
heartbeat, and silence has two steps: a suspected server is still believed to hold its files and only spared, a dead one counts as
gone. The line between slow and dead can't be drawn for certain (Chandra, Toueg, "Unreliable Failure Detectors", 1996): what is
declared dead and comes back registers again and is welcome.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from ..config import Address
from .settings import Settings

__all__ = ["FOUND_S", "Change", "Membership"]

FOUND_S = 1.0


@dataclass(slots=True)
class _Member:
    node: str
    number: int
    connection: Hashable
    heard: float
    watched: bool
    end: Callable[[], None]
    suspected: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A server became suspected, trusted again, or dead, after so many seconds of silence."""

    what: str
    address: Address
    node: str
    number: int
    silent_s: float
    end: Callable[[], None]


class Membership:
    """The registrations, and what their silence means. Not locked: the manager's service does that. Times are seconds."""

    def __init__(self, settings: Settings, now: float) -> None:
        self._settings = settings
        self._started = self._looked = now
        self._members: dict[Address, _Member] = {}
        self._joining: set[Hashable] = set()
        self._count = 0
        self._safe = True
        self._known_before = False  # whether this cluster had a manager before
        self.problem = ""  # what is wrong with somebody's own detector (own_keeping.py)

    def begin(self, now: float) -> None:
        """The manager serves from now on, and nobody could be heard before: safe mode is counted from here."""
        self._started = self._looked = now

    # ---- registering

    def join(self, connection: Hashable, epoch: int) -> None:
        """A server has begun to tell what it has; `epoch` is the manager's last life that it knows of, 0 for none."""
        self._joining.add(connection)
        self._known_before |= epoch > 0

    def give_up(self, connection: Hashable) -> None:
        """Its connection has ended before it had told everything."""
        self._joining.discard(connection)

    def register(
        self,
        address: Address,
        node: str,
        connection: Hashable,
        now: float,
        *,
        watched: bool,
        end: Callable[[], None],
    ) -> int:
        """A server is here: returns the number of this registration, the valid one from now on. Only a `watched` one has to
        send heartbeats, over this connection; `end` ends that."""
        self._joining.discard(connection)
        self._count += 1
        self._members[address] = _Member(node, self._count, connection, now, watched, end)
        return self._count

    def number(self, address: Address) -> int | None:
        """The valid registration of a server, None if it has none."""
        member = self._members.get(address)
        return None if member is None else member.number

    def forget(self, address: Address, number: int) -> float | None:
        """A registration has ended: returns when the server was last heard, None if it has registered anew since."""
        member = self._members.get(address)
        if member is None or member.number != number:
            return None
        del self._members[address]
        return member.heard

    # ---- heartbeats

    def heard(self, address: Address, connection: Hashable, now: float) -> None:
        """A server has given a sign of life; over an older connection it does not count."""
        member = self._members.get(address)
        if member is not None and member.connection == connection:
            member.heard = now

    def look(self, now: float) -> list[Change]:
        """What has changed since the last look. A manager that did not look for long was itself asleep, and blames nobody."""
        if now - self._looked > self._settings.suspect_s:
            for member in self._members.values():
                member.heard = now
        self._looked = now
        changes = []
        for address, member in self._members.items():
            silent_s = now - member.heard
            suspected = member.watched and silent_s > self._settings.suspect_s
            if member.watched and silent_s > self._settings.dead_s:
                changes.append(Change("dead", address, member.node, member.number, silent_s, member.end))
            elif suspected != member.suspected:
                member.suspected = suspected
                what = "suspected" if suspected else "trusted"
                changes.append(Change(what, address, member.node, member.number, silent_s, member.end))
        return changes

    @property
    def suspected(self) -> list[str]:
        """The nodes that are suspected now."""
        return sorted(member.node for member in self._members.values() if member.suspected)

    # ---- a manager that has just started

    def knows_newest(self, now: float) -> bool:
        """Whether the servers that run have had time to tell what they have, so that an older version of a file is not taken for
        its newest: a second, for they look for their manager many times in that. In a new cluster there is nothing older."""
        if self._joining:
            return False
        return now - self._started >= FOUND_S or (bool(self._members) and not self._known_before)

    def leaves_safe_mode(self, now: float) -> str:
        """Why the manager may act from now on, "" if it may not yet, or did before.

        One that has just started does not know which servers there are. Those that run find it within moments, those that hang
        count as dead after `dead_s`; so it waits that long, and longer while one still tells its files, for `safe_s` at most.
        """
        waited = now - self._started
        if not self._safe or waited < min(self._settings.dead_s, self._settings.safe_s):
            return ""
        if self._joining and waited < self._settings.safe_s:
            return ""
        self._safe = False
        if self._joining:
            return f"{len(self._joining)} servers have not told all their files within {self._settings.safe_s:g} s"
        return f"all {len(self._members)} servers that were heard of have told their files"

    @property
    def safe_mode(self) -> bool:
        """Whether nothing may be repaired or removed yet."""
        return self._safe
