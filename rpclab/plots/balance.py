"""How evenly the bytes lie on the servers: over time, and now."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from math import nan

from matplotlib.axes import Axes

from ..study.history import History
from ..study.measures import (
    Steps,
    alive_over_time,
    balance_over_time,
    departures,
    gap_over_time,
    stored_bytes_over_time,
)
from ..text import bytes_text
from .style import GREY, bytes_axis, dress, new_axes, node_styles, nothing_yet, seconds_axis

__all__ = ["plot_balance", "plot_balance_bars"]

_LINES = 12  # servers that get a line each; of more one sees the band from fewest to most
_NAMED_FAULTS = 6  # departures that get their name written; more would overlap
_LABEL_HEIGHT = 0.065  # of the axes' height, at which two labels don't touch


def plot_balance(history: History, ax: Axes | None = None) -> Axes:
    """Show the bytes on each server over time, how far the fullest is above the mean, which servers were chosen when, and when
    one was gone."""
    title = "Bytes stored on each server"
    series = stored_bytes_over_time(history)
    ax = ax or new_axes()[0]
    if not series:
        return nothing_yet(ax, title)
    dress(ax, title)
    end = history.duration or 1.0
    top = max(max(steps.values) for steps in series.values()) or 1.0
    ax.set(xlim=(0, end), ylim=(0, top * 1.12))
    bytes_axis(ax.yaxis)
    seconds_axis(ax.xaxis)
    ax.set_ylabel("stored bytes")
    ax.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.6)
    labels = _draw_lines(ax, series, history, end) if len(series) <= _LINES else _draw_band(ax, history, end)
    gap = gap_over_time(history)
    ax.step(*_until(gap, end), where="post", color=GREY, linewidth=1.0, label="gap")
    ax.fill_between(*_until(gap, end), step="post", color=GREY, alpha=0.15, linewidth=0)
    labels.append((gap.values[-1], "gap: fullest over mean", GREY))
    _draw_decisions(ax, history, series)
    _draw_departures(ax, history, series)
    _label_ends(ax, labels)
    return ax


_Label = tuple[float, str, str]
"""Where a line ends (bytes), its text, its colour."""


def _draw_lines(ax: Axes, series: Mapping[str, Steps], history: History, end: float) -> list[_Label]:
    styles, alive = node_styles(series), alive_over_time(history)
    labels = []
    for server, steps in series.items():
        style = styles[server]
        times, values = _until(steps, end)
        ax.step(
            times, values, where="post", color=style.colour, linewidth=1.0, alpha=0.45
        )  # what a dead server's disk holds
        ax.step(
            *_only_alive(steps, alive.get(server, [])),
            where="post",
            color=style.colour,
            linestyle=style.line,
            linewidth=2.2,
            label=server,
        )
        gone = alive.get(server, [(0, end)])[-1][1] < end
        labels.append((values[-1], f"{server} (gone)" if gone else server, style.colour))
    return labels


def _draw_band(ax: Axes, history: History, end: float) -> list[_Label]:
    balance = balance_over_time(history)
    colour = node_styles(["mean"])["mean"].colour
    times, most = _until(balance.most, end)
    _, least = _until(balance.least, end)
    ax.fill_between(times, least, most, step="post", color=colour, alpha=0.3, linewidth=0, label="fewest to most")
    ax.step(*_until(balance.mean, end), where="post", color=colour, linewidth=2.2, label="mean")
    return [(most[-1], "most", colour), (balance.mean.values[-1], "mean", colour), (least[-1], "fewest", colour)]


def _draw_decisions(ax: Axes, history: History, series: Mapping[str, Steps]) -> None:
    """A ring on the line of each server that was chosen for a copy, at the moment of the decision; of many servers, a stroke
    on the time axis for each decision."""
    times = [event.time - history.start for event in history.of("placed")]
    if len(series) > _LINES:
        ax.plot(times, [0.0] * len(times), linestyle="none", marker="|", markersize=9, color=GREY, clip_on=False)
        return
    styles, chosen = node_styles(series), dict[str, list[float]]()
    for event, time in zip(history.of("placed"), times, strict=True):
        for server in event.detail.get("servers", ()):
            chosen.setdefault(server, []).append(time)
    for server in chosen.keys() & series.keys():
        ax.plot(
            chosen[server],
            [series[server].at(time) for time in chosen[server]],
            linestyle="none",
            marker="o",
            markersize=5,
            markerfacecolor="none",
            markeredgecolor=styles[server].colour,
            clip_on=False,
        )
    if chosen:
        ax.plot(
            [],
            [],
            linestyle="none",
            marker="o",
            markersize=5,
            markerfacecolor="none",
            color=GREY,
            label="chosen for a copy",
        )
        handle = ax.get_lines()[-1]
        ax.legend(
            handles=[handle],
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            frameon=False,
            labelcolor=GREY,
            fontsize=9,
            borderaxespad=0.1,
        )


def _draw_departures(ax: Axes, history: History, series: Mapping[str, Steps]) -> None:
    gone = departures(history)
    lines = _lines_of_text([time for time, _ in gone], history.duration)
    for (time, server), line in zip(gone, lines, strict=True):
        ax.axvline(time, color=GREY, linewidth=1.0, linestyle=(0, (2, 2)))
        if len(series) <= _LINES and server in series:
            colour = node_styles(series)[server].colour
            ax.plot([time], [series[server].at(time)], marker="X", markersize=9, color=colour, markeredgecolor=GREY)
        if len(gone) <= _NAMED_FAULTS:
            late = time > history.duration * 0.7
            ax.annotate(
                f"{server} gone",
                (time, 1.0),
                (-4 if late else 4, -2 - 12 * line),
                xycoords=ax.get_xaxis_transform(),
                textcoords="offset points",
                ha="right" if late else "left",
                va="top",
                color=GREY,
                fontsize=9,
            )


def _lines_of_text(times: list[float], duration: float) -> list[int]:
    """On which line from the top each label stands, so that those near to one another don't lie over one another."""
    lines: list[int] = []
    for index, time in enumerate(times):
        near = {lines[other] for other in range(index) if time - times[other] < duration * 0.18}
        lines.append(next(line for line in range(len(times)) if line not in near))
    return lines


def _label_ends(ax: Axes, labels: list[_Label]) -> None:
    """Write each line's name to the right of its end, apart from the others, with a short line that leads to it."""
    top = ax.get_ylim()[1]
    labels = sorted(labels)
    places = _apart([value / top for value, _, _ in labels])
    for place, (value, text, colour) in zip(places, labels, strict=True):
        ax.annotate(
            text,
            (1.0, value),
            (1.05, place),
            xycoords=ax.get_yaxis_transform(),
            textcoords="axes fraction",
            va="center",
            color=GREY,
            fontsize=10,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 1.6,
                "relpos": (0, 0.5),
                "shrinkA": 2,
                "shrinkB": 0,
            },
        )


def _apart(places: list[float]) -> list[float]:
    """Ascending places moved as little as needs be until each is a label's height from the next, inside the axes."""
    blocks: list[list[float]] = []  # the places of labels that touch one another
    for place in places:
        block = [place]
        while blocks and _lowest(block) < _lowest(blocks[-1]) + _LABEL_HEIGHT * len(blocks[-1]):
            block = blocks.pop() + block
        blocks.append(block)
    return [_lowest(block) + _LABEL_HEIGHT * index for block in blocks for index in range(len(block))]


def _lowest(block: list[float]) -> float:
    """Where the lowest of labels that touch stands, so that their middle is that of their ends, inside the axes."""
    height = _LABEL_HEIGHT * (len(block) - 1)
    return max(0.02, min(sum(block) / len(block) - height / 2, 1.0 - height))


def _until(steps: Steps, end: float) -> tuple[list[float], list[float]]:
    """The steps with a last point at the end, so that the line reaches it."""
    return [*steps.times, end], [*steps.values, steps.values[-1]]


def _only_alive(steps: Steps, intervals: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """The steps inside the intervals, with a hole (not a number) between them."""
    times: list[float] = []
    values: list[float] = []
    for came, went in intervals:
        inside = slice(bisect_right(steps.times, came), bisect_right(steps.times, went))
        times += [came, *steps.times[inside], went, went]
        values += [steps.at(came), *steps.values[inside], steps.at(went), nan]
    return times, values


def plot_balance_bars(stored: History | Mapping[str, float], ax: Axes | None = None) -> Axes:
    """Show how many bytes each server stores now, and their mean: from a history, or from {server: bytes}."""
    title = "Bytes stored on each server now"
    gone: set[str] = set()
    if isinstance(stored, History):
        alive = alive_over_time(stored)
        left = {server for _, server in departures(stored)}
        gone = {server for server in left if alive[server][-1][1] < stored.duration}
        stored = {server: steps.values[-1] for server, steps in stored_bytes_over_time(stored).items()}
    ax = ax or new_axes(height=max(2.2, min(8.0, 1.2 + 0.45 * len(stored))))[0]
    if not stored:
        return nothing_yet(ax, title)
    dress(ax, title, pad=20)  # room for the mean's label
    _draw_bars(ax, stored, gone)
    present = [size for server, size in stored.items() if server not in gone]
    if present:
        mean = sum(present) / len(present)
        ax.axvline(mean, color=GREY, linewidth=1.5, linestyle=(0, (4, 2)))
        ax.text(
            mean,
            1.02,
            f"mean {bytes_text(mean)}",
            transform=ax.get_xaxis_transform(),
            color=GREY,
            fontsize=9,
            ha="center",
        )
    return ax


def _draw_bars(ax: Axes, stored: Mapping[str, float], gone: set[str]) -> None:
    styles = node_styles(stored)
    places = range(len(stored))
    bars = ax.barh(places, list(stored.values()), height=0.7, color=[styles[server].colour for server in stored])
    ax.set(xlim=(0, max(stored.values()) * 1.05 or 1.0), ylim=(len(stored) - 0.4, -0.6))
    bytes_axis(ax.xaxis)
    ax.set_xlabel("stored bytes")
    if len(stored) > 40:
        ax.set_ylabel(f"{len(stored)} servers")
        ax.set_yticks([])
        return
    ax.set_yticks(places, [f"{server} (gone)" if server in gone else server for server in stored])
    for server, bar in zip(stored, bars, strict=True):
        if server in gone:
            bar.set(facecolor="none", edgecolor=styles[server].colour, hatch="///")
    for place, size in zip(places, stored.values(), strict=True):
        ax.text(1.02, place, bytes_text(size), transform=ax.get_yaxis_transform(), va="center", color=GREY, fontsize=10)
