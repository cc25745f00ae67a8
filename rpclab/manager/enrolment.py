"""Enrolment: the servers' side of the manager. Each registers over a connection that it keeps open, tells what it has, then every
change, and gives signs of life; who is silent for too long is taken for gone."""

from __future__ import annotations

from collections.abc import Callable

from ..config import Address, address_text
from ..errors import ClusterError, NotAllowed
from ..own import OURS, Own
from ..records import FileRecord, ServerRecord
from ..rpc.listener import Say
from ..rpc.registry import Call
from ..trace import Tracer
from ..world.base import Lock, World
from .directory import Directory
from .membership import Change
from .own_keeping import membership_of
from .settings import Settings

__all__ = ["Enrolment"]

_PATIENCE_S = 5.0  # half of what a caller waits
_LOOK_S = 0.02
_EPOCH_BITS = 32  # versions in one life of the manager: four billion, and two million lives fit a JSON number


class Enrolment:
    """Who is here, by their own word and by their silence. `lock` guards the directory, and all that is here."""

    def __init__(
        self,
        world: World,
        directory: Directory,
        lock: Lock,
        settings: Settings,
        tracer: Tracer,
        say: Say,
        when_gone: Callable[[Address], object],
        own: Own = OURS,
    ) -> None:
        self._world, self.directory, self._lock = world, directory, lock
        self._tracer, self._say, self._when_gone = tracer, say, when_gone
        self._inventories: dict[Address, tuple[Call, list[FileRecord]]] = {}  # told, and not yet registered
        self._members = membership_of(own, settings, world.clock.now())
        self._told_problem = ""
        self._epoch = 0  # unknown until the first server has told what it knows

    def begin(self) -> None:
        """The manager serves from now on."""
        self._tracer.event("safe-mode", detail={"on": True, "reason": "the manager has just started"})
        self._members.begin(self._world.clock.now())

    @property
    def safe_mode(self) -> bool:
        """Whether the manager does not know its servers yet: nothing may be repaired or removed."""
        with self._lock:
            return self._members.safe_mode

    @property
    def suspected(self) -> list[str]:
        """The nodes that are suspected now."""
        with self._lock:
            return self._members.suspected

    # ---- remote methods

    def join_epoch(self, call: Call, epoch: int) -> int:
        """A server tells the highest epoch that it was ever told, and is told this manager's, which it keeps.

        An epoch is one life of the manager. Versions of a later epoch are higher than all of an earlier one, also those of
        files that the manager does not know of because their servers are away.
        """
        _servers_only(call, "joinEpoch")
        call.at_end.append(lambda: self._stop_joining(call))
        with self._lock:
            self._members.join(id(call), epoch)
            if epoch > self._epoch or not self._epoch:
                self._epoch = epoch + 1
                self.directory.raise_versions(self._epoch << _EPOCH_BITS)
            return self._epoch

    def add_files(self, call: Call, address: Address, files: list[FileRecord]) -> bool:
        """One page of a server's inventory: it counts once the same connection calls `addServer`, so that no server is
        ever here with half of its files."""
        _servers_only(call, "addFiles")
        with self._lock:
            self._inventories[address] = (call, [*self._told(call, address), *files])
        return True

    def add_server(
        self,
        call: Call,
        address: Address,
        capacity: int,
        node: str = "",
        quota_bytes: int | None = None,
        report: int = 0,
    ) -> bool:
        """Enter a server; `capacity` is the bytes that it stores. It stays as long as this connection is open.

        From this moment the manager knows all of the files that `addFiles` has told over this connection.
        """
        _servers_only(call, "addServer")
        record = ServerRecord(
            node or address_text(address), address, capacity, quota_bytes=quota_bytes, wire=call.peer.wire
        )
        with self._lock:
            self.directory.add(record, report=report)
            self.directory.add_files(address, self._told(call, address))
            self._inventories.pop(address, None)
            number = self._members.register(
                address,
                record.node,
                id(call),
                self._world.clock.now(),
                watched=call.connection is not None,
                end=lambda: _end(call),
            )
            facts = {"stored_bytes": capacity, "quota_bytes": quota_bytes, "wire": record.wire}
            self._tracer.event("registered", peer=record.node, detail={**facts, "address": list(address)})
        call.at_end.append(lambda: self._gone(address, number, record.node, "its connection ended"))
        self._say(f"{record.node} at {address_text(address)} is here, with {capacity:,} bytes stored")
        return True

    def remove_server(self, call: Call, address: Address) -> bool:
        """Take a server out; it may come back with `addServer`."""
        _servers_only(call, "removeServer")
        with self._lock:
            number = self._members.number(address)
        return number is not None and self._gone(address, number, address_text(address), "it said that it leaves")

    def update_server(
        self,
        call: Call,
        address: Address,
        capacity: int,
        report: int | None = None,
        stored: list[FileRecord] | None = None,
        removed: list[FileRecord] | None = None,
        upload: str | None = None,
    ) -> bool:
        """A server tells the bytes that it stores now, and what was stored or removed; `upload` has ended there."""
        _servers_only(call, "updateServer")
        with self._lock:
            news = self.directory.update(
                address, stored_bytes=capacity, report=report, stored=stored or [], removed=removed or [], upload=upload
            )
            detail = {"stored_bytes": capacity, "report": report, "news": news, "upload": upload or ""}
            detail["request"] = call.event
            self._tracer.event("reported", peer=call.peer.node, detail=detail)
            return address in self.directory

    def heartbeat(self, call: Call, address: Address) -> bool:
        """A sign of life of a server, over the connection that it has registered with."""
        with self._lock:
            self._members.heard(address, id(call), self._world.clock.now())
        return True

    # ---- for the manager

    def wait_until_known(self) -> None:
        """A manager that has just started would take an old version for the newest: it waits until its servers had time to
        tell. Errors: ClusterError, when one takes too long."""
        clock = self._world.clock
        until = clock.now() + _PATIENCE_S
        while True:
            with self._lock:
                knows = self._members.knows_newest(clock.now())
            if knows:
                return
            if clock.now() > until:
                raise ClusterError("the manager has just started, and a server is still telling what it has: try again")
            clock.sleep(_LOOK_S)

    def watch(self) -> bool:
        """Look who is silent; returns whether the manager knows enough of its servers to repair and remove copies."""
        with self._lock:
            now = self._world.clock.now()
            changes = self._members.look(now)
            reason = self._members.leaves_safe_mode(now)
            safe = self._members.safe_mode
            problem = self._members.problem
        if problem != self._told_problem:
            self._told_problem = problem
            self._say(problem)
        for change in changes:
            self._changed(change)
        if reason:
            self._tracer.event("safe-mode", detail={"on": False, "reason": reason})
        return not safe

    # ---- inside

    def _changed(self, change: Change) -> None:
        silent = f"silent for {change.silent_s:.1f} s"
        if change.what == "dead":
            if self._gone(change.address, change.number, change.node, silent):
                change.end()
            return
        with self._lock:
            if self._members.number(change.address) != change.number:
                return
            (self.directory.suspect if change.what == "suspected" else self.directory.trust)(change.address)
            self._tracer.event(change.what, peer=change.node, detail={"silent_s": round(change.silent_s, 3)})
        self._say(f"{change.node} is {'suspected: ' + silent if change.what == 'suspected' else 'heard again'}")

    def _gone(self, address: Address, number: int, node: str, reason: str) -> bool:
        with self._lock:
            heard = self._members.forget(address, number)
            if heard is None:
                return False  # it has registered anew since, over another connection
            self.directory.remove(address, heard=heard)
            self._tracer.event("gone", peer=node, detail={"address": list(address), "reason": reason})
        self._when_gone(address)
        self._say(f"{node} at {address_text(address)} is gone: {reason}")
        return True

    def _stop_joining(self, call: Call) -> None:
        with self._lock:
            self._members.give_up(id(call))

    def _told(self, call: Call, address: Address) -> list[FileRecord]:
        """What `addFiles` has told over this connection and `addServer` has not yet made count."""
        teller, files = self._inventories.get(address, (call, []))
        return files if teller is call else []


def _servers_only(call: Call, method: str) -> None:
    if call.peer.role != "server" and call.peer.wire != "document":
        raise NotAllowed(f"{method} is for servers; {call.peer.node} is a {call.peer.role}")


def _end(call: Call) -> None:
    """End a caller's connection, however little it listens."""
    if call.connection is not None:
        call.connection.channel.stream.shutdown()
