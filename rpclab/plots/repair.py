"""How a cluster mends itself: copies that are missing, being made, made again, beside what was done to its nodes."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..study.history import History
from ..study.repairs import repair_over_time
from .faults import draw_faults, legend_of_faults, rows_of_faults
from .style import BLUE, GREEN, GREY, VERMILLION, dress, new_axes, nothing_yet, seconds_axis

__all__ = ["plot_repair"]


def plot_repair(history: History, ax: Axes | None = None) -> Axes:
    """Show how many copies were missing, under repair and repaired over time, and above it what was done to which node."""
    title = "Copies missing, under repair, repaired"
    found = repair_over_time(history)
    rows = rows_of_faults(history)
    ax = ax or new_axes(height=4.0 + 0.25 * rows)[0]
    if not found.missing.times and not found.under_way.times:
        return nothing_yet(ax, title)
    dress(ax, title, pad=10 + 18 * rows)
    end = history.duration or 1.0
    lines = (
        ("missing", found.missing, VERMILLION, "-", 2.2),
        ("under repair", found.under_way, BLUE, (0, (1.5, 1)), 2.0),
        ("repaired", found.done, GREEN, (0, (5, 1.5)), 2.0),
    )
    most = 1.0
    for name, steps, colour, style, width in lines:
        times, values = [0.0, *steps.times, end], [0.0, *steps.values, steps.values[-1] if steps.values else 0.0]
        ax.step(times, values, where="post", color=colour, linestyle=style, linewidth=width, label=name)
        if name == "missing":
            ax.fill_between(times, values, step="post", color=colour, alpha=0.15, linewidth=0)
        most = max(most, *values)
    ax.set(xlim=(0, end), ylim=(0, most * 1.12), ylabel="copies")
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    seconds_axis(ax.xaxis)
    ax.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.6)
    handles = [*ax.get_lines(), *legend_of_faults(history)]
    ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, labelcolor=GREY, fontsize=10
    )
    draw_faults(ax, history)
    return ax
