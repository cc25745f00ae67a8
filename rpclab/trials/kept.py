"""Whether what was promised to clients is kept, once everything is healed. Every sentence names file and version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import NoSuchFile, RpclabError
from ..study.history import History
from ..study.report import Finding
from .model import GONE, Ledger

__all__ = ["could_not_know", "unkept"]


def unkept(
    ledgers: Mapping[str, Ledger],
    reader: Any,
    folder: Any,
    keep: int,
    named: Callable[[str], str],
    digest: Callable[[Any], str],
) -> list[str]:
    """Every promise that is not kept: a file that does not restore to what it may be, one that rose, a version that is gone.
    `digest` is that of what was restored to a path."""
    wrong = []
    for client, ledger in ledgers.items():
        for name in ledger.names:
            possible = ledger.possible(name)
            found = _restored(reader, client, name, folder, digest)
            if found not in possible:
                allowed = " or ".join(sorted(map(named, possible)))
                wrong.append(f"{client}/{name} must be {allowed}; it is {named(found)}")
            if hasattr(reader, "versions"):
                for version, contents in ledger.certain(name, keep).items():
                    found = _restored(reader, client, name, folder, digest, version=version)
                    if found != contents:
                        wrong.append(
                            f"{client}/{name} version {version} must be {named(contents)}; it is {named(found)}"
                        )
    return wrong


def _restored(reader: Any, client: str, name: str, folder: Any, digest: Callable[[Any], str], **which: Any) -> str:
    try:
        restored = reader.restore(name, folder, client=client, **which)
    except NoSuchFile:
        return GONE
    except RpclabError as error:
        return f"{type(error).__name__}: {error}"
    return digest(restored.path)


def could_not_know(history: History, finding: Finding) -> bool:
    """Whether an older version was read since the manager, which keeps nothing, had begun a new life in which no server had
    yet told of the newer one: the one excuse that there is."""
    if len(finding.events) != 2 or finding.events[0].kind != "acknowledged":
        return False
    newer, read = finding.events
    version, key = newer.detail["version"], newer.file
    births = [event.time for event in history.of("started") if event.node == "manager" and event.time < read.time]
    last = {
        event.node: event.kind
        for event in history.of("stored", "dropped")
        if event.file == key and event.detail["version"] == version and event.time < read.time
    }
    holders = {node for node, kind in last.items() if kind == "stored"}
    told = [event.time for event in history.of("registered") if event.peer in holders and event.time < read.time]
    return newer.time < births[-1] and not any(births[-1] < time for time in told)
