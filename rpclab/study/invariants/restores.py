"""Invariant 2: what restores is what was backed up, or a clear error: never other bytes.

Each restored digest must be that of the version it is said to be, as a client sent it. Unless an explicit version was
asked for, it must not be older than one that had been acknowledged before the restore began; and never one whose
delete had been acknowledged before. "Before" is what happened before in the logs: overwrites and deletes at the same
time allow either.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property

from ...rpc.document import CLIENT as DOCUMENT_CLIENT
from ...trace import Event
from ..report import Finding, Judgement, Verdict
from ..run import Run

__all__ = ["judge"]


def judge(run: Run) -> Judgement:
    restored = run.history.of("restored")
    judging = _Restores(run)
    findings = [finding for event in restored for finding in judging.of(event)]
    if restored:
        findings += run.logs.hidden(run.history.nodes)
    elif run.history.damaged:
        findings += run.logs.hidden([])
    return Judgement(
        "restores",
        "Every restore gave back what was backed up, and never a version that was out of date or deleted",
        f"{len(restored):,} restores",
        tuple(findings),
    )


class _Restores:
    def __init__(self, run: Run) -> None:
        self._run, self._before = run, run.history.happened_before

    @cached_property
    def _backed_up(self) -> dict[str, dict[int, set[str]]]:
        """By file and version: the digests that clients sent, as the clients and the servers they sent them to say."""
        found: dict[str, dict[int, set[str]]] = {}
        history = self._run.history
        originals = [event for event in history.of("stored") if event.copy == "original" or _by_document(event)]
        for event in [*history.of("sent"), *history.of("acknowledged"), *originals]:
            digests = found.setdefault(event.file, {}).setdefault(event.detail.get("version", 0), set())
            digests.add(event.detail.get("digest", ""))
        return found

    @cached_property
    def _acknowledged(self) -> dict[str, list[tuple[Event, int]]]:
        """By file: what was acknowledged, in the history's order, each with the highest version up to it."""
        found: dict[str, list[tuple[Event, int]]] = {}
        for event in self._run.history.of("acknowledged"):
            known = found.setdefault(event.file, [])
            known.append((event, max(_version(event), known[-1][1] if known else 0)))
        return found

    def _newer(self, file: str, version: int, moment: Event) -> Event | None:
        """What was acknowledged last, of a newer version and before a moment."""
        known = self._acknowledged.get(file, [])
        place = bisect_left(known, moment.lamport, key=lambda each: each[0].lamport)
        while place and known[place - 1][1] > version:
            place -= 1
            event = known[place][0]
            if _version(event) > version and self._before(event, moment):
                return event
        return None

    @cached_property
    def _removed(self) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = {}
        for event in self._run.history.of("removed"):
            found.setdefault(event.file, []).append(event)
        return found

    @cached_property
    def _searches(self) -> dict[str, list[Event]]:
        """For each node the requests by which it looked for a file: with one of them a restore begins."""
        found: dict[str, list[Event]] = {}
        for event in self._run.history.of("send"):
            if event.method == "findFile" and event.message == "request":
                found.setdefault(event.node, []).append(event)
        return found

    @cached_property
    def _busy(self) -> set[str]:
        """Nodes that had two calls under way at once: which search belongs to which restore is not certain there."""
        waiting: dict[str, int] = {}
        busy: set[str] = set()
        for event in self._run.history.of("send", "receive", "disconnected"):
            if event.kind == "send" and event.message == "request":
                waiting[event.node] = waiting.get(event.node, 0) + 1
                if waiting[event.node] > 1:
                    busy.add(event.node)
            elif event.kind == "disconnected" or event.message in ("reply", "error"):
                waiting[event.node] = 0
        return busy

    def of(self, event: Event) -> list[Finding]:
        found = [self._contents(event), self._allowed(event)]
        return [finding for finding in found if finding is not None]

    def _finding(self, verdict: Verdict, sentence: str, *events: Event) -> Finding:
        return Finding(verdict, sentence, events[-1].peer, events[-1].file, events)

    def _contents(self, event: Event) -> Finding | None:
        """Whether these bytes are what a client sent as this version."""
        version, digest = event.detail.get("version", 0), event.detail.get("digest", "")
        known = self._backed_up.get(event.file, {})
        who = f"{event.node} restored {event.file} from {event.peer}"
        if version in known and digest not in known[version]:
            return self._finding(
                Verdict.INVALID, f"{who} and got other bytes than were backed up as this version.", event
            )
        if version in known or any(digest in digests for digests in known.values()):
            return None
        noted = [file for folder in self._run.folders.values() for file in folder.noted.get(event.file, ())]
        if any(file.digest == digest for file in noted):
            said = "a version that was stored before this run, or put there by hand: whether it is right is not known"
            return self._finding(Verdict.UNKNOWN, f"{who} in {said}.", event)
        hidden = self._run.logs.hidden([*self._run.clients, *self._run.servers])
        if hidden or self._run.logs.silent_clients:
            return self._finding(Verdict.UNKNOWN, f"{who} in a version that no log tells of: logs are missing.", event)
        return self._finding(Verdict.INVALID, f"{who} and got bytes that no client ever backed up.", event)

    def _allowed(self, event: Event) -> Finding | None:
        """Whether this version may be given back."""
        version, asked = event.detail.get("version", 0), event.detail.get("asked")
        who = f"{event.node} restored {event.file} from {event.peer}"
        if asked is not None and asked != version:
            return self._finding(
                Verdict.INVALID, f"{who} in version {version}, though version {asked} was asked for.", event
            )
        begin, earliest = self._began(event)
        for removed in self._removed.get(event.file, ()):
            if removed.detail.get("version", 0) >= version and self._before(removed, begin):
                verdict = Verdict.INVALID if self._before(removed, earliest) else Verdict.UNKNOWN
                said = "though its delete had been acknowledged before"
                return self._finding(verdict, f"{who} in version {version}, {said}.", removed, event)
        if asked is None:
            return self._out_of_date(event, begin, earliest, who)
        return None

    def _out_of_date(self, event: Event, begin: Event, earliest: Event, who: str) -> Finding | None:
        version, digest = event.detail.get("version", 0), event.detail.get("digest", "")
        for verdict, moment in ((Verdict.INVALID, earliest), (Verdict.UNKNOWN, begin)):
            newest = self._newer(event.file, version, moment)
            if newest is None or newest.detail.get("digest") == digest:
                continue
            if self._run.deleted(event.file, newest.detail.get("version", 0)):
                continue  # deleted meanwhile: the delete is what counts, and it was judged
            said = f"an older version than version {newest.detail['version']}, which had been acknowledged before"
            return self._finding(verdict, f"{who} and got version {version}, {said}.", newest, event)
        return None

    def _began(self, event: Event) -> tuple[Event, Event]:
        """The event by which a restore began: the likely one, and the earliest it can be."""
        searches = self._searches.get(event.node, [])
        place = bisect_left(searches, event.number, key=lambda each: each.number)
        if not place:
            return event, event
        return searches[place - 1], searches[0 if event.node in self._busy else place - 1]


def _by_document(event: Event) -> bool:
    """Whether a file came by the document's wire, where a client may send a copy that it calls a backup."""
    return event.file.startswith(f"{DOCUMENT_CLIENT}/")


def _version(event: Event) -> int:
    return int(event.detail.get("version", 0))
