"""Pictures show what the measures say, and an empty history is no error."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import isnan
from pathlib import Path
from typing import Any, cast

import matplotlib

matplotlib.use("Agg")

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from rpclab import plots
from rpclab.plots.balance import _LABEL_HEIGHT, _apart
from rpclab.plots.style import COPY_STYLES, GREY, node_styles
from rpclab.study.crashes import ANSWERED, Crash
from rpclab.study.gaps import gaps_by_file
from rpclab.study.history import History
from rpclab.study.measures import stored_bytes_over_time, traffic, traffic_over_time
from rpclab.text import bytes_text
from rpclab.trace import Event

PLOTS: list[Callable[..., Any]] = [
    plots.plot_balance,
    plots.plot_balance_bars,
    plots.plot_traffic_matrix,
    plots.plot_traffic_over_time,
]


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


def run(servers: int = 3) -> History:
    """A client backs up 1000 (i + 1) bytes on server i, the next server gets a copy; then server-1 is gone."""
    events: list[Event] = []
    stored = [0] * servers

    def add(node: str, kind: str, detail: dict[str, Any] | None = None, **fields: Any) -> None:
        number = len(events) + 1
        events.append(Event(50 + number / 100, node, number, number, kind, detail=detail or {}, **fields))

    add("client-1", "started", {"role": "client"})
    for i in range(servers):
        add(f"server-{i + 1}", "started", {"role": "server"})
        add("manager", "registered", {"stored_bytes": 0}, peer=f"server-{i + 1}")
    for i in range(servers):
        size, first, second = 1000 * (i + 1), i, (i + 1) % servers
        way = ("client-1", f"server-{first + 1}", f"server-{second + 1}")
        for sender, receiver, index, copy in ((way[0], way[1], first, "original"), (way[1], way[2], second, "replica")):
            add(sender, "send-data", peer=receiver, bytes=size, copy=copy)
            stored[index] += size
            add(receiver, "stored", {"stored_bytes": stored[index]}, bytes=size)
    add("manager", "gone", peer="server-1")
    add("server-2", "send-data", peer="client-1", bytes=1000, copy="restore")
    return History(events)


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("plot", PLOTS)
def test_an_empty_history_gives_a_picture_that_says_so(plot: Callable[..., Axes], tmp_path: Path) -> None:
    ax = plot(History())
    assert texts(ax) == ["nothing has happened yet"]
    assert ax.get_title(loc="left")
    assert plots.save(ax, tmp_path / "empty.png").stat().st_size > 1000


def test_a_cluster_that_has_only_started_gives_a_picture() -> None:
    events = run().events[:7]
    for plot in PLOTS:
        plot(History(events)).figure.canvas.draw()


@pytest.mark.parametrize("plot", PLOTS)
def test_a_plot_draws_on_the_axes_it_is_given(plot: Callable[..., Axes]) -> None:
    ax = Figure().subplots()
    assert plot(run(), ax) is ax
    assert not pyplot.get_fignums()  # a widget's callback must not touch pyplot


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("servers", [1, 2, 3, 9, 60])
def test_pictures_have_a_title_labels_and_something_to_see(
    plot: Callable[..., Axes], servers: int, tmp_path: Path
) -> None:
    ax = plot(run(servers))
    assert ax.get_title(loc="left")
    assert ax.get_xlabel()
    saved = plots.save(ax, tmp_path / "picture.png", dpi=50)
    pixels = pyplot.imread(saved)
    assert len({tuple(pixel) for row in pixels for pixel in row.tolist()}) > 20  # more than an empty frame has colours
    assert pixels[0, 0, 3] == 0  # transparent


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_saving_knows_three_formats(suffix: str, tmp_path: Path) -> None:
    saved = plots.save(plots.plot_traffic(run()), tmp_path / f"traffic.{suffix}")
    data = saved.read_bytes()
    assert len(data) > 5000
    assert {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix] in data[:8]
    assert suffix != "svg" or b"File bytes from node to node" in data


def test_the_balance_draws_what_the_servers_store() -> None:
    history = run()
    ax = plots.plot_balance(history)
    lines = {line.get_label(): line for line in ax.lines}
    for server, steps in stored_bytes_over_time(history).items():
        drawn = [value for value in lines[server].get_ydata() if not isnan(value)]
        assert set(drawn) == set(steps.values)
        assert drawn[-1] == steps.values[-1]
    last = {server: lines[server].get_xdata()[-1] for server in ("server-1", "server-2")}
    assert last["server-1"] < last["server-2"]
    assert {"server-1 (gone)", "server-2", "server-3", "server-1 gone", "gap: fullest over mean"} <= set(texts(ax))


def test_lines_differ_without_colour() -> None:
    styles = node_styles([f"server-{number}" for number in range(1, 6)])
    assert len({str(style.line) for style in styles.values()}) == len({style.colour for style in styles.values()}) == 5


def test_a_server_keeps_its_style_when_others_are_missing() -> None:
    assert node_styles(["server-3"])["server-3"] == node_styles(["server-1", "server-2", "server-3"])["server-3"]
    assert len(set(node_styles(["a-1", "b-1", "c"]).values())) == 3


def test_bars_are_as_long_as_their_bytes() -> None:
    history = run()
    stored = {server: steps.values[-1] for server, steps in stored_bytes_over_time(history).items()}
    for ax in (plots.plot_balance_bars(history), plots.plot_balance_bars(stored)):
        bars = [patch.get_width() for patch in ax.patches]
        assert bars == list(stored.values())
    assert "server-1 (gone)" in [label.get_text() for label in plots.plot_balance_bars(history).get_yticklabels()]


def test_the_matrix_writes_each_cells_bytes() -> None:
    history = run()
    sent = traffic(history)
    cells = [f"{bytes_text(size)}\n{kind}" for kind in sent.by_kind for size in sent.by_kind[kind].values()]
    assert sorted(texts(plots.plot_traffic_matrix(history))) == sorted(cells)
    one_kind = plots.plot_traffic_matrix(history, copy="replica")
    assert sorted(texts(one_kind)) == sorted(cell for cell in cells if cell.endswith("replica"))
    assert sum(map(sum, sent.matrix())) == sum(event.bytes for event in history.of("send-data")) == sent.total()


def test_two_kinds_in_one_cell_are_both_written() -> None:
    ways = (("original", 2048), ("restore", 1024))
    events = [Event(0, "a", i, i, "send-data", peer="b", bytes=n, copy=copy) for i, (copy, n) in enumerate(ways)]
    assert sorted(texts(plots.plot_traffic_matrix(History(events)))) == ["1 KiB", "2 KiB"]


def test_areas_over_time_hold_all_bytes() -> None:
    history = run()
    ax = plots.plot_traffic_over_time(history)
    areas = {}
    for patch in ax.patches:
        assert isinstance(patch, StepPatch)
        values, edges, below = patch.get_data()
        areas[patch.get_label()] = sum((values - below) * (edges[1:] - edges[:-1]))
    by_kind = traffic_over_time(history).by_kind
    assert areas == pytest.approx({kind: sum(sizes) for kind, sizes in by_kind.items() if sum(sizes)})
    assert sum(areas.values()) == pytest.approx(traffic(history).total())


def test_traffic_gives_two_axes_of_one_figure() -> None:
    matrix, over_time = plots.plot_traffic(run())
    assert matrix.figure is over_time.figure
    given = Figure().subplots(1, 2)
    assert plots.plot_traffic(run(), given) == tuple(given)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (10**7, "9.54 MiB"), (2**60, "1024 PiB")],
)
def test_bytes_read_as_people_say_them(size: int, text: str) -> None:
    assert bytes_text(size) == text


@given(st.lists(st.floats(0, 1), max_size=13).map(sorted))
def test_labels_keep_their_order_their_distance_and_stay_inside(places: list[float]) -> None:
    moved = _apart(places)
    assert len(moved) == len(places)
    assert all(above - below >= _LABEL_HEIGHT - 1e-9 for below, above in pairwise(moved))
    assert all(0 <= place <= 1 + 1e-9 for place in moved)


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_and_colours_stand_out_on_white_and_on_dark() -> None:
    for page in ("#ffffff", "#111111"):
        assert contrast(GREY, page) > 4.2
        for style in (*node_styles([f"server-{number}" for number in range(1, 7)]).values(), *COPY_STYLES.values()):
            assert contrast(style.colour, page) > 2.1


def test_a_crash_plot_shows_the_share_of_each_outcome_and_where_a_promise_was_broken() -> None:
    found = Counter(old=30, new=0, torn=70, gone=0)
    ax = plots.plot_crashes([Crash("sync a", found), Crash(ANSWERED, Counter(new=10))], "mine")
    assert [bar.get_width() for bar in cast(Any, ax.containers)[0]] == [30, 0]
    assert [bar.get_width() for bar in cast(Any, ax.containers)[2]] == [70, 0]
    assert [text.get_text() for text in ax.texts] == ["broken 70 of 100", "kept"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["before: sync a", ANSWERED]


def test_gaps_of_several_runs_are_lines_with_names() -> None:
    ax = plots.plot_gaps({"one": run(), "other": run(5), "nothing": History()})
    assert [line.get_label() for line in ax.lines] == ["one", "other"]
    assert list(cast(Any, ax.lines[0].get_ydata())) == gaps_by_file(run())
    assert plots.plot_gaps({}).texts[0].get_text() == "nothing has happened yet"
