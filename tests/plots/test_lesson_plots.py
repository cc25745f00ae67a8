"""The pictures of the lessons: what they draw is what was measured, and no page is laid under them."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib

matplotlib.use("Agg")

import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from rpclab import plots
from rpclab.lessons import Exchange, simulated_race
from rpclab.plots.style import BLUE, VERMILLION


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


def tick_shades(ax: Axes) -> set[float]:
    return {to_rgb(label.get_color())[0] for axis in (ax.xaxis, ax.yaxis) for label in axis.get_ticklabels()}


def test_a_line_is_level_for_each_call_that_got_its_own_answer_and_no_other() -> None:
    calls = simulated_race(3, tasks=4, calls=6)
    ax = plots.plot_crossing(calls)
    lines = [line for line in ax.lines if list(line.get_xdata()) == [0, 1]]
    level = [line for line in lines if line.get_ydata()[0] == line.get_ydata()[1]]
    assert len(lines) == 24 and len(level) == calls.counts["right"]
    assert {line.get_color() for line in level} == {BLUE}
    assert {line.get_color() for line in lines if line not in level} == {VERMILLION}
    assert f"{len(level)} of 24" in ax.get_title(loc="left")


def test_a_call_without_an_answer_stops_on_its_way() -> None:
    calls = [Exchange(1, "task 1, call 1", fault="DeadlineExceeded"), Exchange(2, "task 2, call 1", 3)]
    lines = plots.plot_crossing(calls).lines
    assert len(lines) == 4 and all(max(line.get_xdata()) < 0.5 for line in lines)


def test_a_mark_for_each_measurement_in_order_and_the_median_told() -> None:
    ax = plots.plot_waits({"a": [0.04, 0.001, 0.04], "b": [0.002]})
    first, middle = ax.lines[:2]
    assert list(first.get_xdata()) == [40, 1, 40] and sorted(first.get_ydata()) == list(first.get_ydata())
    assert list(middle.get_xdata()) == [40, 40]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in ax.texts] == ["40 ms", "2 ms"]
    assert "ms" in ax.get_xlabel()


def test_a_narrow_axis_has_more_than_one_number_on_it() -> None:
    ax = plots.plot_waits({"a": [0.020, 0.064]})
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    shown = [label.get_text() for label in ax.get_xticklabels() if low <= label.get_position()[0] <= high]
    assert len([text for text in shown if text]) > 1


def test_neither_has_tick_labels_all_light_or_all_dark() -> None:
    assert len(tick_shades(plots.plot_crossing(simulated_race(3)))) == 2
    assert len(tick_shades(plots.plot_waits({"a": [0.1]}))) == 2


def test_nothing_yet_is_no_error() -> None:
    for ax in (plots.plot_crossing([]), plots.plot_waits({}), plots.plot_waits({"a": []})):
        assert "nothing has happened yet" in [text.get_text() for text in ax.texts]
