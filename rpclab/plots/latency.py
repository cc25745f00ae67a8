"""How long calls took, method by method: the whole distribution, for the slow few are what a mean hides."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log10

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..study.history import History
from ..study.measures import latency_by_method
from ..study.named import Names, methods_named
from .style import BLUE, GREY, VERMILLION, dress, new_axes, nothing_yet

__all__ = ["plot_latency"]

_BINS = 12  # to a factor of ten
_MOST = 16  # methods; of more, those that were called most
_HEIGHT = 0.72  # of a row, the highest bar


def plot_latency(history: History, ax: Axes | None = None, *, methods: Names | None = None) -> Axes:
    """Show for each method how many of its calls took how long, from the request's sending to the answer's arrival, with the
    median and the 95th percentile; the most called first. Errors: UsageError for a method that nobody called."""
    title = "How long calls took"
    chosen = methods_named(history, methods)
    found = {
        method: sorted(seconds)
        for method, seconds in latency_by_method(history).items()
        if chosen is None or method in chosen
    }
    rows = sorted(found, key=lambda method: (-len(found[method]), method))
    shown = rows[:_MOST]
    ax = ax or new_axes(height=1.5 + 0.42 * max(2, len(shown)))[0]
    if not shown:
        return nothing_yet(ax, title)
    more = f" ({len(shown)} of {len(rows)} methods)" if len(rows) > _MOST else ""
    dress(ax, title + more, pad=18)
    low = min(found[method][0] for method in shown)
    high = max(found[method][-1] for method in shown)
    first = int(log10(max(low, 1e-7)) * _BINS) - 1
    edges = [10 ** (place / _BINS) for place in range(first, ceil(log10(max(high, 1e-6)) * _BINS) + 2)]
    for row, method in enumerate(shown):
        _draw_row(ax, row, found[method], edges)
    ax.set_xscale("log")
    ax.set(xlim=(edges[0], edges[-1]), ylim=(len(shown) - 0.35, -0.85), xlabel="from request to answer")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0,) if edges[-1] / edges[0] > 30 else (1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _time(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_yticks(range(len(shown)), [f"{method}  ({len(found[method]):,})" for method in shown])
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color=GREY, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.text(1.02, -0.62, "median, 95th", transform=ax.get_yaxis_transform(), color=GREY, fontsize=9, fontweight="bold")
    _legend(ax)
    return ax


def _draw_row(ax: Axes, row: int, seconds: Sequence[float], edges: Sequence[float]) -> None:
    """A histogram that stands on its row's line, each as high as the others."""
    counts = [0] * (len(edges) - 1)
    place = 0
    for each in seconds:
        while place < len(counts) - 1 and each >= edges[place + 1]:
            place += 1
        counts[place] += 1
    base = row + 0.25
    most = max(counts)
    tops = [base - _HEIGHT * count / most for count in counts]
    ax.stairs(tops, list(edges), baseline=base, fill=True, color=BLUE, alpha=0.45, linewidth=0)
    ax.plot([edges[0], edges[-1]], [base, base], color=GREY, linewidth=0.6)
    middle, late = _share(seconds, 0.5), _share(seconds, 0.95)
    ax.plot([middle, middle], [base, base - _HEIGHT], color=BLUE, linewidth=2.2)
    ax.plot([late, late], [base, base - _HEIGHT], color=VERMILLION, linewidth=1.8, linestyle=(0, (2, 1)))
    ax.text(
        1.02,
        row,
        f"{_time(middle)}, {_time(late)}",
        transform=ax.get_yaxis_transform(),
        va="center",
        color=GREY,
        fontsize=9,
    )


def _legend(ax: Axes) -> None:
    ax.plot([], [], color=BLUE, linewidth=2.2, label="median")
    ax.plot([], [], color=VERMILLION, linewidth=1.8, linestyle=(0, (2, 1)), label="95th percentile")
    ax.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=2,
        frameon=False,
        labelcolor=GREY,
        fontsize=9,
        borderaxespad=0.1,
    )


def _share(ordered: Sequence[float], share: float) -> float:
    """The smallest value that so large a part of all does not exceed."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def _time(seconds: float) -> str:
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"
