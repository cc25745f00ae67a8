"""The page of a space-time diagram: which column a node has, how far down an event stands; and its frame: names, times, lines."""

from __future__ import annotations

from collections.abc import Iterable

from ..study.spacetime import SpaceTime
from ..study.spacetime_faults import CLUSTER, Interval
from ..study.spacetime_messages import Transfer
from ..trace import Event
from .diagram_labels import LEFT, LETTER, LINE, RIGHT, Labels, shortened
from .diagram_places import Places
from .diagram_shapes import STYLES, Group, Path, Shape, Text, cross, head
from .diagram_words import fault_hover, seconds

__all__ = ["WIDTH", "Page", "corners"]

_HEAD = 60.0  # for the names
_TITLE = 24.0
WIDTH = 900.0  # as wide as a notebook's cell; many nodes make it wider
_LEAST = 460.0  # so that the legend has room beside a single node
_NARROW, _WIDE = 88.0, 210.0  # a column
_TICKS = 44.0  # points from one time to the next
_TAIL = 18.0  # how far the lines go on below the last event


class Page:
    """Where columns and rows are. `axis` is "time" or "step"."""

    def __init__(self, scene: SpaceTime, axis: str, title: str, width: float = WIDTH) -> None:
        self.scene, self.axis, self.title = scene, axis, title
        self.start = scene.history.start
        events = [event for message in scene.messages for event in (*message.events, *message.staged[-1:])]
        events += [event for transfer in scene.transfers for event in corners(transfer)]
        events += [event for event in (*scene.moments, *scene.marks) if self.column(event) is not None]
        self.places = Places(events, axis)
        column = max(_NARROW, min(_WIDE, (width - LEFT - RIGHT) / max(1, len(scene.nodes))))
        self.x = {node: LEFT + (place + 0.5) * column for place, node in enumerate(scene.nodes)}
        self.width = max(_LEAST, LEFT + len(scene.nodes) * column + RIGHT)
        self.top = _HEAD + (_TITLE if title else 0.0)
        self.bottom = self.top + self.places.height + _TAIL
        self.labels = Labels(column, len(scene.nodes))
        self._column = column

    def y(self, event: Event) -> float:
        """How far down an event that is drawn stands."""
        place = self.places.of(event)
        assert place is not None  # every event that is drawn was given a place
        return self.top + place

    def column(self, event: Event) -> str | None:
        """The node on whose line an event stands; what was done to a node stands on that node's."""
        node = event.peer if event.node == CLUSTER else event.node
        return node if node in self.scene.nodes else None

    # ---- the frame

    def names(self) -> Iterable[Shape]:
        """The title, what the axis is, and above each line its node."""
        top = self.top - _HEAD + 30
        if self.title:
            yield Text(10, 18, self.title, "title")
        yield Text(10, top, "time" if self.axis == "time" else "Lamport time", "role")
        yield Text(10, top + 14, "not to scale" if self.axis == "time" else "a step a row", "role")
        roles = {event.node: event.detail.get("role", "") for event in self.scene.history.of("started")}
        for node, x in self.x.items():
            yield Text(x, top, shortened(node, int(self._column / 7.2)), "name", "middle")
            role = roles.get(node, "") if node in self.scene.logged else "wrote no log"
            if role and role != node:
                yield Text(x, top + 14, role, "role", "middle")

    def times(self) -> Iterable[Shape]:
        """The times at the left, as near to one another as they can be read, and what was folded."""
        folds = [((fold.top + fold.bottom) / 2 + self.top, fold.length) for fold in self.places.folds]
        taken = iter([*(y for y, _ in folds), float("inf")])
        last, fold = -_TICKS, next(taken)
        for place, event in self.places.rows:
            y = self.top + place
            while fold < y - LINE:
                fold = next(taken)
            if y - last >= _TICKS and abs(y - fold) >= LINE:
                yield Text(LEFT - 14, y + 3.5, self._tick(event), "tick", "end")
                yield Path(((LEFT - 10, y), (LEFT - 4, y)), "fold")
                last = y
        for y, length in folds:
            yield Path(((LEFT - 10, y), (self.width - 10, y)), "fold")
            passed = seconds(length) if self.axis == "time" else f"{length:,.0f} steps"
            yield Text(LEFT - 14, y + 3.5, f"+ {passed}", "tick", "end")

    def _tick(self, event: Event) -> str:
        if self.axis == "step":
            return f"{event.lamport:,}"
        time = event.time - self.start
        return f"{time * 1000:,.2f} ms" if self.scene.end - self.start < 1 else f"{time:,.3f} s"

    def line(self, node: str) -> Iterable[Shape]:
        """A node's line where it was there, and a hint of it where it was not."""
        x, begin = self.x[node], self.top - 10
        if node not in self.scene.logged:
            yield Path(((x, begin), (x, self.bottom)), "unlogged")
            return
        edges = [begin]
        for start, stop in self.scene.lives.get(node, ()):
            if stop >= self.scene.start and start <= self.scene.end:
                edges.append(begin if start < self.scene.start else self.top + self.places.at(node, start))
                edges.append(self.bottom if stop > self.scene.end else self.top + self.places.at(node, stop))
                yield Path(((x, edges[-2]), (x, edges[-1])), "line")
        edges.append(self.bottom)
        for top, bottom in zip(edges[::2], edges[1::2], strict=True):
            if bottom - top > 1:
                yield Path(((x, top), (x, bottom)), "gone")

    def fault(self, interval: Interval) -> tuple[Group, Text | None]:
        """An interval in which something was wrong with a node, on its line, and its label."""
        x = self.x[interval.node]
        before, after = interval.start < self.scene.start, interval.end > self.scene.end
        top = self.top - 10 if before else self._edge(interval.node, interval.began, interval.start)
        bottom = self.bottom
        if interval.ended is not None and not after:
            bottom = max(top + 4, self._edge(interval.node, interval.ended, interval.end))
        half = 9.0 if interval.what == "down" else 5.5
        style = f"fault-{interval.what}"
        area = ((x - half, top), (x + half, top), (x + half, bottom), (x - half, bottom))
        shape = Path(area, style if style in STYLES else "fault", closed=True)
        what = interval.began.kind if interval.what == "down" else interval.what
        choices = [f"{what} {seconds(interval.seconds)}", what]
        if interval.began.detail.get("power"):
            choices.insert(0, f"power cut {seconds(interval.seconds)}")
        label = self.labels.beside(x + half, top + 9, choices, "label-bad")
        return Group([shape], fault_hover(interval, self.start)), label

    def _edge(self, node: str, event: Event, time: float) -> float:
        place = self.places.of(event)
        return self.top + (place if place is not None else self.places.at(node, time))

    def legend(self, y: float) -> tuple[list[Shape], float]:
        """One sample of each kind that is drawn, and where they end."""
        kinds = {"lost" if each.fate == "lost" else each.kind for each in self.scene.messages}
        copies = {transfer.copy for transfer in self.scene.transfers}
        x, shapes = 12.0, list[Shape]()
        for what in ("request", "reply", "error", "notification", "message", "packets", "lost", *sorted(copies)):
            if what not in kinds | copies:
                continue
            said = {"lost": "never received"}.get(what, f"file: {what}" if what in copies else what)
            if x + 40 + len(said) * LETTER > self.width:
                x, y = 12.0, y + 18
            start, end = (x, y - 4), (x + 26, y - 4)
            if what in copies:
                area = ((x, y - 8), (x + 26, y - 8), (x + 26, y), (x, y))
                shapes.append(Path(area, f"band-{what}" if f"band-{what}" in STYLES else "band", closed=True))
            else:
                shapes.append(Path((start, end), what))
                shapes += cross(*end, "head-lost", 4) if what == "lost" else head(start, end, what)
            shapes.append(Text(x + 34, y, said, "note"))
            x += 34 + len(said) * LETTER + 18
        return shapes, y


def corners(transfer: Transfer) -> list[Event]:
    """The first and the last packet that was sent, and that was received."""
    sent = [event for event in transfer.events if event.kind == "send-data"]
    received = [event for event in transfer.events if event.kind == "receive-data"]
    return [events[place] for events in (sent, received) if events for place in (0, -1)]
