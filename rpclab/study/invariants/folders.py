"""Invariant 6: no partial file is visible under its name, nothing is written outside the server's folder.

Every file in Backups and Versions must be one that the server stored: of a size and a digest that its journal or its
log names. A copy of the right size and with other bytes, of a version that was acknowledged, is damage: invariant 1
judges it. After a clean stop nothing is left in Incoming. Names are such as `check_name` lets through, and nothing
else lies in the folder or beside it.
"""

from __future__ import annotations

import pathlib

from ...errors import NameRefused
from ...names import check_client, check_name
from ..folder import Copy, ServerFolder
from ..report import Finding, Judgement, Verdict
from ..run import Run

__all__ = ["judge"]


def judge(run: Run) -> Judgement:
    findings: list[Finding] = []
    seen = 0
    for server, folder in run.folders.items():
        if folder.problem:
            findings.append(
                Finding(Verdict.UNKNOWN, f"The folder of {server} could not be read: {folder.problem}.", server)
            )
            continue
        seen += sum(map(len, folder.copies.values()))
        findings += _strange(server, folder)
        findings += _arriving(run, server, folder)
        for file, copies in folder.copies.items():
            for copy in copies:
                findings += _copy(run, server, file, copy)
    findings += _beside(run)
    findings += [
        Finding(Verdict.UNKNOWN, f"The folder of {server} was not given.", server)
        for server in run.servers
        if server not in run.folders and not run.logs.distrust(server)
    ]
    return Judgement(
        "folders",
        "Every file on the disks is whole and was stored there, and nothing lies outside the servers' folders",
        f"{seen:,} files in {len(run.folders):,} folders",
        tuple(findings),
    )


def _strange(server: str, folder: ServerFolder) -> list[Finding]:
    return [Finding(Verdict.INVALID, f"On {server}: {path} {why}.", server, _key(path)) for path, why in folder.strange]


def _key(path: str) -> str:
    top, _, rest = path.partition("/")
    return rest if top in ("Backups", "Versions") else ""


def _arriving(run: Run, server: str, folder: ServerFolder) -> list[Finding]:
    if not folder.arriving or run.end(server) in ("killed", "running"):
        return []  # a kill leaves them, the next start removes them; a server that runs may be receiving
    shown = ", ".join(folder.arriving[:3])
    return [Finding(Verdict.INVALID, f"{server} stopped cleanly and left half of a file in Incoming: {shown}.", server)]


def _copy(run: Run, server: str, file: str, copy: Copy) -> list[Finding]:
    """What speaks against one copy that lies under its name."""
    client, _, name = file.partition("/")
    try:
        if (check_client(client), check_name(name)) != (client, name):
            raise NameRefused("it is not in the form (NFC) that names are stored in")
    except NameRefused as error:
        return [
            Finding(
                Verdict.INVALID, f"On {server}: {copy.path} has a name that is refused: {error.message}.", server, file
            )
        ]
    known = _known(run, server, file, copy.version)
    if any(version[:2] == (copy.size, copy.digest) for version in known) or run.damage(server, file):
        return []
    if not known:
        if run.logs.holes.get(server):
            return [
                Finding(
                    Verdict.UNKNOWN,
                    f"On {server}: {copy.path} is in no log, but {run.logs.holes[server]}.",
                    server,
                    file,
                )
            ]
        return [Finding(Verdict.INVALID, f"On {server}: {copy.path} lies there and was never stored.", server, file)]
    sizes = sorted({size for size, _, _ in known})
    if copy.size in sizes and any(acknowledged for size, _, acknowledged in known if size == copy.size):
        return []
    events = tuple(run.of_file(server, file, "stored")[-1:])
    if copy.size in sizes:
        said = "has the right size and other bytes than were stored"
    else:
        said = f"has {copy.size:,} bytes, stored were {' or '.join(f'{size:,}' for size in sizes)}: it is not whole"
    return [Finding(Verdict.INVALID, f"On {server}: {copy.path} {said}.", server, file, events)]


def _known(run: Run, server: str, file: str, version: int | None) -> set[tuple[int, str, bool]]:
    """What the journal and the log of a server name as stored: size, digest, and whether a client was promised it."""
    found = {
        (event.bytes, event.detail.get("digest", ""), (file, event.detail.get("version")) in run.promised)
        for event in run.of_file(server, file, "stored")
        if version in (None, event.detail.get("version"))
    }
    return found | {
        (noted.size, noted.digest, (file, noted.version) in run.promised)
        for noted in run.folders[server].noted.get(file, ())
        if version in (None, noted.version)
    }


def _beside(run: Run) -> list[Finding]:
    """What lies beside the servers' folders, where they all lie in one that is theirs alone."""
    found: list[Finding] = []
    ours = {folder.place for folder in run.folders.values()}
    for parent in {pathlib.Path(folder.path).parent for folder in run.folders.values() if not folder.problem}:
        if parent.name != "servers" or not parent.is_dir():
            continue
        for entry in sorted(parent.iterdir()):
            stranger = not entry.is_dir() or not ((entry / "Backups").is_dir() or (entry / "lock").exists())
            if stranger and str(entry.resolve()) not in ours:
                found.append(Finding(Verdict.INVALID, f"{entry.name} lies beside the servers' folders, in {parent}."))
    return found
