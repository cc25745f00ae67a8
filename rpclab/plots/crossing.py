"""Who asked, and whose answer came: one line a call, level where all is well."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..lessons.sharing import Exchange
from .style import BLUE, GREY, LIGHTER_GREY, VERMILLION, dress, new_axes, nothing_yet

__all__ = ["plot_crossing"]

_GAP = 1.5  # calls' room between two tasks
_NOTHING_AT = 0.42  # where a line ends that leads to no answer


def plot_crossing(calls: Sequence[Exchange], ax: Axes | None = None) -> Axes:
    """Draw each call from the one who asked (left) to the one whose answer it took (right); one that ended in a fault, or in no
    answer at all, stops on its way."""
    title = "Who asked, and whose answer it took"
    ax = ax or new_axes(width=7.0, height=4.6)[0]
    if not calls:
        return nothing_yet(ax, title)
    right = sum(call.verdict == "right" for call in calls)
    dress(ax, f"{title}: {right} of {len(calls)} calls got their own")
    places, middles = _places(calls)
    for call in calls:
        _draw_line(ax, call, places)
    for side, align in ((0.0, "right"), (1.0, "left")):
        for task, place in middles.items():
            shift = -0.03 if align == "right" else 0.03
            ax.text(side + shift, place, f"task {task}", color=GREY, ha=align, va="center", fontsize=10)
    ax.set(xlim=(-0.16, 1.16), ylim=(max(places.values()) + 1, -1), yticks=[])
    ax.set_xticks([0, 1], ["asked", "answer of"])
    ax.get_xticklabels()[1].set_color(LIGHTER_GREY)  # not all alike: see `dress`
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    _legend(ax)
    return ax


def _places(calls: Sequence[Exchange]) -> tuple[dict[str, float], dict[int, float]]:
    """The height of each question, those of a task together in order; and the middle of each task."""
    questions: dict[int, list[str]] = {}
    for call in calls:
        questions.setdefault(call.task, []).append(call.asked)
    places, middles, next_place = dict[str, float](), dict[int, float](), 0.0
    for task in sorted(questions):
        for index, asked in enumerate(questions[task]):
            places[asked] = next_place + index
        middles[task] = next_place + (len(questions[task]) - 1) / 2
        next_place += len(questions[task]) + _GAP
    return places, middles


def _draw_line(ax: Axes, call: Exchange, places: dict[str, float]) -> None:
    start = places[call.asked]
    end = places.get(call.answered) if isinstance(call.answered, str) else None
    if end is None:
        ax.plot([0, _NOTHING_AT], [start, start], color=GREY, linewidth=0.9, linestyle=(0, (2, 2)))
        ax.plot([_NOTHING_AT], [start], color=GREY, marker="x", markersize=5, linestyle="none")
    else:
        colour, width = (BLUE, 2.2) if call.verdict == "right" else (VERMILLION, 1.1)
        ax.plot([0, 1], [start, end], color=colour, linewidth=width, solid_capstyle="round")


def _legend(ax: Axes) -> None:
    kinds = [
        Line2D([], [], color=BLUE, linewidth=2.2, label="its own answer"),
        Line2D([], [], color=VERMILLION, linewidth=1.1, label="another's"),
        Line2D([], [], color=GREY, linewidth=0.9, linestyle=(0, (2, 2)), marker="x", markersize=5, label="none"),
    ]
    ax.legend(
        handles=kinds,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.06),
        ncols=3,
        frameon=False,
        labelcolor=GREY,
        fontsize=9,
    )
