"""A history in the formats of other programs: ShiViz, Chrome's trace viewer and Perfetto, and CSV.

pandas has it by `history.frame()`.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pathlib
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping

import msgspec

from ..errors import UsageError
from ..trace import Event
from .chrome import chrome_trace
from .history import History

__all__ = ["FORMATS", "SHIVIZ_PARSER", "export", "to_chrome", "to_csv", "to_shiviz"]

SHIVIZ_PARSER = r"(?<event>.*)\n(?<host>\S*) (?<clock>{.*})"
"""How ShiViz is told to read the log; its own default."""


def to_shiviz(history: History, *, heartbeats: bool = False) -> str:
    """The history as a file for ShiViz (https://bestchai.bitbucket.io/shiviz/): its regular expression, an empty line, two lines
    an event. The vector clocks count the events that are written, each node's from 1, as ShiViz wants them."""
    events = [event for event in history if heartbeats or event.method != "heartbeat"]
    chosen = History(events)  # causes of what is left out are left out too: no arrow leads to nowhere
    numbers: dict[str, list[int]] = {}
    for event in chosen:
        numbers.setdefault(event.node, []).append(event.number)
    for own in numbers.values():
        own.sort()
    hosts = _hosts(numbers)
    lines = [SHIVIZ_PARSER, ""]
    for event in chosen:
        clock = chosen.vector_clock(event)
        counted = {node: bisect_right(numbers[node], number) for node, number in clock.items() if node in numbers}
        known = {hosts[node]: count for node, count in counted.items() if count}
        own_clock = {hosts[event.node]: known.pop(hosts[event.node]), **known}
        lines.append(_one_line(_words(event, history.start)))
        lines.append(f"{hosts[event.node]} {json.dumps(own_clock, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def _hosts(nodes: Collection[str]) -> dict[str, str]:
    """The nodes' names as ShiViz's default expression takes them: without white space, and still different."""
    hosts = {node: node for node in nodes if node and not any(map(str.isspace, node))}
    taken = set(hosts.values())
    for node in nodes:
        if node not in hosts:
            host = "_".join(node.split()) or "_"
            while host in taken:
                host += "_"
            hosts[node] = host
            taken.add(host)
    return hosts


def _words(event: Event, start: float) -> str:
    way = {"send": "to", "send-data": "to", "receive": "from", "receive-data": "from"}.get(event.kind, "")
    words = [event.kind, event.message, event.method, event.copy, event.file, way, event.peer]
    if event.call != "":
        words.append(f"call {event.call}")
    if event.bytes:
        words.append(f"{event.bytes:,} bytes")
    return f"{' '.join(word for word in words if word)} at {event.time - start:.6f} s"


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def to_chrome(history: History, *, heartbeats: bool = False) -> str:
    """The history as JSON for chrome://tracing and https://ui.perfetto.dev: a process a node, calls and files as slices,
    messages as arrows between them."""
    return json.dumps(chrome_trace(history, heartbeats=heartbeats), ensure_ascii=False, separators=(",", ":"))


def to_csv(history: History, *, heartbeats: bool = True) -> str:
    """The history as CSV, a row an event in the history's order; `cause` is two columns, `detail` is JSON."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    names = [name for name in Event.__struct_fields__ if name not in ("cause", "detail")]
    writer.writerow([*names, "cause_node", "cause_number", "detail"])
    for event in history:
        if heartbeats or event.method != "heartbeat":
            detail = json.dumps(event.detail, ensure_ascii=False) if event.detail else ""
            values = msgspec.structs.asdict(event)
            writer.writerow([*(values[name] for name in names), *(event.cause or ("", "")), detail])
    return text.getvalue()


FORMATS: Mapping[str, Callable[..., str]] = {"shiviz": to_shiviz, "chrome": to_chrome, "csv": to_csv}


def export(
    history: History, path: str | os.PathLike[str], format: str, *, heartbeats: bool | None = None
) -> pathlib.Path:
    """Write the history to a file as "shiviz", "chrome" or "csv", in a folder that is made if need be; by default only CSV has
    the heartbeats. Errors: UsageError."""
    if format not in FORMATS:
        raise UsageError(f"there is no format {format!r}; there are {', '.join(FORMATS)}")
    options = {} if heartbeats is None else {"heartbeats": heartbeats}
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FORMATS[format](history, **options), encoding="utf-8", newline="")
    return path
