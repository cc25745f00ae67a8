"""Invariant 1: an acknowledged version has as many byte-identical copies as were acknowledged, on different servers.

Twice it is looked at: at the acknowledgement, every server that it names must have stored the version before; at the
end, as many servers must have these bytes on their disks, be they up or down. A kill explains no lack: what was
acknowledged is durable. What does:

- a delete that a client asked for, also one that was never acknowledged, covers the version: nothing is owed any
  more;
- newer versions made it make way on that server, or were there before it came: that copy is not owed any more;
- a logged fault damaged that very copy (or the whole disk), and it was not repaired before the end: unknown, for the
  run ended too early;
- the server's disk was not given, or its log has holes: unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...trace import Event
from ..report import Finding, Judgement, Verdict
from ..run import Run

__all__ = ["judge"]


@dataclass(frozen=True, slots=True)
class _Lack:
    """Why a server that once held a version has no good copy of it now."""

    server: str
    kind: str  # allowed, fault, unseen, or lost
    reason: str
    events: tuple[Event, ...] = ()


def judge(run: Run) -> Judgement:
    findings: list[Finding] = []
    claims: dict[tuple[str, int], Event] = {}
    for event in run.history.of("acknowledged"):
        findings += _when_acknowledged(run, event)
        key = event.file, event.detail.get("version", 0)
        if key not in claims or _promised(event) > _promised(claims[key]):
            claims[key] = event
    owed = [event for (file, version), event in claims.items() if not run.deleted(file, version)]
    for event in owed:
        findings += _at_the_end(run, event)
    findings += run.logs.hidden(run.clients)
    findings += [
        Finding(Verdict.UNKNOWN, f"{client} backed files up and wrote no event log: what it was promised is not known.")
        for client in run.logs.silent_clients
    ]
    return Judgement(
        "copies",
        "Every acknowledged version lies byte for byte on as many servers as was promised",
        f"{len(claims):,} acknowledged versions, {len(owed):,} of them to be kept",
        tuple(findings),
    )


def _promised(event: Event) -> int:
    copies = int(event.detail.get("copies", len(event.detail.get("servers", ()))))
    return min(copies, int(event.detail.get("wanted", copies)))


def _when_acknowledged(run: Run, event: Event) -> list[Finding]:
    """Whether every server that the acknowledgement names had stored the version by then."""
    servers = event.detail.get("servers", ())
    found: list[Finding] = []
    if len(set(servers)) < _promised(event):
        found.append(
            Finding(
                Verdict.INVALID,
                f"{event.file} was acknowledged with {_promised(event)} copies, but on only {len(set(servers))} "
                f"different servers: {', '.join(servers)}.",
                file=event.file,
                events=(event,),
            )
        )
    for server in dict.fromkeys(servers):
        finding = _stored_before(run, event, server)
        if finding is not None:
            found.append(finding)
    return found


def _stored_before(run: Run, event: Event, server: str) -> Finding | None:
    version, digest = event.detail.get("version", 0), event.detail.get("digest", "")
    before = run.history.happened_before
    same = run.stored_as(event.file, version).get(server, [])
    if any(each.detail.get("digest") == digest and before(each, event) for each in same):
        return None
    known = run.of_file(server, event.file, "stored")
    if any(each.detail.get("version", 0) > version and before(each, event) for each in known):
        return None  # a newer version had come there already
    distrust = run.logs.distrust(server)
    if distrust and not same:
        return Finding(
            Verdict.UNKNOWN,
            f"{event.file} was acknowledged as stored on {server}, but {distrust}.",
            server,
            event.file,
            (event,),
        )
    others = [each for each in same if each.detail.get("digest") != digest]
    if not others and same and run.logs.blind:
        said = f"whether {server} had stored it when it was acknowledged is not known, for {run.logs.blind}"
        return Finding(Verdict.UNKNOWN, f"{event.file}: {said}.", server, event.file, (*same[:1], event))
    if others:
        said = f"{server} stored other bytes than those that were acknowledged"
    elif same:
        said = f"it was acknowledged before {server} had stored it"
    else:
        said = f"{server}, which the acknowledgement names, never stored it"
    return Finding(Verdict.INVALID, f"{event.file}: {said}.", server, event.file, (*same[:1], event))


def _at_the_end(run: Run, event: Event) -> list[Finding]:
    """Whether the disks hold as many good copies as were promised, and what explains that they do not."""
    file, version, digest = event.file, event.detail.get("version", 0), event.detail.get("digest", "")
    good = {folder.place: server for server, folder in run.folders.items() if folder.holds(file, digest)}
    promised = _promised(event)
    missing = promised - len(good)
    if missing <= 0:
        return []
    holders = run.stored_as(file, version).keys() | set(event.detail.get("servers", ()))
    lacking = sorted(holders - set(good.values()))
    lacks = [_lack(run, server, event) for server in lacking]
    allowed = sum(lack.kind == "allowed" for lack in lacks)
    explained = [lack for lack in lacks if lack.kind in ("fault", "unseen")]
    if missing <= allowed:
        return []
    lost = [lack for lack in lacks if lack.kind == "lost"]
    shown = explained if missing <= allowed + len(explained) else lost or explained
    verdict = Verdict.UNKNOWN if shown is explained and explained else Verdict.INVALID
    where = f"only on {', '.join(sorted(good.values()))}" if good else "on no server"
    why = "; ".join(lack.reason for lack in shown) or f"other servers than {', '.join(lacking)} were to hold it"
    return [
        Finding(
            verdict,
            f"{file} was acknowledged with {promised} copies, its bytes are {where} now: {why}.",
            shown[0].server if shown else "",
            file,
            (event, *(each for lack in shown for each in lack.events)),
        )
    ]


def _lack(run: Run, server: str, event: Event) -> _Lack:
    file, version = event.file, event.detail.get("version", 0)
    folder = run.folders.get(server)
    if folder is None or folder.problem:
        reason = "was not given" if folder is None else f"could not be read, {folder.problem}"
        return _Lack(server, "unseen", f"the folder of {server} {reason}")
    if _made_way(run, server, event):
        return _Lack(server, "allowed", f"newer versions took its place on {server}")
    damage = run.damage(server, file)
    if damage and run.newer_than(file, version) >= max(1, run.keep):
        return _Lack(server, "allowed", f"{server} had it damaged, and by the newer versions it need not be made anew")
    if damage:
        return _Lack(server, "fault", f"the copy on {server} was damaged on purpose and not repaired", tuple(damage))
    distrust = run.logs.distrust(server)
    if distrust:
        return _Lack(server, "unseen", distrust)
    for kind, said in (("quarantined", "found its copy damaged"), ("dropped", "dropped its copy as one too many")):
        events = [each for each in run.of_file(server, file, kind) if each.detail.get("version") == version]
        if events:
            return _Lack(server, "lost", f"{server} {said}", tuple(events))
    there = "has other bytes under its name" if folder.copies.get(file) else "has no such file"
    return _Lack(server, "lost", f"{server} {there}")


def _made_way(run: Run, server: str, event: Event) -> bool:
    """Whether newer versions are a reason that a server does not have this one, or never took it."""
    file, version, kept = event.file, event.detail.get("version", 0), max(1, run.keep)
    if run.newer_than(file, version) < kept:
        return False
    if server not in run.stored_as(file, version):  # it came late, when there were as many newer ones as are kept
        stored = [each for each in run.of_file(server, file, "stored") if run.history.happened_before(each, event)]
        return len({each.detail["version"] for each in stored if each.detail.get("version", 0) > version}) >= kept
    if not run.keeps_versions:
        return any(each.detail.get("version", 0) > version for each in reversed(run.of_file(server, file, "stored")))
    if version in run.made_way(server, file):
        return True
    return bool(run.disturbed(server))  # killed between a commit and its event, it could not say what made way
