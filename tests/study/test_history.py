"""Event logs of all nodes become one history, whatever a kill left of them."""

import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpclab.errors import UsageError
from rpclab.study.history import History, natural_order
from rpclab.trace import Event


def line(node: str, number: int, kind: str = "started", **fields: object) -> bytes:
    event = Event(float(number), node, number, number, kind, **fields)  # type: ignore[arg-type]
    return msgspec.json.encode(event) + b"\n"


def write(folder: Path, node: str, data: bytes) -> None:
    (folder / f"{node}.jsonl").write_bytes(data)


def test_logs_below_a_folder_become_one_history(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    write(tmp_path, "a", line("a", 1) + line("a", 2))
    write(tmp_path / "deeper", "b", line("b", 1))
    write(tmp_path, "empty", b"")
    (tmp_path / "other.txt").write_text("no event log")
    history = History.read(tmp_path)
    assert [(event.node, event.number) for event in history] == [("a", 1), ("b", 1), ("a", 2)]
    assert (len(history), history.nodes, history.damaged, history.start) == (3, ["a", "b"], 0, 1.0)


def test_a_folder_that_is_not_there_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        History.read(tmp_path / "nowhere")


def test_an_empty_folder_is_an_empty_history(tmp_path: Path) -> None:
    history = History.read(tmp_path)
    assert (len(history), history.nodes, history.start, history.duration, history.files()) == (0, [], 0.0, 0.0, {})


@pytest.mark.parametrize(
    "tail", [b"\0" * 5000, b"", b'{"time":3.0,"no', b'{"time":3.0,"no' + b"\0" * 100, b"\xff\xfe\n"]
)
def test_what_a_kill_leaves_at_the_end_is_skipped_in_silence(tmp_path: Path, tail: bytes) -> None:
    write(tmp_path, "a", line("a", 1) + line("a", 2) + tail)
    history = History.read(tmp_path)
    assert ([event.number for event in history], history.damaged) == ([1, 2], 0)


@pytest.mark.parametrize("length", range(len(line("a", 2))))
def test_a_log_cut_anywhere_keeps_its_whole_lines(tmp_path: Path, length: int) -> None:
    write(tmp_path, "a", line("a", 1) + line("a", 2)[:length] + bytes(64))
    history = History.read(tmp_path)
    assert history.damaged == 0
    assert len(history) == (
        2 if length == len(line("a", 2)) - 1 else 1
    )  # only the newline is missing: the event is whole


@pytest.mark.parametrize("damage", [b"garbage", b'{"time":"late"}', b"\xff\xff", b'{"node": "\xff"}', b"[]", b"\0\0\0"])
def test_a_damaged_line_in_the_middle_is_counted_and_skipped(tmp_path: Path, damage: bytes) -> None:
    write(tmp_path, "a", line("a", 1) + damage + b"\n" + line("a", 2))
    history = History.read(tmp_path)
    assert ([event.number for event in history], history.damaged) == ([1, 2], 1)


def test_kinds_are_picked_in_the_histories_order() -> None:
    events = [Event(0, "a", i, i, "send" if i % 2 else "receive") for i in range(6, 0, -1)]
    history = History([*events, Event(0, "a", 7, 7, "stored")])
    assert [event.number for event in history.of("send")] == [1, 3, 5]
    assert [event.number for event in history.of("stored", "receive")] == [2, 4, 6, 7]
    assert history.of("nothing") == []


def test_by_time_follows_the_clocks() -> None:
    early, late = Event(1.0, "b", 1, 9, "x"), Event(2.0, "a", 1, 1, "x")
    history = History([early, late])
    assert history.events == [late, early]
    assert history.by_time() == [early, late]


def test_nodes_are_ordered_as_people_count() -> None:
    names = ["server-10", "server-2", "manager", "7", "client-1"]
    assert sorted(names, key=natural_order) == ["7", "client-1", "manager", "server-2", "server-10"]


def acknowledged(number: int, file: str, version: int, servers: list[str], size: int) -> Event:
    detail = {"copies": len(servers), "wanted": 2, "servers": servers, "digest": f"d{version}", "version": version}
    return Event(0.0, "client-1", number, number, "acknowledged", file=file, bytes=size, detail=detail)


def test_files_are_as_last_acknowledged() -> None:
    events = [
        acknowledged(1, "client-1/b", 1, ["server-1", "server-2"], 10),
        acknowledged(2, "client-1/b", 2, ["server-3"], 20),
        acknowledged(3, "client-1/a", 1, ["server-2", "server-1"], 30),
        acknowledged(4, "client-1/b", 1, ["server-1", "server-2"], 10),  # an old one, told again
    ]
    files = History(events).files()
    assert list(files) == ["client-1/a", "client-1/b"]
    newest = files["client-1/b"]
    assert (newest.size, newest.servers, newest.copies, newest.wanted) == (20, ("server-3",), 1, 2)
    assert (newest.digest, newest.version) == ("d2", 2)


def test_a_data_frame_or_how_to_get_one() -> None:
    history = History([Event(0.0, "a", 1, 1, "started")])
    try:
        import pandas  # noqa: F401
    except ImportError:
        with pytest.raises(UsageError, match="pip install pandas"):
            history.frame()
    else:
        assert list(history.frame()["node"]) == ["a"]


def random_run(seed: int, nodes: int, steps: int, lost: float) -> list[Event]:
    """Nodes that send, receive (in any order, perhaps twice, perhaps from themselves) and do other things."""
    choose = random.Random(seed)
    numbers, lamports = [0] * nodes, [0] * nodes
    events: list[Event] = []
    sent: list[Event] = []
    for step in range(steps):
        node = choose.randrange(nodes)
        cause = choose.choice(sent) if sent and choose.random() < 0.5 else None
        numbers[node] += 1
        lamports[node] = max(lamports[node], cause.lamport if cause else 0) + 1
        link = (cause.node, cause.number) if cause else None
        event = Event(step, f"n{node}", numbers[node], lamports[node], "x", cause=link)
        events.append(event)
        if choose.random() < 0.6:
            sent.append(event)
    return [event for event in events if choose.random() >= lost]


def closure(events: list[Event]) -> dict[tuple[str, int], set[tuple[str, int]]]:
    """By brute force: for each event all that happened before it."""
    before: dict[tuple[str, int], set[tuple[str, int]]] = {}
    last: dict[str, tuple[str, int]] = {}
    for event in events:  # in the order in which they were made
        own = (event.node, event.number)
        before[own] = set()
        for earlier in (last.get(event.node), event.cause):
            if earlier is not None:
                before[own] |= before[earlier] | {earlier}
        last[event.node] = own
    return before


runs = {"seed": st.integers(0, 2**32), "nodes": st.integers(1, 6), "steps": st.integers(0, 60)}


@given(**runs)
def test_happened_before_is_the_transitive_closure(seed: int, nodes: int, steps: int) -> None:
    events = random_run(seed, nodes, steps, lost=0)
    before = closure(events)
    history = History(events)
    place = {(event.node, event.number): index for index, event in enumerate(history)}
    for b in events:
        own = (b.node, b.number)
        for a in events:
            expected = (a.node, a.number) in before[own]
            assert history.happened_before(a, b) is expected
            assert not expected or place[a.node, a.number] < place[own]
        clock: dict[str, int] = {}
        for node, number in before[own] | {own}:
            clock[node] = max(clock.get(node, 0), number)
        assert history.vector_clock(b) == clock


@given(**runs)
def test_lost_events_never_invent_an_order(seed: int, nodes: int, steps: int) -> None:
    """With part of the logs lost, what is still said to have happened before did so."""
    events = random_run(seed, nodes, steps, lost=0)
    before = closure(events)
    left = random_run(seed, nodes, steps, lost=0.3)
    history = History(left)
    for b in left:
        for a in left:
            if history.happened_before(a, b):
                assert (a.node, a.number) in before[b.node, b.number]
        if b.cause is not None:
            assert history.vector_clock(b)[b.cause[0]] >= b.cause[1]
