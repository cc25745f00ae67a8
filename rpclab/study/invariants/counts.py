"""Invariant 3: the manager's byte counts equal the disks' once nothing is under way.

For each server that was connected at the end (a server that was killed, or that the manager had lost, was not): the
bytes that it told the manager last, those that it told its own log, and those that lie on its disk are one number.
The manager's may lag behind a change that ended with the run and that nobody was told of.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...trace import Event
from ..folder import ServerFolder
from ..report import Finding, Judgement, Verdict
from ..run import Run

__all__ = ["judge"]

_AT_ONCE = (
    16  # a server's tasks may write their events in another order than they stored: so many last ones are looked at
)


@dataclass(slots=True)
class _Told:
    """The manager's last word on one server, the event by which it lost it, if it did, and what the server said after that: a
    server that stops takes its leave, and then finishes a file; it is heard, and no longer counted."""

    event: Event
    gone: Event | None = None
    late: Event | None = None

    @property
    def stored_bytes(self) -> int:
        return int(self.event.detail.get("stored_bytes", 0))


def judge(run: Run) -> Judgement:
    findings = run.logs.hidden(run.managers)
    told = _told(run)
    if not run.managers:
        findings.append(Finding(Verdict.UNKNOWN, "No manager wrote an event log: what it knew is not known."))
    managed = any(run.end(manager) != "killed" for manager in run.managers)
    judged = 0
    for server in run.servers:
        if run.end(server) == "killed":
            continue
        judged += 1
        findings += _own_word(run, server, told.get(server))
        if managed and server in told:
            findings += _managers_word(run, server, told[server])
    return Judgement(
        "counts",
        "The bytes that the manager counts are those on the disks",
        f"{judged:,} servers that were there at the end",
        tuple(findings),
    )


def _told(run: Run) -> dict[str, _Told]:
    """The manager's last word on each server, in its last life."""
    told: dict[str, _Told] = {}
    for event in run.history.of("started", "registered", "reported", "gone"):
        if event.node not in run.managers:
            continue
        if event.kind == "started":
            told.clear()
        elif event.kind == "registered":
            told[event.peer] = _Told(event)
        elif event.peer in told:
            if event.kind == "gone":
                told[event.peer].gone = event
            elif event.detail.get("news", True):
                told[event.peer].event = event
            elif told[event.peer].gone is not None:
                told[event.peer].late = event
    return told


def _own_word(run: Run, server: str, told: _Told | None) -> list[Finding]:
    """Whether a server's disk holds as many bytes as it says itself."""
    folder = run.folders.get(server)
    if folder is None or folder.problem:
        if told is None or run.logs.distrust(server):
            return []  # a program of the document's wire, whose folder is its own business
        why = "was not given" if folder is None else f"could not be read: {folder.problem}"
        return [Finding(Verdict.UNKNOWN, f"The folder of {server} {why}.", server)]
    words = run.changes.get(server, [])[-_AT_ONCE:]
    started = max((event.number for event in run.history.of("started") if event.node == server), default=0)
    words = [event for event in words if event.number > started]
    said = {int(event.detail.get("stored_bytes", 0)) for event in words}
    if not words and told is not None:
        said = {told.stored_bytes}
    lies = folder.stored_bytes
    if not said or lies in said or said & _without_damaged(run, server, folder):
        return []
    events = tuple(words[-1:]) or ((told.event,) if told else ())
    distrust = run.logs.distrust(server)
    whole = run.damage(server, "")
    verdict = Verdict.UNKNOWN if distrust or whole else Verdict.INVALID
    last = int(events[-1].detail.get("stored_bytes", 0)) if events else 0
    because = f", but {distrust}" if distrust else ""
    return [
        Finding(
            verdict,
            f"{server} says that it stores {last:,} bytes, {lies:,} lie on its disk{because}.",
            server,
            events=events,
        )
    ]


def _without_damaged(run: Run, server: str, folder: ServerFolder) -> set[int]:
    """What a disk holds without files that were damaged on purpose: a server that finds at its start that one is none of its
    versions leaves it where it lies, and does not count it."""
    sizes = [copy.size for file, copies in folder.copies.items() if run.damage(server, file) for copy in copies]
    sums = {0}
    for size in sizes[:_AT_ONCE]:
        sums |= {each + size for each in sums}
    return {folder.stored_bytes - each for each in sums}


def _managers_word(run: Run, server: str, told: _Told) -> list[Finding]:
    """Whether the manager's last word on a server is what the server stores."""
    own = run.changes.get(server, [])
    folder = run.folders.get(server)
    if folder is not None and not folder.problem:
        truth, whose = folder.stored_bytes, "lie on its disk"
    elif own:
        truth, whose = int(own[-1].detail.get("stored_bytes", 0)), "are what it stored"
    else:
        return []
    if told.stored_bytes == truth or _lost_before(run, server, told):
        return []
    if told.late is not None and told.late.detail.get("stored_bytes") == truth:
        return []
    if folder is not None and told.stored_bytes in _without_damaged(run, server, folder):
        return []
    last = own[-1] if own else None
    untold = [event for event in own if not run.history.happened_before(event, told.event)]
    known = not untold or any(_promised(run, event) for event in untold)
    hidden = bool(run.logs.hidden(run.managers))
    verdict = Verdict.INVALID if known and not hidden else Verdict.UNKNOWN
    why = "; its report may have been under way when the run ended" if not known else ""
    said = f"The manager counts {told.stored_bytes:,} bytes on {server}, {truth:,} {whose}{why}."
    return [Finding(verdict, said, server, events=(told.event, *((last,) if last else ())))]


def _lost_before(run: Run, server: str, told: _Told) -> bool:
    """Whether the manager had lost a server, other than by the server's own clean stop, when the run ended."""
    gone = told.gone
    if gone is None:
        return False
    later = [event for event in run.changes.get(server, ()) if event.time > gone.time]
    return run.end(server) != "stopped" or bool(later)


def _promised(run: Run, change: Event) -> bool:
    """Whether somebody was told that a change is durable: by then the manager had been told too."""
    upload = change.detail.get("upload", "")
    if change.kind == "stored":
        told = [event for event in run.history.of("acknowledged") if event.detail.get("upload") == upload]
    else:
        told = [event for event in run.history.of("removed") if event.file == change.file]
    return any(run.history.happened_before(change, event) for event in told)
