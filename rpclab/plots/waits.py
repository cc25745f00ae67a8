"""How long things took, a mark for each, group by group: what a mean would hide is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, dress, new_axes, nothing_yet

__all__ = ["plot_waits"]

_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
_MARKS = ("o", "s", "^", "D", "v", "P")  # told apart without colour
_SPREAD = 0.5  # of the room between two groups: marks stand in the order in which they were measured


def plot_waits(
    groups: Mapping[str, Sequence[float]], ax: Axes | None = None, *, title: str = "How long each took"
) -> Axes:
    """Show seconds as marks on a logarithmic axis of milliseconds: a row a group, from its first above to its last below, and its
    median as a line with its value."""
    ax = ax or new_axes(width=8.0, height=1.3 + 0.8 * max(1, len(groups)))[0]
    if not any(groups.values()):
        return nothing_yet(ax, title)
    dress(ax, title)
    for row, (label, seconds) in enumerate(groups.items()):
        if seconds:
            _draw_row(ax, row, label, [1000 * each for each in seconds])
    ax.set_xscale("log")
    ax.set_xlabel("time (ms)")
    low, high = ax.get_xlim()
    ax.set_xlim(low / 1.3, high * 1.3)
    if high / low < 30:  # less than a decade and a half: 10, 20, 50 are told too
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_yticks(range(len(groups)), list(groups))
    ax.set_ylim(len(groups) - 0.4, -0.6)
    ax.grid(axis="x", color=GREY, alpha=0.25, linewidth=0.6)
    return ax


def _draw_row(ax: Axes, row: int, label: str, took: list[float]) -> None:
    colour, mark = _COLOURS[row % len(_COLOURS)], _MARKS[row % len(_MARKS)]
    step = _SPREAD / max(1, len(took) - 1)
    places = [row - _SPREAD / 2 + step * index for index in range(len(took))]
    ax.plot(took, places, color=colour, marker=mark, markersize=5, linestyle="none", label=label, alpha=0.8)
    middle = median(took)
    ax.plot([middle, middle], [row - 0.36, row + 0.36], color=colour, linewidth=1.6)
    ax.annotate(
        f"{middle:.2g} ms" if middle < 10 else f"{middle:.0f} ms",
        (middle, row - 0.38),
        xytext=(0, 1),
        textcoords="offset points",
        color=GREY,
        fontsize=9,
        ha="center",
        va="bottom",
    )
