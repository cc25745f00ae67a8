"""What a person names, nodes, methods, files, found in a history; a name that is not there is answered with those that are."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import UsageError
from .history import History, natural_order
from .spacetime_faults import CLUSTER

__all__ = ["Names", "file_named", "listed", "methods_named", "nodes_named"]

Names = str | Iterable[str]
"""One name, or several."""


def nodes_named(history: History, nodes: Names | None) -> set[str] | None:
    if nodes is None:
        return None
    chosen = {nodes} if isinstance(nodes, str) else set(nodes)
    known = {*history.nodes, *(event.peer for event in history if event.peer)} - {CLUSTER}
    for node in sorted(chosen - known):
        raise UsageError(f"there is no node {node!r} in this history; there are {listed(known)}")
    return chosen


def methods_named(history: History, methods: Names | None) -> set[str] | None:
    if methods is None:
        return None
    chosen = {methods} if isinstance(methods, str) else set(methods)
    known = {event.method for event in history if event.method}
    for method in sorted(chosen - known):
        raise UsageError(f"nobody called {method!r} in this history; called were {listed(known)}")
    return chosen


def file_named(history: History, file: str | None) -> str | None:
    """The file's whole name, `client/name`, of which the client's may be left out if no other client has one of that name."""
    if file is None:
        return None
    known = {event.file for event in history if event.file}
    found = sorted(name for name in known if name == file) or sorted(
        name for name in known if name.partition("/")[2] == file
    )
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"there are several {file!r} in this history, say which: {listed(found)}")
    raise UsageError(f"there is no file {file!r} in this history; there are {listed(known)}")


def listed(names: Iterable[str], most: int = 12) -> str:
    names = sorted(names, key=natural_order)
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more
