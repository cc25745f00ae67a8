"""Who sent how many bytes of files to whom, and when: backups, replication and restores told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch, Rectangle

from ..study.history import History
from ..study.measures import COPIES, Traffic, traffic, traffic_by_file, traffic_over_time
from ..text import bytes_text
from .style import GREY, bytes_axis, copy_style, drawable, dress, new_axes, nothing_yet, seconds_axis

__all__ = ["plot_traffic", "plot_traffic_by_file", "plot_traffic_matrix", "plot_traffic_over_time"]

_RULED = 20  # nodes up to which lines between the cells help
_LEGEND_WIDTH = 1.0  # inches, about, of what the legend takes from the axes
_NUMBER_WIDTH = 0.07  # inches a point of type: "7.38 MiB" and a little room
_PAPER, _INK = (1.0, 1.0, 1.0), (0.07, 0.07, 0.07)


def plot_traffic(history: History, ax: Sequence[Axes] | None = None) -> tuple[Axes, Axes]:
    """Show who sent how many bytes to whom, and beside it when. `ax`, if given, is two axes."""
    matrix, over_time = new_axes(2, width=13.0, height=4.8) if ax is None else ax
    return plot_traffic_matrix(history, matrix), plot_traffic_over_time(history, over_time)


def plot_traffic_matrix(history: History, ax: Axes | None = None, *, copy: str | None = None) -> Axes:
    """Show who sent how many bytes to whom: all, told apart, or only `copy`: "original", "replica", "repair" or "restore"."""
    title = "File bytes from node to node" + (f": {copy}" if copy else "")
    sent = traffic(history)
    kinds = [kind for kind in sent.by_kind if copy in (None, kind) and sent.total(kind)]
    ax = ax or new_axes(width=min(16.0, max(6.8, 2.8 + 0.8 * len(sent.nodes))), height=_height(len(sent.nodes)))[0]
    if not kinds:
        return nothing_yet(ax, title)
    dress(ax, title)
    _draw_frame(ax, sent.nodes)
    stripes = _stripes(sent, kinds)
    rectangles = [Rectangle((stripe.x - 0.47, stripe.y), 0.94, stripe.height) for stripe in stripes]
    ax.add_collection(PatchCollection(rectangles, facecolors=[stripe.shade for stripe in stripes], linewidths=0))
    _write_numbers(ax, stripes, len(sent.nodes))
    _legend(ax, [(f"{kind}  {bytes_text(sent.total(kind))}", kind) for kind in kinds], hatched=False)
    return ax


def _height(nodes: int) -> float:
    return min(12.0, max(4.8, 1.6 + 0.45 * nodes))


def _draw_frame(ax: Axes, nodes: list[str]) -> None:
    count = len(nodes)
    ax.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), xlabel="receiver", ylabel="sender")
    width, height = _cell_inches(ax, count)
    type_size = 10 if height > 0.2 else 8
    turned = width < max(map(len, nodes)) * type_size * 0.0085
    line = type_size * 0.018  # inches from one line of type to the next
    across, down = range(0, count, 1 + int(line / width)), range(0, count, 1 + int(line / height))
    ax.set_xticks(across, [nodes[i] for i in across], rotation=90 if turned else 0, fontsize=type_size)
    ax.set_yticks(down, [nodes[i] for i in down], fontsize=type_size)
    ax.tick_params(length=0)
    for edge in range(1, count) if count <= _RULED else ():
        ax.axhline(edge - 0.5, color=GREY, alpha=0.25, linewidth=0.6)
        ax.axvline(edge - 0.5, color=GREY, alpha=0.25, linewidth=0.6)


def _cell_inches(ax: Axes, nodes: int) -> tuple[float, float]:
    """About how wide and high a cell will be once the legend and the labels have taken their room."""
    figure, place = ax.get_figure(root=True), ax.get_position()
    assert figure is not None  # axes that can be drawn on are in a figure
    width, height = figure.get_size_inches()
    return max(0.5, place.width * width - _LEGEND_WIDTH) / nodes, place.height * height / nodes


class _Stripe(NamedTuple):
    """One kind's bytes in one cell: the whole cell, or an equal part of it where several kinds went the same way."""

    x: float
    y: float
    height: float
    kind: str
    size: int
    shade: tuple[float, float, float]


def _stripes(sent: Traffic, kinds: list[str]) -> list[_Stripe]:
    position = {node: index for index, node in enumerate(sent.nodes)}
    cells: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for kind in kinds:
        for pair, size in sent.by_kind[kind].items():
            cells.setdefault(pair, []).append((kind, size))
    most = max(size for parts in cells.values() for _, size in parts)
    stripes = []
    for (sender, receiver), parts in cells.items():
        height = 0.94 / len(parts)
        for place, (kind, size) in enumerate(parts):
            top = position[sender] - 0.47 + place * height
            stripes.append(_Stripe(position[receiver], top, height, kind, size, _shade(kind, size / most)))
    return stripes


def _write_numbers(ax: Axes, stripes: list[_Stripe], nodes: int) -> None:
    """The bytes in each cell and, below, their kind, as large as fits; nothing where nothing legible would."""
    size = min(9.0, _cell_inches(ax, nodes)[0] / _NUMBER_WIDTH)
    for stripe in stripes if size >= 6 else ():
        whole = stripe.height > 0.9 and nodes <= 8
        ax.text(
            stripe.x,
            stripe.y + stripe.height / 2,
            bytes_text(stripe.size) + (f"\n{stripe.kind}" if whole else ""),
            ha="center",
            va="center",
            fontsize=size,
            color=_readable(stripe.shade),
        )


def _shade(kind: str, share: float) -> tuple[float, float, float]:
    """A kind's colour mixed with white: a quarter of it for the smallest amounts, all of it for the largest."""
    strength = 0.25 + 0.75 * share
    red, green, blue = (
        strength * c + (1 - strength) * p for c, p in zip(to_rgb(copy_style(kind).colour), _PAPER, strict=True)
    )
    return red, green, blue


def _readable(colour: tuple[float, float, float]) -> tuple[float, float, float]:
    """Black or white, whichever stands out more (WCAG 2.2, relative luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return _PAPER if luminance < 0.18 else _INK


def plot_traffic_over_time(history: History, ax: Axes | None = None) -> Axes:
    """Show how many bytes of files a second crossed the wire, with originals, replicas and restores stacked."""
    title = "File bytes on the wire over time"
    sent = traffic_over_time(history)
    kinds = [kind for kind, sizes in sent.by_kind.items() if any(sizes)]
    ax = ax or new_axes()[0]
    if not kinds:
        return nothing_yet(ax, title)
    dress(ax, title)
    width = sent.edges[1] - sent.edges[0]
    below = [0.0] * len(sent.by_kind[kinds[0]])
    for kind in kinds:
        above = [base + size / width for base, size in zip(below, sent.by_kind[kind], strict=True)]
        ax.stairs(above, sent.edges, baseline=below, fill=True, label=kind, **_fill(kind))
        below = above
    ax.set(xlim=(0, sent.edges[-1]), ylim=(0, max(below) * 1.05))
    bytes_axis(ax.yaxis, suffix="/s")
    seconds_axis(ax.xaxis)
    ax.set_ylabel("bytes a second")
    ax.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
    _legend(ax, [(f"{kind}  {bytes_text(sum(sent.by_kind[kind]))}", kind) for kind in reversed(kinds)], hatched=True)
    return ax


def plot_traffic_by_file(history: History, ax: Axes | None = None, *, most: int = 20) -> Axes:
    """Show how many bytes of each file crossed the wire, why told apart; of more than `most` files the rest as one bar."""
    title = "File bytes on the wire by file"
    files = traffic_by_file(history)
    shown = dict(list(files.items())[: most if len(files) <= most else most - 1])
    rest = [sizes for file, sizes in files.items() if file not in shown]
    if rest:
        shown[f"{len(rest):,} more files"] = {
            kind: sum(sizes.get(kind, 0) for sizes in rest) for kind in {kind for sizes in rest for kind in sizes}
        }
    ax = ax or new_axes(width=9.0, height=min(9.0, 1.5 + 0.32 * max(2, len(shown))))[0]
    if not shown:
        return nothing_yet(ax, title)
    dress(ax, title)
    used = {kind for sizes in shown.values() for kind in sizes}
    kinds = [*(kind for kind in COPIES if kind in used), *sorted(used.difference(COPIES))]
    left = [0.0] * len(shown)
    for kind in kinds:
        widths = [sizes.get(kind, 0) for sizes in shown.values()]
        ax.barh(range(len(shown)), widths, left=left, height=0.7, label=kind, **_fill(kind))
        left = [start + width for start, width in zip(left, widths, strict=True)]
    ax.set(xlim=(0, max(left) * 1.02 or 1.0), ylim=(len(shown) - 0.4, -0.6), xlabel="bytes")
    ax.set_yticks(range(len(shown)), [drawable(file) for file in shown])
    ax.tick_params(axis="y", length=0)
    bytes_axis(ax.xaxis)
    totals = {kind: sum(sizes.get(kind, 0) for sizes in shown.values()) for kind in kinds}
    _legend(ax, [(f"{kind}  {bytes_text(totals[kind])}", kind) for kind in kinds], hatched=True)
    return ax


def _legend(ax: Axes, entries: list[tuple[str, str]], *, hatched: bool) -> None:
    """What the colours mean and how many bytes each kind is in all, to the right of the data."""
    handles = [
        Patch(label=text, **(_fill(kind) if hatched else {"facecolor": copy_style(kind).colour}))
        for text, kind in entries
    ]
    ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, labelcolor=GREY, fontsize=10
    )


def _fill(kind: str) -> dict[str, Any]:
    style = copy_style(kind)
    return {"facecolor": style.colour, "hatch": style.hatch, "edgecolor": (1, 1, 1, 0.55), "linewidth": 0}
