"""How even several placement policies keep the servers, one line a run."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from ..study.gaps import gaps_by_file
from ..study.history import History
from .style import GREY, SEVERAL, bytes_axis, dress, new_axes, nothing_yet

__all__ = ["plot_gaps"]


def plot_gaps(histories: Mapping[str, History], ax: Axes | None = None) -> Axes:
    """Show, for each of several runs by its name, how far the fullest server was above the mean after each stored file."""
    title = "Gap: fullest server over the mean"
    ax = ax or new_axes(width=8.5)[0]
    gaps = {label: found for label, history in histories.items() if (found := gaps_by_file(history))}
    if not gaps:
        return nothing_yet(ax, title)
    dress(ax, title)
    for (label, values), style in zip(gaps.items(), SEVERAL * len(gaps), strict=False):
        ax.step(
            range(1, len(values) + 1), values, where="post", color=style.colour, linestyle=style.line, label=label, lw=2
        )
    ax.set(xlim=(1, max(map(len, gaps.values()))), ylim=(0, None), xlabel="files stored", ylabel="gap (bytes)")
    bytes_axis(ax.yaxis)
    ax.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.6)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, labelcolor=GREY, fontsize=10)
    return ax
