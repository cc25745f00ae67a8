"""A space-time diagram shows what happened and nothing else, says so in words too, and stays readable however much there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from xml.etree import ElementTree

import matplotlib

matplotlib.use("Agg")

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from rpclab import SimCluster, plots
from rpclab.errors import UsageError
from rpclab.plots.diagram_labels import LETTER, LINE, Labels, wrapped
from rpclab.plots.diagram_places import Places
from rpclab.plots.diagram_shapes import STYLES, Dot, Path, Text
from rpclab.study.history import History
from rpclab.trace import Event

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    assert not pyplot.get_fignums()  # a widget's callback must not touch pyplot


@pytest.fixture(scope="module")
def history() -> History:
    with SimCluster(seed=3, servers=3, clients=1, heartbeat_s=0.5, dead_s=2.0) as cluster:
        client = cluster.clients["client1"]
        client.put("photo.png", bytes(700_000))
        client.put("notes & more.txt", b"a name to be careful with")
        client.backup("photo.png")
        client.backup("notes & more.txt")
        cluster.pause("server3")
        cluster.sleep(0.5)
        cluster.resume("server3")
        cluster.kill("server1")
        cluster.sleep(5)
        cluster.damage("server2", "client1/photo.png")
    return cluster.history


def many(messages: int, nodes: int = 6) -> History:
    """A chain of messages from node to node, each an answer to the one before, with a pause after every hundredth."""
    events: list[Event] = []
    numbers = [0] * nodes
    time = 0.0
    for index in range(messages):
        sender, receiver = index % nodes, (index + 1) % nodes
        time += 5.0 if index % 100 == 99 else 0.001
        for node, peer, kind, moment in (
            (sender, receiver, "send", time),
            (receiver, sender, "receive", time + 0.0004),
        ):
            numbers[node] += 1
            cause = (f"n{sender}", numbers[sender]) if kind == "receive" else None
            events.append(
                Event(
                    moment, f"n{node}", numbers[node], len(events) + 1, kind, f"n{peer}", "request", "do", index, 100,
                    cause=cause,
                )
            )  # fmt: skip
    return History(events)


def tree(diagram: plots.Diagram) -> ElementTree.Element:
    return ElementTree.fromstring(diagram.svg())


def titles(diagram: plots.Diagram) -> list[str]:
    return [each.text or "" for each in tree(diagram).iter(f"{SVG}title")]


def test_a_pointer_over_a_message_is_told_all_about_it(history: History) -> None:
    call = next(event for event in history.of("send") if event.method == "placeFile" and event.message == "request")
    answer = next(event for event in history.of("receive") if event.cause == (call.node, call.number))
    told = next(title for title in titles(plots.diagram(history)) if "request placeFile" in title)
    for part in (
        "client1 to manager: request placeFile",
        f"call {call.call}, {call.bytes:,} bytes",
        f"sent at {call.time - history.start:.6f} s, Lamport {call.lamport}",
        f"received at {answer.time - history.start:.6f} s, Lamport {answer.lamport}",
    ):
        assert part in told


def test_the_text_of_a_message_is_shown_where_the_log_has_it() -> None:
    events = [Event(1.0, "a", 1, 1, "send", "b", "request", "m", 1, 9, detail={"text": '{"params": ["hello"]}'})]
    assert any("hello" in title for title in titles(plots.diagram(History(events))))


def test_every_message_file_and_event_is_drawn_once(history: History) -> None:
    drawn = plots.diagram(history, limit=10**6)
    scene = drawn.scene
    things = len(scene.messages) + len(scene.transfers) + len(scene.moments) + len(scene.faults)
    assert len(titles(drawn)) == things > 100


def test_arrows_run_from_line_to_line_and_down(history: History) -> None:
    drawn = plots.diagram(history, methods=["placeFile", "sendFilename"])
    scene = drawn.scene
    column = {
        text.text: text.x for text in drawn.picture.heads[0].shapes if isinstance(text, Text) and text.style == "name"
    }
    arrows = [
        shape
        for group in drawn.picture.groups
        for shape in group.shapes[:1]
        if group.hover and isinstance(shape, Path) and shape.style in ("request", "reply")
    ]
    ways = sorted((arrow.points[0][0], arrow.points[1][0]) for arrow in arrows)
    assert ways == sorted((column[each.sender], column[each.receiver]) for each in scene.messages)
    assert all(arrow.points[0][1] < arrow.points[1][1] for arrow in arrows)


def test_what_happened_later_stands_lower(history: History) -> None:
    places = Places(history, "time")
    ordered = history.by_time()
    heights = [places.of(event) for event in ordered]
    assert heights == sorted(heights, key=float)  # type: ignore[arg-type]
    assert len(set(heights)) == len(heights)


@given(st.integers(0, 2**32), st.integers(2, 5), st.integers(1, 60))
def test_by_steps_whatever_the_clocks_say_a_message_arrives_below_where_it_was_sent(
    seed: int, nodes: int, steps: int
) -> None:
    import random

    choose = random.Random(seed)
    numbers, lamports, events, sent = [0] * nodes, [0] * nodes, [], []
    for _ in range(steps):
        node = choose.randrange(nodes)
        cause = choose.choice(sent) if sent and choose.random() < 0.5 else None
        numbers[node] += 1
        lamports[node] = max(lamports[node], cause.lamport if cause else 0) + 1
        link = (cause.node, cause.number) if cause else None
        kind = "receive" if cause else "send"
        peer = cause.node if cause else "n0"
        event = Event(
            choose.random(), f"n{node}", numbers[node], lamports[node], kind, peer, "request", "m", cause=link
        )
        events.append(event)
        if cause is None:
            sent.append(event)
    places = Places(events, "step")
    of = {(event.node, event.number): places.of(event) for event in events}
    for event in events:
        if event.cause is not None:
            assert of[event.cause] < of[event.node, event.number]  # type: ignore[operator]
        if event.number > 1:
            assert of[event.node, event.number - 1] < of[event.node, event.number]  # type: ignore[operator]


def test_all_that_is_drawn_is_on_the_page(history: History) -> None:
    for drawn in (
        plots.diagram(history),
        plots.diagram(history, axis="step", title="A title"),
        plots.diagram(History()),
    ):
        picture = drawn.picture
        for group in [*picture.groups, *picture.heads]:
            for shape in group.shapes:
                points = shape.points if isinstance(shape, Path) else ((shape.x, shape.y),)
                assert all(0 <= x <= picture.width and 0 <= y <= picture.height for x, y in points)
                assert shape.style in STYLES
                if isinstance(shape, Text) and shape.anchor == "start":
                    assert shape.x + len(shape.text) * 4.5 < picture.width


def test_failures_are_marked_with_more_than_a_colour() -> None:
    events = [
        Event(1.0, "a", 1, 1, "send", "b", "request", "gone", 1),
        Event(2.0, "b", 1, 2, "disconnected", "a"),
        Event(3.0, "b", 2, 3, "send", "a", "error", "no", 2),
        Event(4.0, "a", 2, 4, "receive", "b", "error", "", 2, cause=("b", 2)),
    ]
    drawn = plots.diagram(History(events))
    shapes = [shape for group in drawn.picture.groups for shape in group.shapes]
    texts = {shape.text for shape in shapes if isinstance(shape, Text)}
    assert {"gone: lost", "no: error", "never received", "error"} <= texts
    assert sum(isinstance(shape, Path) and shape.style == "head-lost" for shape in shapes) >= 2  # a cross
    assert "2 of them failed" in drawn.picture.description
    assert "(never received)" in str(drawn)


def test_faults_are_intervals_on_their_nodes_line(history: History) -> None:
    drawn = plots.diagram(history)
    areas = {
        group.hover.split(" from")[0]: group.shapes[0]
        for group in drawn.picture.groups
        if group.shapes and isinstance(group.shapes[0], Path) and group.shapes[0].style.startswith("fault")
    }
    assert set(areas) == {"server1: down", "server3: paused"}
    (_, top), _, (_, bottom), _ = areas["server3: paused"].points
    assert bottom > top
    texts = {shape.text for group in drawn.picture.groups for shape in group.shapes if isinstance(shape, Text)}
    assert any(text.startswith("killed") for text in texts)
    assert any(text.startswith("paused") for text in texts)


def test_a_dead_nodes_line_is_broken(history: History) -> None:
    drawn = plots.diagram(history)
    server1 = drawn.scene.nodes.index("server1")
    lines = [
        [shape for shape in group.shapes if isinstance(shape, Path)]
        for group in drawn.picture.groups
        if group.shapes and isinstance(group.shapes[0], Path) and group.shapes[0].style == "line"
    ]
    assert "gone" in {shape.style for shape in lines[server1]}
    other = drawn.scene.nodes.index("manager")
    assert max(shape.points[1][1] for shape in lines[other] if shape.style == "line") > max(
        shape.points[1][1] for shape in lines[server1] if shape.style == "line"
    )


def test_a_file_is_one_band_or_when_expanded_an_arrow_for_each_block(history: History) -> None:
    folded = [title for title in titles(plots.diagram(history, file="photo.png")) if "photo.png (original)" in title]
    assert len(folded) == 1 and "684 KiB sent, 684 KiB received" in folded[0]
    opened = titles(plots.diagram(history, file="photo.png", expand=True))
    assert any(title.startswith("client1 to server") and "packets of client1/photo.png" in title for title in opened)


def test_a_marked_event_is_ringed_and_named(history: History) -> None:
    event = history.of("acknowledged")[0]
    drawn = plots.diagram(history, mark=event)
    shapes = [shape for group in drawn.picture.groups for shape in group.shapes]
    assert [shape.style for shape in shapes if isinstance(shape, Dot) and shape.style == "mark"] == ["mark"]
    assert f"event {event.number}: acknowledged" in {shape.text for shape in shapes if isinstance(shape, Text)}
    quiet = history.of("reported")[0]  # an event that is not drawn by itself
    assert "mark" in {
        shape.style for group in plots.diagram(history, mark=[quiet]).picture.groups for shape in group.shapes
    }


def test_a_gap_is_folded_and_says_how_long_it_was() -> None:
    drawn = plots.diagram(many(200))
    texts = [shape.text for group in drawn.picture.groups for shape in group.shapes if isinstance(shape, Text)]
    assert texts.count("+ 5 s") == 2
    assert drawn.picture.height < 6000


@pytest.mark.parametrize("messages", [2500, 20_000])
def test_thousands_of_events_stay_small_and_what_is_left_out_is_said(messages: int) -> None:
    drawn = plots.diagram(many(messages))
    assert len(drawn.scene.messages) == 500
    assert f"Not drawn: {messages - 500:,} more messages before" in drawn.scene.left_out[0]
    assert drawn.scene.left_out[0] in drawn.picture.description
    assert len(drawn._repr_html_().encode()) < 400_000
    assert drawn.picture.height < 12_000


def test_the_picture_is_told_to_those_who_do_not_see_it(history: History) -> None:
    drawn = plots.diagram(history, title="A killed server")
    root = tree(drawn)
    assert (root.get("role"), root.get("aria-label")) == ("img", "A killed server")
    description = root.findtext(f"{SVG}desc") or ""
    assert "server1: down from" in description and "server3: paused from" in description
    lines = str(drawn).splitlines()
    assert any("client1 -> manager  request placeFile" in line for line in lines)
    assert lines == sorted(lines, key=lambda line: float(line.split(" s ")[0]))


def test_a_notebook_shows_html_with_the_names_in_sight_and_no_script(history: History) -> None:
    html = plots.diagram(history)._repr_html_()
    assert html.count("<svg") == html.count("</svg>") == 2
    assert "position:sticky" in html and "<details>" in html and "<script" not in html
    assert "notes & more" not in html and "notes &amp; more" in html


def test_names_off_the_wire_are_text_and_no_markup() -> None:
    nasty = '</title><script>alert("1")</script>&'
    events = [
        Event(1.0, "a", 1, 1, "send", nasty, "request", nasty, nasty, 1, detail={"text": nasty}),
        Event(2.0, "a", 2, 2, "stored", file=f"a/{nasty}", bytes=1),
        Event(3.0, "a", 3, 3, "send-data", "b", bytes=3, file=f"a/{nasty}", copy=nasty),
    ]
    drawn = plots.diagram(History(events), title=nasty)
    assert nasty in "".join(tree(drawn).itertext())
    assert "<script" not in drawn.svg() + drawn._repr_html_()


def test_an_empty_history_says_that_nothing_has_happened(tmp_path: FilePath) -> None:
    drawn = plots.diagram(History())
    assert "nothing to show" in drawn.svg()
    assert str(drawn) == "nothing to show"
    assert drawn.save(tmp_path / "empty.png").stat().st_size > 500


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<svg "), ("pdf", b"%PDF")])
def test_saving_knows_three_formats(history: History, suffix: str, magic: bytes, tmp_path: FilePath) -> None:
    path = plots.diagram(history, file="photo.png").save(tmp_path / "a folder" / f"picture.{suffix}")
    assert path.read_bytes().startswith(magic)
    with pytest.raises(UsageError, match=r"as \.svg, \.png or \.pdf"):
        plots.diagram(history).save(tmp_path / "picture.gif")


def test_the_png_has_the_arrows_colours_and_a_transparent_page(history: History, tmp_path: FilePath) -> None:
    drawn = plots.diagram(history, file="photo.png")
    pixels = pyplot.imread(drawn.save(tmp_path / "picture.png", dpi=96))
    height, width = pixels.shape[:2]
    assert (width, height) == (int(drawn.picture.width), int(drawn.picture.height))
    assert pixels[0, 0, 3] == 0
    for style in ("request", "done"):
        far = abs(pixels[:, :, :3] - to_rgb(STYLES[style].stroke)).max(axis=2)
        assert ((far < 0.02) & (pixels[:, :, 3] > 0.9)).any()
    assert pyplot.imread(drawn.save(tmp_path / "white.png", dpi=50, background="white"))[0, 0].tolist() == [1, 1, 1, 1]


def test_a_very_long_picture_becomes_a_png_of_bounded_size(
    history: History, tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rpclab.plots.diagram import Diagram

    monkeypatch.setitem(Diagram.save.__globals__, "_PIXELS", 500_000)
    header = plots.diagram(history).save(tmp_path / "long.png", dpi=600).read_bytes()[16:24]
    assert 300_000 < int.from_bytes(header[:4], "big") * int.from_bytes(header[4:], "big") <= 500_000


def test_it_draws_on_axes_of_ones_own_and_takes_a_cluster(history: History) -> None:
    ax = Figure().subplots()
    assert plots.diagram(history).draw(ax) is ax
    assert len(ax.patches) > 20

    class Cluster:
        @property
        def history(self) -> History:
            return history

    assert plots.diagram(Cluster()).svg() == plots.diagram(history).svg()


def test_an_axis_that_is_none_is_said_plainly(history: History) -> None:
    with pytest.raises(UsageError, match='"time" or "step"'):
        plots.diagram(history, axis="space")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.floats(0, 300), st.floats(0, 40)), max_size=60))
def test_no_label_lies_over_another(arrows: list[tuple[int, int, float, float]]) -> None:
    column = 150.0
    labels = Labels(column, 4)
    x = [76 + (place + 0.5) * column for place in range(4)]
    boxes: list[tuple[float, float, float]] = []
    for sender, receiver, y, slope in arrows:
        if sender == receiver:
            text = labels.beside(x[sender] + 5, y, "a moment", "label")
        else:
            text = labels.along((x[sender], y), (x[receiver], y + slope), ["a longer label", "short"], "label")
        if text is not None:
            width = len(text.text) * LETTER
            left = text.x if text.anchor == "start" else text.x - width
            for other_left, other_right, other_y in boxes:
                assert abs(other_y - text.y) >= LINE or left >= other_right or left + width <= other_left
            boxes.append((left, left + width, text.y))


@given(st.text(alphabet="ab ,.", max_size=200), st.integers(10, 60))
def test_notes_are_wrapped(text: str, letters: int) -> None:
    lines = wrapped(text, letters)
    assert " ".join(lines).split() == text.split()
    assert all(len(line) <= letters or " " not in line for line in lines)
