"""The last events before something went wrong, for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Mapping

from ..text import bytes_text, version_text
from ..trace import Event

__all__ = ["last_events"]

_COLUMNS = 80
_FAULTS = (
    "killed",
    "paused",
    "resumed",
    "restarted",
    "partitioned",
    "slowed",
    "healed",
    "reset",
    "filled",
    "emptied",
    "unsound",
)
_LIVES = ("started", "stopped", "registered", "gone", "suspected", "trusted", "safe-mode")


def last_events(events: Mapping[int, Event], marked: Iterable[Event], files: Collection[str], count: int) -> str:
    """The last events up to the last of those that are `marked` (`>` stands before them), or of the run: what concerns these
    files, the lives of the nodes, and the faults; without files, messages too."""
    marked = list(marked)
    shown = {(event.node, event.number) for event in marked}
    of_use = [number for number, event in events.items() if _of_use(event, files)]
    ends = [number for number in of_use if (events[number].node, events[number].number) in shown]
    end = max(ends or [number for number in of_use if events[number].kind not in _LIVES], default=len(events))
    chosen = [number for number in of_use if number <= end]
    kept = sorted({*chosen[-count:], *(each for each in chosen if (events[each].node, events[each].number) in shown)})
    about = ", ".join(list(files)[:3]) or "the run"
    lines = textwrap.wrap(
        f"The last events of {about}, to number {end:,} of {len(events):,}; > shows what is wrong:", _COLUMNS
    )
    before = 0
    for number in kept:
        event = events[number]
        if before and number > before + 1:
            lines.append(f"{'':>8} ... {number - before - 1:,} others")
        mark = ">" if (event.node, event.number) in shown else " "
        line = f"{mark}{number:>6,} {event.time:>9.4f} s  {event.node:<9} {_told(event)}"
        lines.append(line if len(line) <= _COLUMNS else f"{line[: _COLUMNS - 1]}…")
        before = number
    return "\n".join(lines)


def _of_use(event: Event, files: Collection[str]) -> bool:
    if event.kind in _FAULTS:
        return True
    if event.kind in _LIVES:
        return not event.node.startswith("client") or any(file.startswith(f"{event.node}/") for file in files)
    if files:
        return event.file in files and not event.kind.endswith("-data")
    return event.message in ("request", "reply", "error") or bool(event.file)


def _told(event: Event) -> str:
    words = [event.kind, event.message, event.method, event.peer, event.copy, event.file]
    if event.bytes and event.file:
        words.append(bytes_text(event.bytes))
    detail = event.detail
    if isinstance(version := detail.get("version"), int):
        words.append(f"version {version_text(version)}")
    if isinstance(servers := detail.get("servers"), list):
        words.append(f"on {', '.join(map(str, servers))}")
    words += [str(detail[key]) for key in ("reason", "error") if detail.get(key)]
    return " ".join(filter(None, words))
