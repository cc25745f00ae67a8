"""A space-time diagram as SVG text, for notebooks and files. What one points at is told by its title; no script is needed."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from .diagram_shapes import STYLES, Dot, Group, Path, Picture, Shape

__all__ = ["html_page", "svg"]

_FONT = "font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif"
_PAPER = "var(--jp-layout-color0,var(--color-background-primary,Canvas))"


def svg(picture: Picture, *, background: str = "none") -> str:
    """The whole picture, as a file of its own."""
    shapes = [*picture.heads, *picture.groups]
    return _svg(picture, 0, picture.height, shapes, background, described=True)


def html_page(picture: Picture) -> str:
    """For a notebook: the names stay in sight while one scrolls, and the same in words is folded below."""
    head = _svg(picture, 0, picture.head, picture.heads, "none", described=False)
    body = _svg(picture, picture.head, picture.height - picture.head, picture.groups, "none", described=True)
    words = escape("\n".join(picture.lines), quote=False)
    return (
        '<div class="rpclab-diagram">'
        f"<style>.rpclab-diagram .rd-page{{overflow:auto;max-height:44em;width:fit-content;max-width:100%}}"
        f".rpclab-diagram .rd-head{{position:sticky;top:0;background:{_PAPER};width:max-content;z-index:1}}"
        ".rpclab-diagram svg{display:block}"
        "@media print{.rpclab-diagram .rd-page{max-height:none;overflow:visible}}</style>"
        f'<div class="rd-page" tabindex="0" role="group" aria-label="{escape(picture.label)}, scrollable">'
        f'<div class="rd-head" aria-hidden="true">{head}</div>{body}</div>'
        f'<details><summary>The same in words</summary><pre style="max-height:24em;overflow:auto">{words}</pre></details>'
        "</div>"
    )


def _svg(picture: Picture, top: float, height: float, groups: list[Group], background: str, *, described: bool) -> str:
    size = f'width="{picture.width:.0f}" height="{height:.0f}" viewBox="0 {top:.0f} {picture.width:.0f} {height:.0f}"'
    ground, paper, said = "", _PAPER.replace("Canvas", "transparent"), ""
    if background != "none":
        ground, paper = f'<rect width="100%" height="100%" fill="{escape(background)}"/>', escape(background)
    role = 'aria-hidden="true"'
    if described:
        role = f'role="img" aria-label="{escape(picture.label)}"'
        said = f"<desc>{escape(picture.description, quote=False)}</desc>"
    inside = "".join(map(_group, groups))
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" class="rd" {size} {role}>'
    return f"{opening}{said}<style>{_css(paper)}</style>{ground}{inside}</svg>"


def _css(paper: str) -> str:
    halo = f"paint-order:stroke;stroke:{paper};stroke-width:3px;pointer-events:none"
    rules = [f".rd text{{{_FONT};{halo}}}", ".rd path,.rd circle{fill:none;stroke-linejoin:round}"]
    for name, style in STYLES.items():
        if style.size:
            bold = ";font-weight:bold" if style.bold else ""
            rules.append(f".rd .{name}{{fill:{style.fill};font-size:{style.size:g}px{bold}}}")
            continue
        parts = [f"stroke:{style.stroke}", f"stroke-width:{style.width:g}"]
        if style.dash:
            parts.append(f"stroke-dasharray:{','.join(f'{part:g}' for part in style.dash)}")
        if style.fill != "none":
            parts.append(f"fill:{style.fill};fill-opacity:{style.opacity:g}")
        rules.append(f".rd .{name}{{{';'.join(parts)}}}")
    rules.append(".rd .rd-hit{stroke:#000;stroke-opacity:0;stroke-width:10;fill:none;pointer-events:stroke}")
    rules.append(".rd .rd-g:hover path:not(.rd-hit),.rd .rd-g:hover circle{stroke-width:3px}")
    return "".join(rules)


def _group(group: Group) -> str:
    inside = "".join(map(_shape, group.shapes))
    if not group.hover:
        return inside
    first = next((shape for shape in group.shapes if isinstance(shape, Path)), None)
    hit = f'<path class="rd-hit" d="{_d(first)}"/>' if first is not None and not first.closed else ""
    sent = f' data-sent="{escape(group.sent)}"' if group.sent else ""
    return f'<g class="rd-g"{sent}><title>{escape(group.hover, quote=False)}</title>{inside}{hit}</g>'


def _shape(shape: Shape) -> str:
    if isinstance(shape, Path):
        return f'<path class="{shape.style}" d="{_d(shape)}"/>'
    if isinstance(shape, Dot):
        return f'<circle class="{shape.style}" cx="{shape.x:.5g}" cy="{shape.y:.6g}" r="{shape.radius:g}"/>'
    anchor = "" if shape.anchor == "start" else f' text-anchor="{shape.anchor}"'
    return f'<text class="{shape.style}" x="{shape.x:.5g}" y="{shape.y:.6g}"{anchor}>{escape(shape.text, quote=False)}</text>'


def _d(path: Path) -> str:
    return "M" + "L".join(_points(path.points)) + ("Z" if path.closed else "")


def _points(points: Iterable[tuple[float, float]]) -> list[str]:
    return [f"{x:.5g},{y:.6g}" for x, y in points]
