"""A run as the judge sees it: the history by file and by server, which faults were planted, and which logs can be trusted."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from ..trace import Event
from .folder import ServerFolder
from .history import History, natural_order
from .logs import Logs

__all__ = ["CHANGES", "STAGED", "Run", "versions_in"]

STAGED = ("held", "lost", "delayed", "duplicated", "corrupted")
"""What the stage did to messages on their way: an event of the receiver's, about its peer too."""

_DISTURBING = ("killed", "paused", "restarted", "suspected", "partitioned", "slowed", "reset")

CHANGES = ("stored", "unpromised", "deleted", "dropped", "quarantined")
"""The kinds of events by which a server tells that what it stores has changed."""


class Run:
    """Questions that several invariants ask of one run."""

    def __init__(self, history: History, folders: Mapping[str, ServerFolder]) -> None:
        self.history = history
        self.folders = dict(folders)
        self.logs = Logs(history)

    # ---- who there is

    @cached_property
    def roles(self) -> dict[str, str]:
        """What each node is, as far as it said so when it started."""
        return {event.node: event.detail.get("role", "") for event in self.history.of("started")}

    @cached_property
    def managers(self) -> list[str]:
        """The nodes that act as the manager: one, unless something is wrong."""
        acting = {event.node for event in self.history.of("placed", "registered", "reported")}
        return sorted(acting | {node for node, role in self.roles.items() if role == "manager"})

    @cached_property
    def servers(self) -> list[str]:
        """The servers that were ever seen, by name."""
        seen = {node for node, role in self.roles.items() if role == "server"} | self.folders.keys()
        seen |= {event.peer for event in self.history.of("registered")}
        seen |= {event.node for kind in CHANGES for event in self.history.of(kind)}
        return sorted(seen, key=natural_order)

    @cached_property
    def clients(self) -> list[str]:
        """The nodes with a log that are neither manager nor server, nor what plants faults."""
        others = {*self.managers, *self.servers, "cluster"}
        return [node for node in self.history.nodes if node not in others]

    # ---- faults

    @cached_property
    def _damaged(self) -> dict[str, dict[str, list[Event]]]:
        found: dict[str, dict[str, list[Event]]] = {}
        for event in self.history.of("damaged"):
            found.setdefault(event.peer, {}).setdefault(event.file, []).append(event)
        return found

    def damage(self, server: str, file: str) -> list[Event]:
        """The faults by which somebody damaged this file on this server; a fault without a file is about its whole disk."""
        faults = self._damaged.get(server, {})
        return [*faults.get(file, ()), *faults.get("", ())]

    def disturbed(self, *nodes: str) -> list[Event]:
        """What was done to these nodes, or seen of them, that lets a transfer fail half way."""
        events = [event for node in nodes for event in self._disturbances.get(node, ())]
        return sorted(events, key=lambda event: (event.lamport, event.node, event.number))

    @cached_property
    def _disturbances(self) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = {}
        for event in self.history.of(*_DISTURBING):
            found.setdefault(event.peer, []).append(event)
        for event in self.history.of(*STAGED):
            for node in (event.node, event.peer):
                found.setdefault(node, []).append(event)
        starts: dict[str, list[Event]] = {}
        for event in self.history.of("started"):
            starts.setdefault(event.node, []).append(event)
        for node, events in starts.items():
            found.setdefault(node, []).extend(events[1:])  # it was started again: something ended it before
        return found

    def end(self, node: str) -> str:
        """How a node ended: "stopped" (cleanly), "killed", or "running" if nothing says that it ended."""
        started = max((event.time for event in self.history.of("started") if event.node == node), default=-1.0)
        stopped = any(event.node == node and event.time >= started for event in self.history.of("stopped"))
        killed = any(event.peer == node and event.time >= started for event in self.history.of("killed"))
        return "stopped" if stopped else "killed" if killed else "running"

    def failed_with(self, node: str, file: str) -> bool:
        """Whether a node failed at something about this file."""
        return (node, file) in self._failures

    @cached_property
    def _failures(self) -> set[tuple[str, str]]:
        return {(event.node, event.file) for event in self.history.of("failed")}

    # ---- what servers stored

    @cached_property
    def changes(self) -> dict[str, list[Event]]:
        """For each server, in its own order: the events by which what it stores changed."""
        found: dict[str, list[Event]] = {server: [] for server in self.servers}
        for event in self.history.of(*CHANGES):
            found[event.node].append(event)
        return found

    def stored_as(self, file: str, version: int) -> dict[str, list[Event]]:
        """By server: the events that this version of a file became durable there."""
        return self._stored.get(file, {}).get(version, {})

    def newer_than(self, file: str, version: int) -> int:
        """How many newer versions of a file were stored anywhere, be it that a server could not say so any more."""
        versions = self._versions.get(file, [])
        return len(versions) - bisect_right(versions, version)

    @cached_property
    def _stored(self) -> dict[str, dict[int, dict[str, list[Event]]]]:
        found: dict[str, dict[int, dict[str, list[Event]]]] = {}
        for event in self.history.of("stored"):
            versions = found.setdefault(event.file, {}).setdefault(event.detail.get("version", 0), {})
            versions.setdefault(event.node, []).append(event)
        return found

    @cached_property
    def _versions(self) -> dict[str, list[int]]:
        found = {file: set(versions) for file, versions in self._stored.items()}
        for folder in self.folders.values():
            for file, noted in folder.noted.items():
                found.setdefault(file, set()).update(record.version for record in noted)
        return {file: sorted(versions) for file, versions in found.items()}

    def made_way(self, server: str, file: str) -> set[int]:
        """The versions of a file that a server has no more, by its own word, for newer ones or because the manager said so."""
        return self._made_way.get((server, file), set())

    @cached_property
    def _made_way(self) -> dict[tuple[str, str], set[int]]:
        found: dict[tuple[str, str], set[int]] = {}
        for event in self.history.of("stored", "unpromised"):
            found.setdefault((event.node, event.file), set()).update(versions_in(event.detail.get("dropped")))
        for event in self.history.of("dropped"):
            found.setdefault((event.node, event.file), set()).add(event.detail.get("version", 0))
        for events in self.buried.values():
            for event in events:
                found.setdefault((event.node, event.file), set()).update(versions_in(event.detail.get("removed")))
        return found

    def of_file(self, server: str, file: str, kind: str) -> list[Event]:
        return self._by_file.get((server, file, kind), [])

    @cached_property
    def _by_file(self) -> dict[tuple[str, str, str], list[Event]]:
        found: dict[tuple[str, str, str], list[Event]] = {}
        for events in self.changes.values():
            for event in events:
                found.setdefault((event.node, event.file, event.kind), []).append(event)
        return found

    @cached_property
    def promised(self) -> set[tuple[str, int]]:
        """The files and versions that clients were promised."""
        return {(event.file, event.detail.get("version", 0)) for event in self.history.of("acknowledged")}

    @cached_property
    def keeps_versions(self) -> bool:
        """Whether servers keep earlier versions: then one that makes way is named by the event that stored the newer one."""
        return self.keep > 0 or any("dropped" in event.detail for event in self.history.of("stored"))

    @cached_property
    def keep(self) -> int:
        """How many versions of a file stay, as the manager said when it started; 0 if it did not say."""
        started = [event.detail for event in self.history.of("started") if event.node in self.managers]
        said = [detail.get("settings", detail).get("keep", 0) for detail in started]
        return next((int(keep) for keep in reversed(said) if keep), 0)

    @cached_property
    def deletes(self) -> dict[str, list[Event]]:
        """By file: deletes that a client asked for (`removing`), acknowledged (`removed`), or only carried out somewhere
        (`deleted`). Of one that is only asked for nobody knows whether it happened."""
        found: dict[str, list[Event]] = {}
        for event in self.history.of("removing", "removed"):
            found.setdefault(event.file, []).append(event)
        for event, askers in self._delete_calls:
            if self.logs.distrust(event.node) or askers.difference(self.managers):
                found.setdefault(event.file, []).append(event)
        return found

    @cached_property
    def buried(self) -> dict[str, list[Event]]:
        """By file: what servers removed because the manager said so: deletes that they had missed, versions beyond `keep`."""
        found: dict[str, list[Event]] = {}
        for event, askers in self._delete_calls:
            if askers.intersection(self.managers):
                found.setdefault(event.file, []).append(event)
        return found

    @cached_property
    def _delete_calls(self) -> list[tuple[Event, set[str]]]:
        """Each `deleted` with those whose `deleteFile` its server was carrying out then: it can be no other's."""
        pending: dict[str, Counter[tuple[str, int | str]]] = {}
        found: list[tuple[Event, set[str]]] = []
        for event in self.history.of("receive", "send", "deleted"):
            calls = pending.setdefault(event.node, Counter())
            key = event.peer, event.call
            if event.kind == "deleted":
                found.append((event, {peer for (peer, _), count in calls.items() if count > 0}))
            elif event.method != "deleteFile":
                continue  # a call's number is its connection's own: others have it too
            elif event.kind == "receive" and event.message == "request":
                calls[key] += 1
            elif event.kind == "send" and event.message in ("reply", "error") and calls[key] > 0:
                calls[key] -= 1
        return found

    def deleted(self, file: str, version: int) -> bool:
        """Whether a delete that a client asked for, acknowledged or in doubt, covers this version."""
        return any(event.detail.get("version", 0) >= version for event in self.deletes.get(file, ()))


def versions_in(values: Any) -> set[int]:
    """The versions in a list of an event's detail, whether it holds numbers or records of files."""
    found: set[int] = set()
    for value in values or ():
        version = value.get("version") if isinstance(value, dict) else value
        if isinstance(version, int):
            found.add(version)
    return found
