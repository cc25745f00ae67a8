"""What a power cut leaves of a file, crash point by crash point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from ..study.crashes import ANSWERED, OUTCOMES, Crash
from .style import BLUE, GREEN, GREY, LIGHTER_GREY, PURPLE, VERMILLION, dress, new_axes

__all__ = ["plot_crashes"]

_COLOURS = dict(zip(OUTCOMES, (BLUE, GREEN, VERMILLION, PURPLE), strict=True))
_HATCHES = dict(zip(OUTCOMES, ("", "....", "////", "xxxx"), strict=True))
_MEANINGS = {"old": "as it was before", "new": "new and whole", "torn": "torn: other contents", "gone": "gone"}


def plot_crashes(crashes: Sequence[Crash], title: str = "What a power cut leaves", ax: Axes | None = None) -> Axes:
    """Show what was found under the file's name when the power failed before each step, and where that broke a promise."""
    ax = ax or new_axes(width=9.5, height=1.5 + 0.27 * len(crashes))[0]
    dress(ax, title)
    places = range(len(crashes))
    left = [0.0] * len(crashes)
    for outcome in OUTCOMES:
        shares = [100 * crash.found[outcome] / max(1, crash.found.total()) for crash in crashes]
        style: dict[str, Any] = {
            "color": _COLOURS[outcome],
            "hatch": _HATCHES[outcome],
            "edgecolor": (1, 1, 1, 0.55),
            "linewidth": 0,
        }
        ax.barh(places, shares, left=left, height=0.72, label=_MEANINGS[outcome], **style)
        left = [start + share for start, share in zip(left, shares, strict=True)]
    ax.set(xlim=(0, 100), ylim=(len(crashes) - 0.4, -0.6), xlabel="share of the power cuts (%)")
    names = [crash.before if crash.before == ANSWERED else f"before: {crash.before}" for crash in crashes]
    ax.set_yticks(places, names)
    ax.tick_params(axis="y", labelsize=9, labelcolor=LIGHTER_GREY)
    for place, crash in enumerate(crashes):
        verdict = f"broken {crash.bad} of {crash.found.total()}" if crash.bad else "kept"
        ax.text(101, place, verdict, va="center", color=GREY, fontsize=9, fontweight="bold" if crash.bad else "normal")
    ax.legend(loc="center left", bbox_to_anchor=(1.38, 0.5), frameon=False, labelcolor=GREY, fontsize=9)
    return ax
