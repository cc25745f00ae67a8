"""How a class did, check by check: which failed how often, and with which fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .style import BLUE, GREY, LIGHTER_GREY, ORANGE, VERMILLION, drawable, dress, new_axes, save

__all__ = ["plot_checks", "save_checks"]

_LOOKS = {"pass": (BLUE, ""), "fail": (VERMILLION, "////"), "unknown": (ORANGE, "....")}
_MEANINGS = {"pass": "passed", "fail": "failed", "unknown": "not known: not tried, or over a limit"}
_MOST_FAULTS = 3


def plot_checks(checks: Sequence[Mapping[str, Any]], title: str, ax: Axes | None = None) -> Axes:
    """Show for each check how many students passed and failed it, with the faults that were found most often beside it.

    Each of `checks` has `check`, `pass`, `fail`, `unknown` and `faults` (a count by name), as `Grades.checks()` tells them.
    """
    ax = ax or new_axes(width=9.5, height=_height(checks))[0]
    dress(ax, title, pad=26)
    places = range(len(checks))
    left = [0] * len(checks)
    for kind, (colour, hatch) in _LOOKS.items():
        counts = [int(row[kind]) for row in checks]
        ax.barh(
            places,
            counts,
            left=left,
            height=0.7,
            label=_MEANINGS[kind],
            color=colour,
            hatch=hatch,
            edgecolor=(1, 1, 1, 0.55),
            linewidth=0,
        )
        left = [start + count for start, count in zip(left, counts, strict=True)]
    students = max(left, default=0)
    ax.set(xlim=(0, max(1, students)), ylim=(len(checks) - 0.4, -0.6), xlabel="students")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_yticks(places, [drawable(str(row["check"])) for row in checks])
    ax.tick_params(axis="y", labelcolor=LIGHTER_GREY)
    for place, row in enumerate(checks):
        ax.annotate(
            _faults(row["faults"]), (1, place), (6, 0), ("axes fraction", "data"), "offset points",
            va="center", color=GREY, fontsize=9, annotation_clip=False,
        )  # fmt: skip
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, labelcolor=GREY, fontsize=9, borderpad=0.2
    )
    return ax


def save_checks(checks: Sequence[Mapping[str, Any]], title: str, folder: str | Path) -> list[Path]:
    """The picture as `checks.png` and `checks.svg` in a folder; no window is opened."""
    figure = Figure(figsize=(9.5, _height(checks)), layout="constrained", facecolor="none")
    ax = plot_checks(checks, title, figure.add_subplot())
    return [save(ax, Path(folder) / f"checks.{kind}") for kind in ("png", "svg")]


def _height(checks: Sequence[Mapping[str, Any]]) -> float:
    return 1.4 + 0.36 * len(checks)


def _faults(faults: Mapping[str, int]) -> str:
    first = [f"{name} {count}" for name, count in list(faults.items())[:_MOST_FAULTS]]
    more = len(faults) - len(first)
    return ", ".join(first) + (f" and {more} more" if more > 0 else "")
