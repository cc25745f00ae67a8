"""A space-time diagram drawn by matplotlib, for PNG and PDF files and for axes of one's own."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon
from matplotlib.patheffects import withStroke

from .diagram_shapes import STYLES, Dot, Path, Picture, Style, Text
from .style import drawable

__all__ = ["draw", "figure_of"]

_POINTS = 96.0  # CSS points an inch: the picture has the size that it has in a notebook
_TYPE = 72.0 / _POINTS
_ALIGN = {"start": "left", "middle": "center", "end": "right"}


def figure_of(picture: Picture, *, background: str = "none") -> Figure:
    """The picture as a figure of its own size."""
    figure = Figure(figsize=(picture.width / _POINTS, picture.height / _POINTS), facecolor="none")
    draw(picture, figure.add_axes((0, 0, 1, 1)), background=background)
    return figure


def draw(picture: Picture, ax: Axes, *, background: str = "none") -> Axes:
    """Draw on axes; letters keep their size, so the axes should be about as large as the picture."""
    ax.set(xlim=(0, picture.width), ylim=(picture.height, 0))
    ax.set_axis_off()
    halo = [] if background == "none" else [withStroke(linewidth=2.5, foreground=background)]
    for group in [*picture.groups, *picture.heads]:
        for shape in group.shapes:
            _draw(ax, shape, halo)
    return ax


def _draw(ax: Axes, shape: Path | Dot | Text, halo: list[Any]) -> None:
    style = STYLES[shape.style]
    if isinstance(shape, Text):
        weight = "bold" if style.bold else "normal"
        ax.text(
            shape.x,
            shape.y,
            drawable(shape.text).replace("$", r"\$"),  # a dollar is no formula
            color=style.fill,
            fontsize=style.size * _TYPE,
            fontweight=weight,
            ha=_ALIGN[shape.anchor],
            va="baseline",
            path_effects=halo,
            zorder=3,
        )
    elif isinstance(shape, Dot):
        ax.add_patch(Circle((shape.x, shape.y), shape.radius, **_look(style), zorder=2))
    elif shape.closed:
        ax.add_patch(Polygon(shape.points, closed=True, **_look(style), zorder=2))
    else:
        xs, ys = zip(*shape.points, strict=True)
        ax.plot(xs, ys, color=style.stroke, linewidth=style.width * _TYPE, linestyle=_dashes(style), zorder=2)


def _look(style: Style) -> dict[str, Any]:
    from matplotlib.colors import to_rgba

    face = "none" if style.fill == "none" else to_rgba(style.fill, style.opacity)
    return {"facecolor": face, "edgecolor": style.stroke, "linewidth": style.width * _TYPE, "linestyle": _dashes(style)}


def _dashes(style: Style) -> Any:
    if not style.dash:
        return "-"
    return (0, tuple(part / max(style.width, 0.1) for part in style.dash))
