"""Where everything in a space-time diagram stands: a column a node, time runs down, an arrow a message.

Pure: a `SpaceTime` in, a `Picture` out. Labels that would lie over one another are left out; who points at an arrow is told all.
"""

from __future__ import annotations

from ..study.spacetime import OWN, SpaceTime
from ..study.spacetime_messages import Message, Transfer
from ..text import bytes_text
from ..trace import Event
from .diagram_labels import LEFT, LETTER, wrapped
from .diagram_page import WIDTH, Page, corners
from .diagram_shapes import STYLES, Dot, Group, Path, Picture, Point, Shape, Text, cross, head
from .diagram_words import description, label_of, lines, message_hover, moment_hover, transfer_hover

__all__ = ["lay_out"]

_ROOMY = 10  # points from event to event from which replies are labelled too: what is left out first
_DONE = frozenset({"stored", "acknowledged", "restored", "registered", "repaired", "trusted", "removed"})
_BAD = frozenset({"failed", "refused", "suspected", "gone", "damaged", "quarantined", "reset", "lost", "corrupted"})
_DECISION = frozenset({"placed", "repairing"})
_LAST_NAMED = frozenset({"registered", "started", "stopped", "safe-mode", "trusted"})
_RANK = {"request": 0, "notification": 1, "packets": 2}  # whose label matters more


def lay_out(scene: SpaceTime, axis: str, title: str, width: float = WIDTH) -> Picture:
    """The picture of what was chosen."""
    return _Layout(Page(scene, axis, title, width)).picture()


class _Layout:
    """What is drawn on a page, the first below the later; the labels above all else, the most telling first."""

    def __init__(self, page: Page) -> None:
        self._page, self._scene = page, page.scene
        last = {event.node: event.kind for event in self._scene.history.of("started", "stopped")}
        self._stopped = {node for node, kind in last.items() if kind == "stopped"}  # who went cleanly when all did
        self._groups: list[Group] = []
        self._texts: list[Shape] = []

    def picture(self) -> Picture:
        page, scene = self._page, self._scene
        self._draw(list(page.times()))
        for node in scene.nodes:
            self._draw(list(page.line(node)))
        for interval in scene.faults:
            group, label = page.fault(interval)
            self._groups.append(group)
            self._label(label)
        for event in scene.marks:
            self._mark(event)
        failed = [message for message in scene.messages if message.failed]
        for transfer in scene.transfers:
            self._band(transfer)
        for event in sorted(scene.moments, key=lambda event: event.kind in _LAST_NAMED):
            self._moment(event)
        others = [message for message in scene.messages if not message.failed]
        for message in [*failed, *sorted(others, key=lambda message: _RANK.get(message.kind, 3))]:
            self._arrow(message)
        self._draw(self._texts)
        return Picture(
            page.width,
            self._below() + 12,
            page.top - 12,
            self._groups,
            [Group(list(page.names()))],
            page.title or "Space-time diagram",
            description(scene),
            lines(scene),
        )

    def _draw(self, shapes: list[Shape], hover: str = "") -> None:
        self._groups.append(Group(shapes, hover))

    def _label(self, text: Text | None) -> None:
        if text is not None:
            self._texts.append(text)

    def _below(self) -> float:
        """What the shapes mean and what is left out; returns where it ends."""
        y = self._page.bottom
        if not (self._scene.messages or self._scene.transfers or self._scene.moments):
            y += 20
            self._draw(
                [Text(self._page.width / 2, y, "nothing to show: nothing like this has happened", "note", "middle")]
            )
        shapes, y = self._page.legend(y + 22)
        for text in self._scene.left_out:
            for line in wrapped(text, int((self._page.width - 20) / LETTER)):
                y += 16
                shapes.append(Text(10, y, line, "note"))
        self._draw(shapes)
        return y

    def _mark(self, event: Event) -> None:
        node = self._page.column(event)
        if node is None:
            return
        x, y = self._page.x[node], self._page.y(event)
        across = Path(((LEFT - 10, y), (self._page.width - 10, y)), "mark-line")
        choices = [f"event {event.number}: {event.kind}", f"event {event.number}", event.kind]
        self._label(self._page.labels.beside(x + 9, y - 3, choices, "label-bad"))
        self._draw([across, Dot(x, y, 9, "mark")], moment_hover(event, self._page.start))

    def _arrow(self, message: Message) -> None:
        start, end = self._ends(message)
        style = message.kind if message.kind in STYLES else "message"
        shapes: list[Shape]
        if message.fate in ("lost", "under way"):
            middle = _between(start, end, 0.94 if message.staged else 0.6)  # the stage stands before the receiver
            lost = message.fate == "lost"
            shapes = [Path((start, middle), "lost" if lost else style)]
            shapes += cross(*middle, "head-lost", 5) if lost else [Dot(*middle, 3.5, style)]
        elif message.sender == message.receiver:  # to itself: out and back
            out, back = (start[0] + 24, start[1]), (end[0] + 24, end[1])
            shapes = [Path((start, out, back, end), style), *head(back, end, style)]
        else:
            shapes = [Path((start, end), style), *head(start, end, style)]
        if message.kind == "error" and message.fate != "lost":
            shapes += cross(*_between(start, end, 0.42), "head-error", 4)
        if message.kind != "reply" or message.failed or self._page.places.gap >= _ROOMY:
            said = label_of(message) + (": lost" if message.fate == "lost" else "")
            kind = "label-bad" if message.failed else "label"
            self._label(self._page.labels.along(start, end, [said], kind))
        first = message.first
        sent = f"{first.node} {first.number}" if first.kind == "send" else ""
        self._groups.append(Group(shapes, message_hover(message, self._page.start), sent))

    def _ends(self, message: Message) -> tuple[Point, Point]:
        """Where an arrow starts and ends: level where the log of one end does not tell, a little down if it did not arrive."""
        known = [self._page.y(event) for event in message.events]
        slope = 0.0
        if message.fate in ("lost", "under way"):
            if message.staged:
                known.append(self._page.y(message.staged[-1]))
            else:
                slope = self._page.places.gap
        return (self._page.x[message.sender], known[0]), (self._page.x[message.receiver], known[-1] + slope)

    def _band(self, transfer: Transfer) -> None:
        """A file's packets as one area, from the first and last that were sent to the first and last that arrived."""
        left, right = self._page.x[transfer.sender], self._page.x[transfer.receiver]
        ends = corners(transfer)
        sent = [self._page.y(event) for event in ends if event.kind == "send-data"]
        received = [self._page.y(event) for event in ends if event.kind == "receive-data"]
        if transfer.failed and not received:  # drawn as far as the middle of its way
            right, received = (left + right) / 2, [sent[0] + 4, sent[-1] + 4]
        sent, received = sent or received, received or sent
        style = f"band-{transfer.copy}"
        area = ((left, sent[0] - 2), (right, received[0] - 2), (right, received[-1] + 2), (left, sent[-1] + 2))
        shapes: list[Shape] = [Path(area, style if style in STYLES else "band", closed=True)]
        if transfer.failed:
            shapes += cross(right - (right - left) * 0.15, (received[0] + received[-1]) / 2, "head-lost", 5)
        name = transfer.file.partition("/")[2] or transfer.file
        size = bytes_text(transfer.sent_bytes or transfer.received_bytes)
        copy = transfer.copy
        choices = [f"{name} {size}, {copy}", f"{name}, {copy}", f"{copy} {size}", copy]
        self._label(self._page.labels.along(area[0], area[1], choices, "label"))
        self._page.labels.keep_off(left + (8 if right > left else -8), sent[-1] + 8)
        self._draw(shapes, transfer_hover(transfer, self._page.start))

    def _moment(self, event: Event) -> None:
        node = self._page.column(event)
        if node is None:
            return
        x, y = self._page.x[node], self._page.y(event)
        shapes: list[Shape]
        if event.kind in _BAD and not (event.kind == "gone" and event.peer in self._stopped):
            shapes = cross(x, y, "bad", 4.5)
        elif event.kind in _DECISION:
            shapes = [Path(((x, y - 5), (x + 5, y), (x, y + 5), (x - 5, y)), "decision", closed=True)]
        else:
            shapes = [Dot(x, y, 4, "done" if event.kind in _DONE else "other")]
        name = event.method or event.file.partition("/")[2] or (event.peer if event.peer not in OWN else "")
        choices = [f"{event.kind} {name}", event.kind] if name else [event.kind]
        self._label(self._page.labels.beside(x + 5, y + 4, choices, "label"))
        self._draw(shapes, moment_hover(event, self._page.start))


def _between(start: Point, end: Point, share: float) -> Point:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
