"""Where a space-time diagram's labels stand: beside what they name, none over another."""

from __future__ import annotations

from bisect import bisect_left

from .diagram_shapes import Point, Text

__all__ = ["LEFT", "LETTER", "LINE", "RIGHT", "Labels", "shortened", "wrapped"]

LEFT = 76.0  # points left of the first column, for the times
RIGHT = 30.0  # so that the last node's labels have room
LETTER = 6.1  # points of a letter of a label, about
LINE = 12.0  # points from one label to the next


class Labels:
    """The labels between two lines, none over another: who asks first has the place."""

    def __init__(self, column: float, columns: int) -> None:
        self._column, self._columns = column, columns
        self._taken: dict[int, list[float]] = {}

    def along(self, start: Point, end: Point, choices: list[str], style: str) -> Text | None:
        """On an arrow, at its beginning, else before its end: the first choice that fits."""
        way = 1.0 if end[0] >= start[0] else -1.0
        length, slope = max(1.0, abs(end[0] - start[0])), end[1] - start[1]
        fitting = (text for text in choices if len(text) * LETTER <= self._column - 16)
        for text in fitting:
            width = len(text) * LETTER
            for x, near, forward in ((start[0] + 8 * way, 8.0, way > 0), (end[0] - 12 * way, length - 12, way < 0)):
                far = near + width if near == 8.0 else near - width
                y = start[1] + slope * min(max(0.0, near / length), max(0.0, far / length)) - 3
                y = min(y, start[1] + slope * max(0.0, min(1.0, far / length)) - 3)
                if self._take(self._gap(x + (width / 2 if forward else -width / 2)), y):
                    return Text(x, y, text, style, "start" if forward else "end")
        return None

    def beside(self, x: float, y: float, choices: str | list[str], style: str) -> Text | None:
        """To the right of a line."""
        for text in [choices] if isinstance(choices, str) else choices:
            last = self._gap(x) >= self._columns  # beyond it there is only the margin
            if len(text) * LETTER <= (self._column / 2 + RIGHT - 12 if last else self._column - 20):
                return Text(x + 4, y, text, style) if self._take(self._gap(x), y) else None
        return None

    def keep_off(self, x: float, y: float) -> None:
        """Nothing is to be written here, where an area begins."""
        self._take(self._gap(x), y)

    def _gap(self, x: float) -> int:
        """Between which two lines x is."""
        return int((x - LEFT + self._column / 2) // self._column)

    def _take(self, gap: int, y: float) -> bool:
        taken = self._taken.setdefault(gap, [])
        place = bisect_left(taken, y - LINE)
        if place < len(taken) and taken[place] < y + LINE:
            return False
        taken.insert(place, y)
        return True


def shortened(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: max(1, letters - 1)]}…"


def wrapped(text: str, letters: int) -> list[str]:
    said, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > letters:
            said.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*said, line]
