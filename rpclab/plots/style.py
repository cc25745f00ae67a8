"""How every picture looks: colours, units, axes, saving.

Colours are Okabe and Ito's, which colour-blind people tell apart ("Color Universal Design", 2008), without its black
and yellow, of which one is lost on a dark page and one on a white page. A picture is drawn transparent with mid-grey
text: the grey stands out 4.3 to 1 from white and from JupyterLab's dark theme, the best that one grey can do on both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, Locator, MaxNLocator

from ..study.history import natural_order
from ..text import bytes_text

__all__ = [
    "COPY_STYLES",
    "GREY",
    "SEVERAL",
    "CopyStyle",
    "NodeStyle",
    "bytes_axis",
    "copy_style",
    "drawable",
    "dress",
    "new_axes",
    "node_styles",
    "nothing_yet",
    "save",
    "seconds_axis",
]

GREY = "#7a7a7a"
LIGHTER_GREY = "#818181"
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"

_NODE_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
_NODE_LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)), (0, (9, 2)))


@dataclass(frozen=True, slots=True)
class NodeStyle:
    """How a node's line is drawn: 30 nodes differ, the first six in colour alone, the first five in line alone."""

    colour: str
    line: Any


SEVERAL = tuple(NodeStyle(colour, line) for colour, line in zip(_NODE_COLOURS, _NODE_LINES, strict=False))
"""Styles for several of anything else, told apart in colour and in line."""


@dataclass(frozen=True, slots=True)
class CopyStyle:
    """How the bytes of one kind are drawn: a colour, and a pattern for those who see no colour."""

    colour: str
    hatch: str


COPY_STYLES: Mapping[str, CopyStyle] = {
    "original": CopyStyle(BLUE, ""),
    "replica": CopyStyle(ORANGE, "////"),
    "repair": CopyStyle(PURPLE, "xxxx"),
    "restore": CopyStyle(GREEN, "...."),
}


def copy_style(kind: str) -> CopyStyle:
    return COPY_STYLES.get(kind, CopyStyle(GREY, "++"))


def node_styles(nodes: Iterable[str]) -> dict[str, NodeStyle]:
    """A style for each node, by the number in its name: server-3 looks the same in every picture. Else by its place."""
    names = sorted(nodes, key=natural_order)
    numbers = [int(found[1]) - 1 if (found := re.search(r"(\d+)$", name)) else -1 for name in names]
    if len(set(numbers)) < len(names) or min(numbers, default=0) < 0:
        numbers = list(range(len(names)))
    return {name: _node_style(number) for name, number in zip(names, numbers, strict=True)}


def _node_style(number: int) -> NodeStyle:
    return NodeStyle(_NODE_COLOURS[number % len(_NODE_COLOURS)], _NODE_LINES[number % len(_NODE_LINES)])


class _BinaryLocator(Locator):
    """Ticks at multiples of a power of two, about five of them: 0, 512 KiB, 1 MiB, ..."""

    def __call__(self) -> Sequence[float]:
        low, high = self.axis.get_view_interval()  # type: ignore[union-attr]
        return self.tick_values(float(low), float(high))

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        step = 1
        while step * 6 < vmax - vmin:
            step *= 2
        return [step * count for count in range(int(vmin // step), int(vmax // step) + 1)]


def bytes_axis(axis: Axis, *, suffix: str = "") -> None:
    """Label an axis in B, KiB, MiB; `suffix` may be "/s"."""
    axis.set_major_locator(_BinaryLocator())
    axis.set_major_formatter(FuncFormatter(lambda size, _: bytes_text(size) + suffix))


def seconds_axis(axis: Axis) -> None:
    axis.set_major_locator(MaxNLocator(7))
    axis.set_label_text("time since the start (s)")


def new_axes(columns: int = 1, *, width: float = 8.0, height: float = 4.0) -> list[Axes]:
    """Axes side by side in a new transparent figure; width and height of the figure in inches."""
    from matplotlib import pyplot  # 0.75 s to load, and not wanted where the caller brings axes

    _, axes = pyplot.subplots(
        1, columns, figsize=(width, height), squeeze=False, layout="constrained", facecolor="none"
    )
    return list(axes[0])


def dress(ax: Axes, title: str, *, pad: float = 8) -> None:
    """Give axes the house's look; `pad` points lie between them and the title."""
    ax.set_facecolor("none")
    ax.set_title(title, loc="left", pad=pad, color=GREY, fontsize=12, fontweight="bold")
    ax.tick_params(colors=GREY, labelcolor=GREY, labelsize=10)
    # IPython lays a white (or black) page under a transparent picture whose tick labels are all dark (or all light).
    # One axis a shade lighter than the middle, one darker: it leaves the picture alone, and nobody sees the difference.
    ax.tick_params(axis="y", labelcolor=LIGHTER_GREY)
    for name, spine in ax.spines.items():
        spine.set_color(GREY)
        spine.set_visible(name in ("left", "bottom"))
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_color(GREY)
        axis.label.set_fontsize(10)
        axis.get_offset_text().set_color(GREY)


def drawable(text: str) -> str:
    """The text with a mark for each letter that the font of plots cannot draw: a file may have any name, and each such letter
    would be an empty box and a warning."""
    if text.isascii():
        return text
    known = font_manager.get_font(font_manager.findfont(font_manager.FontProperties())).get_charmap()
    return "".join(letter if ord(letter) in known else "\ufffd" for letter in text)


def nothing_yet(ax: Axes, title: str) -> Axes:
    """What a plot shows before there is anything to show."""
    dress(ax, title)
    ax.set(xticks=[], yticks=[])
    ax.text(0.5, 0.5, "nothing has happened yet", color=GREY, fontsize=12, ha="center", transform=ax.transAxes)
    return ax


class Savable(Protocol):
    """A picture that saves itself: a space-time diagram."""

    def save(self, path: str | Path, *, dpi: int, background: str) -> Path: ...


def save(
    picture: Axes | Figure | Sequence[Axes] | Savable, path: str | Path, *, dpi: int = 200, background: str = "none"
) -> Path:
    """Write a picture to a .png, .svg or .pdf file, in a folder that is made if need be; `background` "white" instead of
    transparent for a printed page."""
    if not isinstance(picture, Axes | Figure | Sequence):
        return picture.save(path, dpi=dpi, background=background)
    first = picture if isinstance(picture, Axes | Figure) else picture[0]
    figure: Figure | SubFigure = first.figure if isinstance(first, Axes) else first
    while isinstance(figure, SubFigure):
        figure = figure.figure
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # text stays text: it can be searched and read aloud; and the same picture is the same file
    told = {"Date": None} if Path(path).suffix == ".svg" else None
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "rpclab"}):
        figure.savefig(path, dpi=dpi, bbox_inches="tight", pad_inches=0.15, facecolor=background, metadata=told)
    return Path(path)
