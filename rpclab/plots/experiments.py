"""Theory beside simulation: the formula as a line, what was simulated as marks of the same colour."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterMathtext, LogLocator, NullLocator

from ..study.outcome import Axis, Outcome
from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, dress, new_axes, save

__all__ = ["plot_experiment", "save_experiment"]

_WIDTH, _HEIGHT = 9.0, 4.6  # inches
_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
_MARKS = ("o", "s", "^", "D", "v", "P")  # told apart without colour
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (9, 2)))


def plot_experiment(outcome: Outcome, ax: Axes | None = None) -> Axes:
    """Show an experiment's simulation as marks and the formulas beside it as lines, with one sentence that reads it."""
    ax = ax or new_axes(width=_WIDTH, height=_HEIGHT)[0]
    dress(ax, outcome.title, pad=24)
    ax.text(0, 1.025, outcome.reading, transform=ax.transAxes, color=GREY, fontsize=9.5, va="bottom")
    for series in outcome.series:
        colour = _COLOURS[series.style % len(_COLOURS)]
        if series.kind == "theory":
            line = _LINES[series.style % len(_LINES)]
            ax.plot(series.x, series.y, color=colour, linestyle=line, linewidth=1.8, label=series.label)
        else:
            shown = [(x, y) for x, y in zip(series.x, series.y, strict=True) if y > 0 or not outcome.y.log]
            mark = _MARKS[series.style % len(_MARKS)]
            x, y = zip(*shown, strict=True) if shown else ((), ())
            ax.plot(x, y, color=colour, marker=mark, markersize=6.5, linestyle="none", label=series.label)
    ax.grid(color=GREY, alpha=0.25, linewidth=0.6)
    _scale(ax, "x", outcome.x)
    _scale(ax, "y", outcome.y)
    ax.legend(
        loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, labelcolor=GREY, fontsize=9, handlelength=2.6
    )
    return ax


def save_experiment(outcome: Outcome, path: str | Path, *, background: str = "none") -> Path:
    """The same straight into a .png, .svg or .pdf file, with no window and no notebook."""
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained", facecolor="none")
    return save(plot_experiment(outcome, figure.subplots()), path, dpi=120, background=background)


def _scale(ax: Axes, side: str, axis: Axis) -> None:
    drawn = ax.xaxis if side == "x" else ax.yaxis
    if axis.log:
        (ax.set_xscale if side == "x" else ax.set_yscale)("log")
        low, high = sorted(drawn.get_view_interval())
        if high / low < 30:  # less than a decade and a half: 10, 20, 50 are told too
            drawn.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            drawn.set_major_formatter(lambda value, _: f"{value:g}")
        else:
            drawn.set_major_formatter(LogFormatterMathtext())
        drawn.set_minor_locator(NullLocator())
    elif axis.low is not None:
        (ax.set_xlim if side == "x" else ax.set_ylim)(axis.low)
    drawn.set_label_text(axis.label)
