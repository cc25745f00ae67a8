"""What was done to the nodes, as bars above a picture whose x axis is the run's time."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from ..study.history import History, natural_order
from ..study.spacetime_faults import Interval, faults
from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION

__all__ = ["draw_faults", "legend_of_faults", "rows_of_faults"]

_LOOKS = {
    "down": (VERMILLION, ""),
    "paused": (ORANGE, "///"),
    "partitioned": (PURPLE, "\\\\\\"),
    "slowed": (SKY, "..."),
    "disk full": (BLUE, "xxx"),
    "syncs fail": (GREEN, "++"),
}
_HATCH = (1, 1, 1, 0.55)
_OTHER = (GREY, "")
_ROW = 0.075  # of the axes' height
_MOST = 6  # nodes; of more, those with faults that began first


def rows_of_faults(history: History) -> int:
    """How many rows of bars there will be."""
    return len(_rows(history))


def draw_faults(ax: Axes, history: History) -> None:
    """Draw a row of bars above the axes for each node that something was done to, with its name at the left."""
    transform = ax.get_xaxis_transform()
    for place, (node, intervals) in enumerate(reversed(_rows(history).items())):
        bottom = 1.04 + place * _ROW
        ax.text(
            -0.01,
            bottom + _ROW / 2,
            node,
            transform=ax.transAxes,
            ha="right",
            va="center",
            color=GREY,
            fontsize=9,
            clip_on=False,
        )
        for interval in intervals:
            colour, hatch = _LOOKS.get(interval.what, _OTHER)
            start, end = interval.start - history.start, interval.end - history.start
            bar = Rectangle(
                (start, bottom + 0.01),
                max(end - start, history.duration * 0.004),
                _ROW - 0.02,
                transform=transform,
                facecolor=colour,
                edgecolor=_HATCH,
                hatch=hatch,
                linewidth=0,
                clip_on=False,
            )
            ax.add_patch(bar)


def legend_of_faults(history: History) -> list[Patch]:
    """What the bars mean."""
    kinds = dict.fromkeys(interval.what for intervals in _rows(history).values() for interval in intervals)
    looks = {kind: _LOOKS.get(kind, _OTHER) for kind in kinds}
    return [
        Patch(facecolor=colour, edgecolor=_HATCH, hatch=hatch, linewidth=0, label=kind)
        for kind, (colour, hatch) in looks.items()
    ]


def _rows(history: History) -> dict[str, list[Interval]]:
    rows: dict[str, list[Interval]] = {}
    for interval in faults(history):
        if interval.node in rows or len(rows) < _MOST:
            rows.setdefault(interval.node, []).append(interval)
    return dict(sorted(rows.items(), key=lambda row: natural_order(row[0])))
