"""The space-time diagram of a history: a line a node, an arrow a message, time runs down."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from pathlib import Path as FilePath
from typing import Any, Protocol

from matplotlib.axes import Axes

from ..errors import UsageError
from ..study.history import History
from ..study.named import Names
from ..study.spacetime import LIMIT, SpaceTime, spacetime
from ..trace import Event
from .diagram_axes import draw, figure_of
from .diagram_layout import lay_out
from .diagram_page import WIDTH
from .diagram_svg import html_page, svg

__all__ = ["Diagram", "diagram"]

_SIDE = 60_000  # pixels of a PNG's longer side: matplotlib draws up to 65,535
_PIXELS = 30_000_000  # of a PNG: 120 MB while it is drawn


class HasHistory(Protocol):
    """A cluster, of either world."""

    @property
    def history(self) -> History: ...


def diagram(
    history: History | HasHistory,
    *,
    axis: str = "time",
    nodes: Names | None = None,
    methods: Names | None = None,
    call: int | str | None = None,
    file: str | None = None,
    from_s: float | None = None,
    to_s: float | None = None,
    last: int | None = None,
    around: Event | None = None,
    expand: bool | str = False,
    heartbeats: bool = False,
    mark: Event | Iterable[Event] = (),
    limit: int = LIMIT,
    title: str = "",
    width: float = WIDTH,
) -> Diagram:
    """Show who said what to whom, and when: every message, file and fault of a run, or those that are asked for.

    - `axis`: "time", or "step" (Lamport time: what could have influenced what is always below it).
    - `nodes`: one node and what it says to others, or several and what they say to one another.
    - `methods`: only calls of these; `call`: only this call's number; `file`: only what is about this file.
    - `from_s`, `to_s`: only these seconds of the run; `last`: only so many events; `around`: only the events around this one.
    - `expand`: a file's packets as arrows, not one band; True, or a file's name. `heartbeats`: show them too.
    - `mark`: an event, or several, to point out, such as those with which a check shows what was broken.
    - `width`: so many points; many nodes make it wider.
    - `limit`: the most messages, files and events that are drawn; the picture says how many are left out.

    Shown in a notebook, an arrow tells all about its message to who points at it. Errors: UsageError.
    """
    if axis not in ("time", "step"):
        raise UsageError(f'axis is "time" or "step", not {axis!r}')
    scene = spacetime(
        history if isinstance(history, History) else history.history,
        nodes=nodes,
        methods=methods,
        call=call,
        file=file,
        from_s=from_s,
        to_s=to_s,
        last=last,
        around=around,
        expand=expand,
        heartbeats=heartbeats,
        mark=mark,
        limit=limit,
    )
    return Diagram(scene, axis, title, width)


class Diagram:
    """A space-time diagram. A notebook shows it; `save` writes it to a file; `print` tells it in words."""

    def __init__(self, scene: SpaceTime, axis: str, title: str, width: float = WIDTH) -> None:
        self.scene = scene
        """What is drawn, as values."""
        self.picture = lay_out(scene, axis, title, width)

    def svg(self, *, background: str = "none") -> str:
        """The picture as the text of an SVG file."""
        return svg(self.picture, background=background)

    def save(self, path: str | FilePath, *, dpi: int = 192, background: str = "none") -> FilePath:
        """Write the picture to a .svg, .png or .pdf file, in a folder that is made if need be; `background` "white" instead of
        transparent for a printed page. Errors: UsageError for another kind of file."""
        path = FilePath(path)
        kind = path.suffix.lower()
        if kind not in (".svg", ".png", ".pdf"):
            raise UsageError(f"a diagram is saved as .svg, .png or .pdf, not {path.name!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == ".svg":
            path.write_text(self.svg(background=background), encoding="utf-8")
        else:
            figure = figure_of(self.picture, background=background)
            width, height = figure.get_size_inches()
            most = min(_SIDE / max(width, height), sqrt(_PIXELS / (width * height)))
            figure.savefig(path, dpi=min(dpi, int(most)), facecolor=background)
        return path

    def draw(self, ax: Axes) -> Axes:
        """Draw it on axes of your own."""
        return draw(self.picture, ax)

    def __str__(self) -> str:
        return "\n".join(self.picture.lines) or "nothing to show"

    def __repr__(self) -> str:
        return f"<Diagram: {self.picture.description}>"

    def _repr_html_(self) -> str:
        return html_page(self.picture)

    def _repr_svg_(self) -> str:
        return self.svg()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))
