"""Invariant 5: replication bytes equal acknowledged bytes times (copies - 1), plus what repairs and retries account
for.

For each file and each server that took copies of it: the bytes that others sent there as replicas and as repairs are
those of the copies that it stored, and each copy was stored once. More was sent only where a transfer is seen to have
failed (a `failed` event, a server that was killed or paused); a repair is one that the manager ordered; an upload has
no more replicas than were wanted. Files of the document's wire are left out: that wire does not tell a file's bytes
from others.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from ...rpc.document import CLIENT as DOCUMENT_CLIENT
from ...trace import Event
from ..report import Finding, Judgement, Verdict
from ..run import Run

__all__ = ["judge"]

_COPIES = ("replica", "repair")
_Key = tuple[str, str, str]  # file, receiver, copy


def judge(run: Run) -> Judgement:
    judging = _Replication(run)
    findings = [
        *judging.sent_and_stored(),
        *judging.stored_once(),
        *judging.ordered(),
        *judging.confirmed(),
        *judging.wanted(),
    ]
    findings += run.logs.hidden(run.servers)
    findings += [
        Finding(Verdict.UNKNOWN, f"{server} wrote no event log: what it sent on is not known.", server)
        for server in run.servers
        if server in run.folders and server not in run.history.nodes
    ]
    return Judgement(
        "replication",
        "The servers sent one another the bytes of the promised copies and of repairs, no more and no less",
        f"{sum(judging.sent.values()):,} bytes sent for {sum(map(len, judging.arrived.values())):,} copies",
        tuple(findings),
    )


class _Replication:
    def __init__(self, run: Run) -> None:
        self._run, self._history = run, run.history

    @cached_property
    def sent(self) -> Counter[_Key]:
        """Bytes sent between servers. The sender tells; for one without a log its receiver does."""
        sent: Counter[_Key] = Counter()
        logged = set(self._history.nodes)
        for event in self._history.of("send-data"):
            if event.copy in _COPIES:
                sent[event.file, event.peer, event.copy] += event.bytes
        for event in self._history.of("receive-data"):
            if event.copy in _COPIES and event.peer not in logged:
                sent[event.file, event.node, event.copy] += event.bytes
        return sent

    @cached_property
    def arrived(self) -> dict[_Key, list[Event]]:
        """The copies that were stored, each time that one was."""
        arrived: dict[_Key, list[Event]] = {}
        for event in self._history.of("stored"):
            if event.copy in _COPIES and not event.file.startswith(f"{DOCUMENT_CLIENT}/"):
                arrived.setdefault((event.file, event.node, event.copy), []).append(event)
        return arrived

    @cached_property
    def _failed(self) -> dict[tuple[str, str], list[Event]]:
        """Transfers that are seen to have failed, by file and node."""
        failed: dict[tuple[str, str], list[Event]] = {}
        for event in self._history.of("failed", "refused"):
            failed.setdefault((event.file, event.node), []).append(event)
        return failed

    @cached_property
    def _senders(self) -> dict[tuple[str, str], set[str]]:
        senders: dict[tuple[str, str], set[str]] = {}
        for event in self._history.of("send-data"):
            if event.copy in _COPIES:
                senders.setdefault((event.file, event.peer), set()).add(event.node)
        return senders

    @cached_property
    def _largest(self) -> dict[str, int]:
        largest: dict[str, int] = {}
        for event in self._history.of("stored", "placed", "sent", "acknowledged"):
            largest[event.file] = max(event.bytes, largest.get(event.file, 0))
        return largest

    def _failures(self, file: str, receiver: str) -> list[Event]:
        """What explains that bytes of a file went to a server in vain, or twice."""
        senders = self._senders.get((file, receiver), set())
        nodes = (receiver, *sorted(senders), *self._run.managers)
        failed = [event for node in nodes for event in self._failed.get((file, node), ())]
        return [*failed, *self._retries.get(file, ()), *self._run.disturbed(receiver, *sorted(senders))]

    @cached_property
    def _retries(self) -> dict[str, list[Event]]:
        """By file: what says that an attempt had failed: an upload that was placed again, or asked for one server more; a
        repair that was ordered and not reported as made."""
        found: dict[str, list[Event]] = {}
        uploads: set[str] = set()
        for event in self._history.of("placed"):
            upload = str(event.detail.get("upload", ""))
            if upload and (upload in uploads or upload.endswith("+")):
                found.setdefault(event.file, []).append(event)
            uploads.add(upload)
        open_repairs: dict[tuple[str, str], list[Event]] = {}
        for event in self._history.of("repairing", "repaired"):
            orders = open_repairs.setdefault((event.file, event.peer), [])
            if event.kind == "repairing":
                orders.append(event)
            elif orders:
                orders.pop()
        for (file, _), orders in open_repairs.items():
            found.setdefault(file, []).extend(orders)
        return found

    def sent_and_stored(self) -> list[Finding]:
        """Whether the bytes that were sent are those of the copies that were stored."""
        found: list[Finding] = []
        for key in sorted(self.sent.keys() | self.arrived.keys()):
            file, receiver, copy = key
            stored = self.arrived.get(key, [])
            expected = sum(event.bytes for event in stored)
            excess = self.sent[key] - expected
            if not excess or file.startswith(f"{DOCUMENT_CLIENT}/"):
                continue
            failures = self._failures(file, receiver) + self._echoes(receiver, file, stored)
            if excess < 0 and self._unlogged_sender(file, receiver):
                continue
            if 0 < excess <= len(failures) * self._largest.get(file, 0):
                continue
            if excess < 0 and self._echoes(receiver, file, stored):
                continue
            what = "more" if excess > 0 else "fewer"
            said = f"{abs(excess):,} bytes {what} were sent to {receiver} as {copy} of {file} than the copies stored there have"
            found.append(self._finding(receiver, f"{said} ({self.sent[key]:,} for {expected:,}).", file, *stored))
        return found

    def _echoes(self, receiver: str, file: str, stored: list[Event]) -> list[Event]:
        """Copies that came too late, for a newer version was there, however it came: then the server tells of that one once
        more."""
        first: dict[int, str] = {}
        for event in self._run.of_file(receiver, file, "stored"):
            first.setdefault(event.detail.get("version", 0), event.detail.get("upload", ""))

        def is_echo(version: int, upload: str) -> bool:
            sent = self._version_of.get(upload)
            return first.get(version) != upload if sent is None else sent < version

        return [event for event in stored if is_echo(event.detail.get("version", 0), event.detail.get("upload", ""))]

    @cached_property
    def _version_of(self) -> dict[str, int]:
        """By upload: the version that was sent, as the client says that sent it, or the manager that had it copied."""
        told = self._history.of("sent", "repairing")
        return {str(event.detail["upload"]): event.detail["version"] for event in told if "upload" in event.detail}

    def _unlogged_sender(self, file: str, receiver: str) -> bool:
        return any(self._run.logs.distrust(server) for server in self._run.servers if server != receiver)

    def stored_once(self) -> list[Finding]:
        """Whether a copy was sent and stored again that was there already, with nothing that explains it."""
        found: list[Finding] = []
        for (file, receiver, copy), events in self.arrived.items():
            there: dict[tuple[object, object], Event] = {}
            for event in events:
                key = event.detail.get("version"), event.detail.get("upload")
                first = there.setdefault(key, event)
                if (
                    first is not event
                    and not self._went(receiver, file, first, event)
                    and not self._failures(file, receiver)
                ):
                    said = f"{receiver} was sent the same {copy} of {file} again, {event.bytes:,} bytes that nothing explains."
                    found.append(self._finding(receiver, said, file, first, event))
        return found

    def _went(self, server: str, file: str, first: Event, again: Event) -> bool:
        """Whether the copy was gone from the server between the two."""
        kinds = ("deleted", "dropped", "quarantined")
        events = [event for kind in kinds for event in self._run.of_file(server, file, kind)]
        return any(first.number < event.number < again.number for event in events)

    def ordered(self) -> list[Finding]:
        """Whether every repair that was stored is one that the manager ordered."""
        orders = Counter((event.file, event.peer) for event in self._history.of("repairing"))
        if any(self._run.logs.distrust(manager) for manager in self._run.managers) or not self._run.managers:
            return []
        found: list[Finding] = []
        for (file, receiver, copy), events in self.arrived.items():
            over = events[orders[file, receiver] :]
            if copy == "repair" and over and not self._run.disturbed(*self._run.managers):
                said = f"{receiver} was sent a repair of {file}, {over[0].bytes:,} bytes, that the manager had not ordered."
                found.append(self._finding(receiver, said, file, *over))
        return found

    def confirmed(self) -> list[Finding]:
        """Whether every copy that a server says another one has acknowledged was stored there before."""
        found: list[Finding] = []
        for event in self._history.of("replicated", "repaired"):
            if self._run.logs.distrust(event.peer) or event.file.startswith(f"{DOCUMENT_CLIENT}/"):
                continue
            stored = self._run.of_file(event.peer, event.file, "stored")
            version = event.detail.get("version", 0)
            newer = [each for each in stored if each.detail.get("version", 0) >= version]
            if newer and self._run.logs.blind:
                continue
            if not any(self._history.happened_before(each, event) for each in newer):
                said = f"{event.node} says that {event.peer} has its copy of {event.file}, which it had not stored by then."
                found.append(self._finding(event.peer, said, event.file, event))
        return found

    def wanted(self) -> list[Finding]:
        """Whether an upload was copied to more servers than its client wanted."""
        replicas: dict[str, list[Event]] = {}
        for (_, _, copy), events in self.arrived.items():
            for event in events if copy == "replica" else ():
                replicas.setdefault(event.detail.get("upload", ""), []).append(event)
        found: list[Finding] = []
        for event in self._history.of("acknowledged"):
            copies = replicas.get(event.detail.get("upload", ""), [])
            servers = sorted({each.node for each in copies})
            over = len(servers) - (event.detail.get("wanted", 1) - 1)
            if over > 0 and not any(self._failures(event.file, server) for server in servers):
                said = (
                    f"{event.file} was wanted in {event.detail.get('wanted')} copies, and was copied on to "
                    f"{', '.join(servers)}: {over * event.bytes:,} bytes too many."
                )
                found.append(self._finding(servers[-1], said, event.file, event, *copies))
        return found

    def _finding(self, node: str, sentence: str, file: str, *events: Event) -> Finding:
        hidden = self._history.damaged or any(self._run.logs.distrust(server) for server in self._run.servers)
        return Finding(Verdict.UNKNOWN if hidden else Verdict.INVALID, sentence, node, file, events)
