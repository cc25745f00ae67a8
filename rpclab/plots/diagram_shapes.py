"""What a space-time diagram is drawn of: paths, dots and texts in points, and how each kind of them looks, for every renderer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import hypot

from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION

__all__ = ["STYLES", "Dot", "Group", "Path", "Picture", "Point", "Shape", "Style", "Text", "cross", "head"]

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Style:
    """How a shape looks: its line's colour, width and dashes, its filling; `size` and `bold` are a text's, in points."""

    stroke: str = "none"
    width: float = 0.0
    dash: tuple[float, ...] = ()
    fill: str = "none"
    opacity: float = 1.0
    size: float = 0.0
    bold: bool = False


STYLES: Mapping[str, Style] = {
    "line": Style(GREY, 1.4),
    "unlogged": Style(GREY, 1.2, (2, 4)),
    "gone": Style(GREY, 0.8, (1, 5)),
    "request": Style(BLUE, 1.4),
    "reply": Style(BLUE, 1.2, (5, 3)),
    "error": Style(VERMILLION, 1.6, (5, 3)),
    "lost": Style(VERMILLION, 1.6),
    "notification": Style(GREY, 1.2, (1.5, 2.5)),
    "message": Style(GREY, 1.4),
    "packets": Style(GREEN, 1.2),
    "head-request": Style(BLUE, 1.0, (), BLUE),
    "head-reply": Style(BLUE, 1.4),
    "head-error": Style(VERMILLION, 1.6),
    "head-lost": Style(VERMILLION, 2.0),
    "head-notification": Style(GREY, 1.2),
    "head-message": Style(GREY, 1.0, (), GREY),
    "head-packets": Style(GREEN, 1.0, (), GREEN),
    "band-original": Style(BLUE, 1.0, (), BLUE, 0.3),
    "band-replica": Style(ORANGE, 1.0, (6, 2), ORANGE, 0.35),
    "band-repair": Style(PURPLE, 1.0, (2, 2), PURPLE, 0.35),
    "band-restore": Style(GREEN, 1.0, (8, 2, 2, 2), GREEN, 0.3),
    "band": Style(GREY, 1.0, (), GREY, 0.3),
    "fault-down": Style(VERMILLION, 1.0, (2, 2), VERMILLION, 0.08),
    "fault-paused": Style(ORANGE, 1.2, (), ORANGE, 0.4),
    "fault-partitioned": Style(PURPLE, 1.2, (4, 2), PURPLE, 0.3),
    "fault-slowed": Style(SKY, 1.2, (1, 2), SKY, 0.35),
    "fault": Style(VERMILLION, 1.2, (6, 2), VERMILLION, 0.3),
    "done": Style(GREEN, 1.0, (), GREEN),
    "decision": Style(BLUE, 1.0, (), BLUE),
    "bad": Style(VERMILLION, 2.0),
    "other": Style(GREY, 1.2),
    "fold": Style(GREY, 0.8, (1, 3)),
    "mark": Style(VERMILLION, 2.2),
    "mark-line": Style(VERMILLION, 0.8, (6, 4)),
    "name": Style(fill=GREY, size=13, bold=True),
    "role": Style(fill=GREY, size=10),
    "title": Style(fill=GREY, size=14, bold=True),
    "label": Style(fill=GREY, size=11),
    "label-bad": Style(fill=GREY, size=11, bold=True),
    "tick": Style(fill=GREY, size=10),
    "note": Style(fill=GREY, size=11),
}


@dataclass(frozen=True, slots=True)
class Path:
    """Straight lines from point to point; closed, they are an area."""

    points: tuple[Point, ...]
    style: str
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    radius: float
    style: str


@dataclass(frozen=True, slots=True)
class Text:
    """`anchor` is "start", "middle" or "end": which part of the text stands at x. y is its base line."""

    x: float
    y: float
    text: str
    style: str
    anchor: str = "start"


Shape = Path | Dot | Text


@dataclass(frozen=True, slots=True)
class Group:
    """Shapes that are one thing. `hover` is what a pointer over them is told, "" nothing; `sent` is a message's sender and the
    number of its event there, by which a page finds it."""

    shapes: list[Shape]
    hover: str = ""
    sent: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """Groups on a page of so many points, the later above the earlier. What is above `head` stays in sight when one scrolls."""

    width: float
    height: float
    head: float
    groups: list[Group] = field(default_factory=list)
    heads: list[Group] = field(default_factory=list)
    label: str = ""
    description: str = ""
    lines: list[str] = field(default_factory=list)
    """The same in words, a line each thing."""


def head(start: Point, end: Point, style: str) -> list[Shape]:
    """An arrow's head: filled for what asks, open for what answers."""
    length = hypot(end[0] - start[0], end[1] - start[1]) or 1.0
    along = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    back = end[0] - 8 * along[0], end[1] - 8 * along[1]
    one = back[0] - 3.5 * along[1], back[1] + 3.5 * along[0]
    other = back[0] + 3.5 * along[1], back[1] - 3.5 * along[0]
    return [Path((one, end, other), f"head-{style}", closed=style in ("request", "message", "packets"))]


def cross(x: float, y: float, style: str, size: float) -> list[Shape]:
    return [
        Path(((x - size, y - size), (x + size, y + size)), style),
        Path(((x - size, y + size), (x + size, y - size)), style),
    ]
