"""Latencies, repair, traffic by file and placement decisions are drawn as the measures have them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rpclab import SimCluster, plots
from rpclab.errors import UsageError
from rpclab.plots.style import drawable
from rpclab.study.history import History
from rpclab.study.measures import latency_by_method, stored_bytes_over_time, traffic_by_file
from rpclab.study.repairs import repair_over_time
from rpclab.trace import Event

PLOTS: list[Callable[..., Any]] = [plots.plot_latency, plots.plot_repair, plots.plot_traffic_by_file]


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def history() -> History:
    with SimCluster(seed=8, servers=3, clients=1, heartbeat_s=0.5, dead_s=2.0) as cluster:
        client = cluster.clients["client1"]
        for number in range(5):
            client.put(f"file{number}-日本", bytes(1000 * (number + 1)))
            client.backup(f"file{number}-日本")
        cluster.pause("server2")
        cluster.sleep(0.4)
        cluster.resume("server2")
        cluster.kill("server1")
        cluster.sleep(8)
    return cluster.history


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("plot", PLOTS)
def test_an_empty_history_gives_a_picture_that_says_so(plot: Callable[..., Axes]) -> None:
    assert texts(plot(History())) == ["nothing has happened yet"]


@pytest.mark.parametrize("plot", PLOTS)
def test_a_plot_draws_on_the_axes_it_is_given_and_has_a_unit(plot: Callable[..., Axes], history: History) -> None:
    ax = Figure().subplots()
    assert plot(history, ax) is ax
    assert ax.get_title(loc="left")
    assert ax.get_xlabel()
    assert not pyplot.get_fignums()


@pytest.mark.parametrize("plot", PLOTS)
def test_pictures_can_be_saved_without_a_warning_whatever_the_files_are_called(
    plot: Callable[..., Axes], history: History, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saved = plots.save(plot(history), tmp_path / "a folder" / "picture.png", dpi=50)
    pixels = pyplot.imread(saved)
    assert pixels[0, 0, 3] == 0  # transparent
    assert (pixels[:, :, 3] > 0.4).sum() > 500


def test_median_and_the_95th_percentile_are_written_and_marked(history: History) -> None:
    ax = plots.plot_latency(history, methods="sendFilename")
    seconds = sorted(latency_by_method(history)["sendFilename"])
    marks = {line.get_label() or "": line for line in ax.lines}
    ends = [list(line.get_xdata()) for line in ax.lines]
    drawn = sorted(each[0] for each in ends if len(each) == 2 and each[0] == each[1])
    assert {"median", "95th percentile"} <= set(marks)
    wanted = [seconds[ceil(share * len(seconds)) - 1] for share in (0.5, 0.95)]
    assert drawn == pytest.approx(wanted)
    assert ax.get_xscale() == "log"
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"sendFilename  ({len(seconds)})"]


def test_every_call_is_in_a_bar(history: History) -> None:
    ax = plots.plot_latency(history)
    found = latency_by_method(history)
    names = [label.get_text().split()[0] for label in ax.get_yticklabels()]
    assert set(names) == set(found)
    for row, stairs in enumerate(ax.patches):
        values, edges, _ = stairs.get_data()
        seconds = found[names[row]]
        counts = [sum(low <= each < high for each in seconds) for low, high in pairwise(edges)]
        assert sum(counts) == len(seconds)
        heights = [(row + 0.25 - value) / 0.72 * max(counts) for value in values]
        assert heights == pytest.approx(counts)


def test_a_method_that_nobody_called_is_said_plainly(history: History) -> None:
    with pytest.raises(UsageError, match="nobody called 'explode'"):
        plots.plot_latency(history, methods=["explode"])


def test_repair_draws_its_measures_and_the_faults_above_them(history: History) -> None:
    ax = plots.plot_repair(history)
    found = repair_over_time(history)
    lines = {line.get_label(): line for line in ax.lines}
    for name, steps in (("missing", found.missing), ("under repair", found.under_way), ("repaired", found.done)):
        assert list(lines[name].get_ydata())[1:-1] == steps.values
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert len(bars) == 2 and all(bar.get_y() > 1 for bar in bars)
    killed = history.of("killed")[0].time - history.start
    assert any(bar.get_x() == pytest.approx(killed) for bar in bars)
    assert {"server1", "server2"} <= set(texts(ax))
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["missing", "under repair", "repaired", "down", "paused"]


def test_bars_by_file_are_as_long_as_their_bytes(history: History) -> None:
    ax = plots.plot_traffic_by_file(history)
    files = traffic_by_file(history)
    ends = {round(bar.get_y() + 0.35): 0.0 for bar in ax.patches}
    for bar in ax.patches:
        ends[round(bar.get_y() + 0.35)] = max(ends[round(bar.get_y() + 0.35)], bar.get_x() + bar.get_width())
    assert list(ends.values()) == [sum(sizes.values()) for sizes in files.values()]
    few = plots.plot_traffic_by_file(history, most=3)
    assert [label.get_text() for label in few.get_yticklabels()][2] == f"{len(files) - 2} more files"
    assert sum(bar.get_width() for bar in few.patches) == sum(bar.get_width() for bar in ax.patches)


def test_a_decision_is_a_ring_on_the_line_of_each_server_that_was_chosen(history: History) -> None:
    ax = plots.plot_balance(history)
    rings = [line for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata())]
    series = stored_bytes_over_time(history)
    drawn = sorted((x, y) for line in rings for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True))
    chosen = [
        (event.time - history.start, server) for event in history.of("placed") for server in event.detail["servers"]
    ]
    assert drawn == sorted((time, series[server].at(time)) for time, server in chosen)
    assert "chosen for a copy" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_names_of_servers_that_went_together_are_not_written_over_one_another() -> None:
    events = []
    for number in range(1, 5):
        events.append(
            Event(number / 10, "m", number, number, "registered", f"server{number}", detail={"stored_bytes": 9})
        )
    for number in range(5, 8):
        events.append(Event(5 + number / 100, "m", number, number, "gone", f"server{number - 4}"))
    events.append(Event(9.0, "m", 8, 8, "x"))
    ax = plots.plot_balance(History(events))
    heights = [text.xyann[1] for text in ax.texts if text.get_text().endswith(" gone")]
    assert len(set(heights)) == len(heights) == 3


def test_letters_without_a_glyph_are_marked_and_others_stay() -> None:
    assert drawable("Übersicht-日本.txt") == "Übersicht-\ufffd\ufffd.txt"
