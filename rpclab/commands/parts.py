"""What `rpclab up` and `rpclab status` show of a running cluster: its parts, and whether they run."""

from __future__ import annotations

import contextlib
from typing import Any

import psutil

from ..cluster.process import is_same
from ..cluster.record import Record, load_record
from ..config import Limits, address_text
from ..errors import RpclabError
from ..records import ServerRecord
from ..text import bytes_text, counted
from .output import Exit, Output, printable
from .reach import Reach

__all__ = ["show_parts", "states", "upkeep_lines"]

_SHOWN = ("placement", "replicas", "replication", "acknowledge", "keep")
# a paused manager must not hold `status` up for long, nor one that is away
_LOOK = Limits(call_s=2.0, connect_s=2.0, handshake_s=2.0, patience_s=0.0)


def states(record: Record) -> dict[str, str]:
    """Every part of a cluster: running, paused or stopped."""
    states = {}
    for part in {**record.addresses, **record.processes}:
        process = is_same(record.processes[part]) if part in record.processes else None
        paused = False
        with contextlib.suppress(psutil.Error):
            paused = process is not None and process.status() == psutil.STATUS_STOPPED
        states[part] = "stopped" if process is None else "paused" if paused else "running"
    return states


def _parts(reach: Reach, known: dict[str, ServerRecord]) -> list[dict[str, Any]]:
    """The parts with all that is known of them, for JSON."""
    if reach.manager is not None:
        seen = dict.fromkeys(["manager", *known], "running")
        addresses = {"manager": reach.address(), **{node: server.address for node, server in known.items()}}
        processes: dict[str, dict[str, float]] = {}
    else:
        record = load_record(reach.folder)
        seen, addresses, processes = states(record), record.addresses, record.processes
    parts = []
    for part, state in seen.items():
        server = known.get(part)
        facts: dict[str, Any] = {
            "part": part,
            "address": address_text(addresses[part]) if part in addresses else None,
            "state": state,
            "process": int(processes[part]["pid"]) if part in processes else None,
        }
        if server is not None:
            facts |= {"files": server.files, "stored_bytes": server.stored_bytes, "quota_bytes": server.quota_bytes}
        parts.append(facts)
    return parts


def show_parts(out: Output, reach: Reach) -> int:
    """The table of parts; the status is 3 if the manager doesn't answer, 1 if another part doesn't run."""
    problem: RpclabError | None = None
    known: dict[str, ServerRecord] = {}
    settings: dict[str, Any] = {}
    upkeep: dict[str, Any] = {}
    reach.address()  # before anything else: does one run?
    try:
        with reach.session("looking", limits=_LOOK) as session:
            known = {server.node: server for server in session.list_servers()}
            settings = dict(session.manager.getSettings())
            upkeep = dict(session.manager.getUpkeep())
    except RpclabError as error:
        if reach.manager is not None:
            raise
        problem = error
    parts = _parts(reach, known)
    for part in parts:
        if part["part"] in upkeep.get("suspected", ()) and part["state"] == "running":
            part["state"] = "suspected"
    state = Exit.ALL_HELD if all(part["state"] == "running" for part in parts) else Exit.FAILED
    state = Exit.UNREACHABLE if problem is not None else state
    where = {} if reach.manager is not None else {"name": reach.name, "data": reach.data}
    out.document(state, **where, settings=settings, parts=parts, upkeep=upkeep)
    chosen = ", ".join(f"{key} {value}" for key, value in settings.items() if key in _SHOWN)
    out.line(f"Cluster {reach.name} on {reach.data}" if where else f"The cluster of the manager at {reach.manager}")
    out.line(f"{chosen}\n" if chosen else "")
    rows = [[part["part"], part["address"] or "", part["state"], *_figures(part)] for part in parts]
    out.table(["part", "address", "state", "files", "stored"], rows, right=["files", "stored"])
    names = {part["address"]: part["part"] for part in parts}
    for line in upkeep_lines(upkeep, repair=bool(settings.get("repair", True)), names=names):
        out.paragraph(line)
    if problem is not None:
        out.problem(f"the manager does not answer: {problem}")
    return state


def upkeep_lines(upkeep: dict[str, Any], *, repair: bool, names: dict[str, str]) -> list[str]:
    """What the manager does about copies, in lines; none when there is nothing to say."""
    lines = []
    if repair and upkeep.get("safe_mode"):
        lines.append("The manager has just started: it repairs nothing before it knows its servers.")
    if not repair and upkeep:
        lines.append("Repair is off: no copy is made anew, and none is removed.")
    for each in upkeep.get("awaited", ()) if repair else ():
        name, files = names.get(each["address"], each["address"]), counted(each["files"], "file")
        lines.append(f"{name} is gone: unless it is back in {each['wait_s']:.0f} s, its {files} are copied anew.")
    if repair and upkeep.get("waiting"):
        lines.append(f"To be copied or removed: {counted(upkeep['waiting'], 'file')}.")
    if running := upkeep.get("running"):
        now = ", ".join(f"{each['file']} to {each['to']}" for each in running[:3])
        lines.append(f"Being copied: {printable(now)}.")
    if repair and upkeep.get("stuck"):
        lines.append(
            f"{counted(upkeep['stuck'], 'file')} with fewer copies than wanted, and no server that could take another."
        )
    done = [
        f"{upkeep[key]:,} {what}"
        for key, what in (("copied", "copies made anew"), ("moved", "moved"), ("trimmed", "too many removed"))
        if upkeep.get(key)
    ]
    if done:
        lines.append(f"Done so far: {', '.join(done)} ({bytes_text(upkeep['copied_bytes'])} sent).")
    if upkeep.get("problem") and upkeep.get("waiting"):
        lines.append(f"The last problem: {printable(upkeep['problem'])}")
    return ["", *lines] if lines else []


def _figures(part: dict[str, Any]) -> list[str]:
    return [f"{part['files']:,}", bytes_text(part["stored_bytes"])] if "files" in part else ["", ""]
