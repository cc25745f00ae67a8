"""What a node knows, as lines that two moments can be compared by: what is new, what is another, what has gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..text import bytes_text, version_text

__all__ = ["Fact", "compared"]

_TITLES = {"stored_bytes": "stored", "calls": "asks", "answering": "answers"}
_BYTES = frozenset({"files", "versions", "arriving", "stored_bytes"})  # numbers there are bytes

Line = tuple[str, str]  # of which part, and what there
Lines = dict[Line, str]


@dataclass(frozen=True, slots=True)
class Fact:
    """One line about a node. `change` is new, changed, gone or "" since the moment that it was compared with."""

    part: str
    """What of it: servers, files, reservations, stored, arriving, asks, answers."""
    name: str
    value: str
    before: str = ""
    change: str = ""

    def __str__(self) -> str:
        said = " ".join(each for each in (self.part, self.name) if each)
        if self.change == "changed":
            return f"{said}: {self.before} → {self.value}"
        told = self.value or self.before
        return {"new": "+ ", "gone": "- "}.get(self.change, "") + said + (f": {told}" if told else "")


def compared(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[Fact]:
    """What `look` told of a node, line by line, and what has changed since `before`; what has gone stands there too."""
    now = _lines(after)
    then = now if before is None else _lines(before)
    parts = list(dict.fromkeys(part for part, _ in (*now, *then)))
    found = []
    for line in sorted({**now, **then}, key=lambda line: parts.index(line[0])):
        value, earlier = now.get(line, ""), then.get(line, "")
        change = "new" if line not in then else "gone" if line not in now else "changed" if value != earlier else ""
        found.append(Fact(*line, value, earlier if change in ("changed", "gone") else "", change))
    return found


def _lines(found: Mapping[str, Any]) -> Lines:
    return {(_TITLES.get(part, part), name): text for part in found for name, text in _of(part, found[part])}


def _of(part: str, value: Any) -> Iterator[tuple[str, str]]:
    """The lines of one part of what was told."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield str(name), _told(part, each)
    elif isinstance(value, list):
        counted: dict[str, int] = {}
        for each in value:
            counted[str(each)] = counted.get(str(each), 0) + 1
        for name, count in counted.items():
            yield name, "" if count == 1 else f"{count} times"
    else:
        yield "", _told(part, value)


def _told(part: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(_pair(part, str(name), each) for name, each in value.items() if each or name == "files")
    return bytes_text(value) if part in _BYTES and isinstance(value, int) else str(value)


def _pair(part: str, name: str, value: Any) -> str:
    """One of the values that are known of something: of a server its files and bytes, of a file its version and servers."""
    if part == "reservations":
        return f"{bytes_text(value)} on {name}"
    if name == "version":
        return f"version {version_text(value)}"
    if name == "servers":
        return f"on {', '.join(value)}"
    if name.endswith("_bytes"):
        return f"{bytes_text(value)} {name.removesuffix('_bytes')}"
    return f"{value} {name.removesuffix('s') if value == 1 else name}"
