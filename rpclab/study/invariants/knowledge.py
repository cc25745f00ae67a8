"""What a manager had heard when it decided: which servers were there, and between which two numbers each one's bytes
must lie.

A manager writes `placed`, `registered`, `reported` and `gone` in the order in which it acts, so its log alone says
what it knew. Only the end of a reservation is not written: bytes handed out to an upload count for certain until the
server has reported since, and may count until that very upload was reported as stored.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ...config import Limits
from ...trace import Event
from ..run import Run

__all__ = ["Knowledge"]


_NO_LIMIT = 1 << 62
_SURELY = 0.5  # of the time that a reservation lasts it counts for certain: the manager's clock may be a fast one


@dataclass(slots=True)
class _Promise:
    """Bytes reserved on one server for one upload."""

    size: int
    since: float
    certain: bool
    client: str = ""


@dataclass(slots=True)
class _Server:
    stored_bytes: int
    address: tuple[str, int]
    had_files: bool
    room: int  # its quota, 0 if it did not say whether it has one
    promises: dict[str, _Promise] = field(default_factory=dict)
    told: Counter[int] = field(default_factory=Counter)  # how often it reported to store so many bytes

    def bounds(self, now: float, reservation_s: float) -> tuple[int, int]:
        """The fewest and the most bytes that the manager may count here."""
        most = sum(promise.size for promise in self.promises.values())
        fewest = sum(
            promise.size
            for promise in self.promises.values()
            if promise.certain and now - promise.since < _SURELY * reservation_s
        )
        return self.stored_bytes + fewest, self.stored_bytes + most


class Knowledge:
    """Fed with a manager's events in order; asked at each `placed`, before it is heard."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._servers: dict[str, _Server] = {}
        self._vague: set[str] = set()  # servers whose reports cannot be told apart (the document's wire names nobody)
        self._uploads: set[str] = set()
        self._suspected: set[str] = set()
        self._reservation_s = Limits().reservation_s
        self._hearing: dict[str, Callable[[Event], None]] = {
            "started": self._started,
            "registered": self._registered,
            "gone": self._gone,
            "suspected": self._suspect,
            "trusted": lambda event: self._suspected.discard(event.peer),
            "reported": self._reported,
            "receive": self._receive,
            "repairing": self._repairing,
            "placed": self._placed,
        }
        self._changes: dict[tuple[str, int], list[Event]] = {}
        for changes in run.changes.values():
            for event in changes:
                self._changes.setdefault((event.node, int(event.detail.get("stored_bytes", 0))), []).append(event)
        self._stored: dict[tuple[str, str], list[Event]] = {}
        for event in run.history.of("stored"):
            self._stored.setdefault((event.node, event.detail.get("upload", "")), []).append(event)

    # ---- hearing

    def hear(self, event: Event) -> None:
        hear = self._hearing.get(event.kind)
        if hear is not None:
            hear(event)

    def _started(self, event: Event) -> None:
        self._servers.clear()
        self._suspected.clear()

    def _registered(self, event: Event) -> None:
        stored_bytes = int(event.detail.get("stored_bytes", 0))
        address = event.detail.get("address", ("", 0))
        room = (event.detail["quota_bytes"] or _NO_LIMIT) if "quota_bytes" in event.detail else 0
        if event.detail.get("wire", "rpclab") != "rpclab":
            room = 0  # a program of the document's wire takes none of our files
        self._servers[event.peer] = _Server(stored_bytes, (address[0], address[1]), stored_bytes > 0, room)
        self._suspected.discard(event.peer)

    def _gone(self, event: Event) -> None:
        self._servers.pop(event.peer, None)

    def _suspect(self, event: Event) -> None:
        self._suspected.add(event.peer)

    def _reported(self, event: Event) -> None:
        server = self._servers.get(event.peer)
        if server is None:
            self._vague.update(node for node in self._servers if self._run.logs.distrust(node))
            return
        if event.detail.get("news", True):
            server.stored_bytes = int(event.detail.get("stored_bytes", 0))
        server.told[int(event.detail.get("stored_bytes", 0))] += 1
        if "upload" in event.detail:
            server.promises.pop(str(event.detail["upload"]), None)
            return
        for upload in list(server.promises):  # an older log, which does not say whose report it was
            server.promises[upload].certain = False
            if self._is_reported(event, upload):
                del server.promises[upload]

    def _is_reported(self, event: Event, upload: str) -> bool:
        """Whether the report of an upload, which ends its reservation, has come with this one or before.

        A report tells only bytes. That it was this upload's is certain once all changes that left so many bytes are reported.
        """
        stored_bytes = int(event.detail.get("stored_bytes", 0))
        before = self._run.history.happened_before
        own = [each for each in self._stored.get((event.peer, upload), ()) if before(each, event)]
        if not any(each.detail.get("stored_bytes") == stored_bytes for each in own):
            return False
        changes = sum(before(each, event) for each in self._changes.get((event.peer, stored_bytes), ()))
        return self._servers[event.peer].told[stored_bytes] >= changes

    def _receive(self, event: Event) -> None:
        """A reservation may end: with `releaseUpload`, or with a `placeFile` by which its client asks once more."""
        if event.method not in ("releaseUpload", "placeFile"):
            return
        for server in self._servers.values():
            for promise in server.promises.values():
                if event.method == "releaseUpload" or event.peer == promise.client or event.peer in self._servers:
                    promise.certain = False

    def _repairing(self, event: Event) -> None:
        server = self._servers.get(event.peer)
        if server is not None:
            name = str(event.detail.get("upload") or f"repair {event.number}")
            server.promises.setdefault(name, _Promise(event.bytes, event.time, certain=False))

    def _placed(self, event: Event) -> None:
        upload = str(event.detail.get("upload", ""))
        if not upload:
            return  # only named a server: nothing is reserved
        for server in self._servers.values():
            server.promises.pop(upload, None)
        self._uploads.add(upload)
        decided = {decision.get("server") for decision in event.detail.get("decisions", ())}
        for node in event.detail.get("servers", ()):
            if node in self._servers:
                # one that holds an older copy may need less, also when it was chosen while it is suspected; what the manager
                # does itself it may end unseen
                certain = node in decided and node not in self._suspected and _for_client(event)
                self._servers[node].promises[upload] = _Promise(
                    event.bytes, event.time, certain, event.file.partition("/")[0]
                )

    # ---- being asked

    def doubts(self, event: Event) -> list[str]:
        """What of a placement does not follow from what was heard: servers, candidates, and their bytes."""
        upload = str(event.detail.get("upload", ""))
        decisions = event.detail.get("decisions", ())
        decided = [decision.get("server", "") for decision in decisions]
        taken = [server for server in event.detail.get("servers", ()) if server not in decided]
        doubts = self._strangers(event.file, taken) if _for_client(event) else []
        for decision in decisions:
            candidates = decision.get("candidates", {})
            if isinstance(candidates, dict):
                doubts += [
                    doubt for node, load in candidates.items() if (doubt := self._doubt(event, upload, node, load))
                ]
                if decision.get("count", len(candidates)) == len(candidates):
                    doubts += self._left_out(event, upload, {*candidates, *taken})
            taken.append(decision.get("server", ""))
        return list(dict.fromkeys(doubts))

    def _left_out(self, event: Event, upload: str, known: set[str]) -> list[str]:
        """The servers that could have been chosen too, and were no candidates.

        Not those that somebody may have excluded: at a second try, for one copy more, or for a repair.
        """
        if not upload or upload.endswith("+") or upload in self._uploads or not _for_client(event):
            return []
        return [
            f"{node} was connected and had room, and was no candidate"
            for node, server in self._servers.items()
            if node not in known | self._suspected | self._vague
            and server.bounds(event.time, self._reservation_s)[1] + event.bytes <= server.room
        ]

    def _doubt(self, event: Event, upload: str, node: str, load: int) -> str:
        server = self._servers.get(node)
        if server is None:
            return f"{node} was a candidate, but was not connected"
        if node in self._vague:
            return ""
        own = server.promises.pop(upload, None)  # an upload that is placed again gives back what it had
        fewest, most = server.bounds(event.time, self._reservation_s)
        if own is not None:
            server.promises[upload] = own
        if fewest <= load <= most:
            return ""
        told = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
        return (
            f"{load:,} bytes were taken into account for {node}, which by its reports and what was reserved had {told}"
        )

    def _strangers(self, file: str, taken: list[str]) -> list[str]:
        """The servers that were taken without a decision, though none of them can hold an older copy of the file."""
        found = []
        for node in taken:
            server = self._servers.get(node)
            if server is None:
                found.append(f"{node} was taken, but was not connected")
            elif not (
                self._run.of_file(node, file, "stored")
                or server.had_files
                or self._run.logs.distrust(node)
                or self._run.failed_with(node, file)  # stored after all, only its sync failed
            ):
                found.append(f"{node} was taken without a decision, and held no older copy of the file")
        return found

    def turn(self, number: int, candidates: set[str]) -> set[str]:
        """Whose turn it is by round-robin: the number's place among all, or the next one's that may be chosen.

        Servers that are suspected may stand in the round or not, so there may be two answers.
        """
        turns: set[str] = set()
        there = {node for node in self._servers if node not in self._vague}
        for pool in (there, there - self._suspected | candidates):
            if not candidates <= pool:
                return set()
            order = sorted((node, self._servers[node].address) for node in pool)
            names = [node for node, _ in order]
            holes = [place for place, node in enumerate(names) if node not in candidates]
            position = number % len(names)
            left = [node for node in names if node in candidates]
            turns.add(left[(position - bisect_left(holes, position)) % len(left)])
        return turns


def _for_client(event: Event) -> bool:
    """Whether a placement is for a client's backup, not for the manager's own repairs and moves."""
    return bool(event.detail.get("purpose", "backup") == "backup")
