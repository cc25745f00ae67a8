"""What is exported can be read by the programs that it is for, and says what the history says."""

from __future__ import annotations

import csv
import io
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpclab import SimCluster
from rpclab.errors import UsageError
from rpclab.study.export import SHIVIZ_PARSER, export, to_chrome, to_csv, to_shiviz
from rpclab.study.history import History
from rpclab.study.spacetime_calls import calls
from rpclab.study.spacetime_messages import messages, transfers
from rpclab.trace import Event

from .test_history import random_run, runs


@pytest.fixture(scope="module")
def run() -> History:
    with SimCluster(seed=4, servers=3, clients=2, heartbeat_s=0.5, dead_s=2.0) as cluster:
        for client in cluster.clients.values():
            client.put("photo.png", bytes(2_500_000))
            client.put("Übersicht 日本, 'quoted'.txt", b"words")
            client.backup("photo.png")
            client.backup("Übersicht 日本, 'quoted'.txt")
        cluster.kill("server2")
        cluster.sleep(5)
    return cluster.history


# ---- ShiViz


def parsed(text: str) -> list[tuple[str, str, dict[str, int]]]:
    """As ShiViz reads it: the file's first line is the expression, its second separates executions, the rest is the log."""
    expression, delimiter, log = text.split("\n", 2)
    assert delimiter == ""
    pattern = re.compile(expression.replace("(?<", "(?P<"))
    found = [(each["event"], each["host"], json.loads(each["clock"])) for each in pattern.finditer(log)]
    assert pattern.sub("", log).strip() == ""  # nothing is left over
    return found


def check_clocks(history: History, found: list[tuple[str, str, dict[str, int]]]) -> None:
    """The clocks are those of a run: each node's own goes 1, 2, 3, ..., and they order events as the history does."""
    counts: dict[str, int] = {}
    events = list(history)
    assert len(found) == len(events)
    for event, (_, host, clock) in zip(events, found, strict=True):
        assert host == event.node
        counts[host] = counts.get(host, 0) + 1
        assert clock[host] == counts[host]
    for _, _, clock in found:
        assert all(1 <= count <= counts[node] for node, count in clock.items())
    pairs = list(zip(events, found, strict=True))
    some = pairs[:: 1 + len(pairs) // 150]
    for a, (_, own, clock) in pairs:
        for b, (_, _, other) in some:
            if a is not b:
                assert (other.get(own, 0) >= clock[own]) is history.happened_before(a, b)


def test_shiviz_reads_it_with_its_own_expression_and_its_clocks_are_the_historys(run: History) -> None:
    found = parsed(to_shiviz(run, heartbeats=True))
    assert SHIVIZ_PARSER == r"(?<event>.*)\n(?<host>\S*) (?<clock>{.*})"
    check_clocks(run, found)
    assert any(event.startswith("send request placeFile to manager call") for event, _, _ in found)


def test_without_heartbeats_the_clocks_are_still_those_of_a_run(run: History) -> None:
    quiet = History([event for event in run if event.method != "heartbeat"])
    found = parsed(to_shiviz(run))
    assert len(found) < len(run)
    check_clocks(quiet, found)


@given(**runs, lost=st.sampled_from([0.0, 0.3]))
def test_any_run_even_with_lost_events_has_clocks_that_shiviz_takes(
    seed: int, nodes: int, steps: int, lost: float
) -> None:
    """ShiViz wants a node's own clock to count from 1 without a gap, whatever numbers are left in a torn log."""
    history = History(random_run(seed, nodes, steps, lost))
    check_clocks(history, parsed(to_shiviz(history)))


def test_names_with_breaks_in_them_stay_on_their_line() -> None:
    events = [Event(1.0, "a node", 1, 1, "stored", file='c/{"x": 1}\nnext\r\x00', bytes=3)]
    ((event, host, clock),) = parsed(to_shiviz(History(events)))
    assert (host, clock) == ("a_node", {"a_node": 1})
    assert event.startswith('stored c/{"x": 1}')


def test_names_that_differ_in_white_space_only_stay_different_hosts() -> None:
    nodes = ["a node", "a_node", "a  node", " "]
    events = [Event(float(at), node, 1, at, "stored") for at, node in enumerate(nodes, 1)]
    found = parsed(to_shiviz(History(events)))
    assert [(host, clock) for _, host, clock in found] == [
        ("a_node_", {"a_node_": 1}),
        ("a_node", {"a_node": 1}),
        ("a_node__", {"a_node__": 1}),
        ("_", {"_": 1}),
    ]


# ---- Chrome's trace


def trace(history: History, **options: Any) -> dict[str, list[dict[str, Any]]]:
    by_phase: dict[str, list[dict[str, Any]]] = {}
    for each in json.loads(to_chrome(history, **options))["traceEvents"]:
        by_phase.setdefault(each["ph"], []).append(each)
    return by_phase


def test_every_call_is_a_slice_at_both_of_its_ends(run: History) -> None:
    found = trace(run)
    names = {each["pid"]: each["args"]["name"] for each in found["M"] if each["name"] == "process_name"}
    assert set(names.values()) == set(run.nodes) - {"cluster"}
    slices = [
        (names[each["pid"]], each["name"], each["ts"], each["dur"]) for each in found["X"] if each["cat"] == "asks"
    ]
    expected = []
    for call in calls(run, messages(run)):
        sent = call.request.sent
        if sent is not None:
            start = round((sent.time - run.start) * 1e6, 3)
            end = call.answer.received if call.answer is not None else None
            expected.append(
                (call.caller, call.method, start, round((end.time - run.start) * 1e6, 3) - start if end else 0.0)
            )
    assert [each[:3] for each in sorted(slices)] == [each[:3] for each in sorted(expected)]
    assert [each[3] for each in sorted(slices)] == pytest.approx([each[3] for each in sorted(expected)], abs=0.01)
    files = [each for each in found["X"] if each["cat"] == "files"]
    assert len(files) == sum(bool(each.sent_bytes) + bool(each.received_bytes) for each in transfers(run))
    assert {each["name"] for each in found["X"] if each["cat"] == "faults"} == {"down"}


def test_slices_of_one_thread_lie_beside_one_another(run: History) -> None:
    threads: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for each in trace(run)["X"]:
        threads.setdefault((each["pid"], each["tid"]), []).append((each["ts"], each["ts"] + each["dur"]))
    assert len(threads) > 8
    for own in threads.values():
        assert all(one[1] <= other[0] for one, other in pairwise(sorted(own)))


def test_every_flow_starts_and_ends_inside_a_slice(run: History) -> None:
    found = trace(run)
    slices: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for each in found["X"]:
        slices.setdefault((each["pid"], each["tid"]), []).append((each["ts"], each["ts"] + each["dur"]))
    for each in [*found["s"], *found["f"]]:
        own = slices[each["pid"], each["tid"]]
        assert any(start <= each["ts"] <= end for start, end in own)
    assert sorted(each["id"] for each in found["s"]) == sorted(each["id"] for each in found["f"])
    assert all(each["bp"] == "e" for each in found["f"])
    arrived = [each for each in messages(run) if each.sent and each.received and each.method != "heartbeat"]
    whole = [each for each in transfers(run) if each.sent_bytes and each.received_bytes]
    assert len(found["s"]) == len(arrived) + len(whole)


def test_heartbeats_are_in_the_trace_only_if_asked_for(run: History) -> None:
    assert not any(each["name"] == "heartbeat" for each in trace(run)["X"])
    assert any(each["name"] == "heartbeat" for each in trace(run, heartbeats=True)["X"])


def test_what_happened_at_a_node_is_an_instant_there(run: History) -> None:
    instants = [each for each in trace(run)["i"] if each["name"] == "stored"]
    assert len(instants) == len(run.of("stored"))
    assert {each["args"]["version"] for each in instants} == {event.detail["version"] for event in run.of("stored")}


# ---- CSV


def test_csv_has_all_that_the_history_has(run: History) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(run), newline="")))
    assert len(rows) == len(run)
    for row, event in zip(rows, run, strict=True):
        cause = (row["cause_node"], int(row["cause_number"])) if row["cause_number"] else None
        detail = json.loads(row["detail"]) if row["detail"] else {}
        assert (float(row["time"]), row["node"], int(row["number"]), int(row["lamport"])) == (
            event.time, event.node, event.number, event.lamport,
        )  # fmt: skip
        assert (row["kind"], row["peer"], row["file"], int(row["bytes"]), cause, detail) == (
            event.kind, event.peer, event.file, event.bytes, event.cause, event.detail,
        )  # fmt: skip
        assert (row["message"], row["method"], row["call"], row["copy"]) == (
            event.message, event.method, str(event.call), event.copy,
        )  # fmt: skip


def test_pandas_reads_the_csv(run: History, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(export(run, tmp_path / "events.csv", "csv"), keep_default_na=False)
    assert list(frame["kind"]) == [event.kind for event in run]


# ---- all


@pytest.mark.parametrize("form", ["shiviz", "chrome", "csv"])
def test_an_empty_history_is_an_empty_file_of_its_format(form: str, tmp_path: Path) -> None:
    text = export(History(), tmp_path / "file", form).read_text(encoding="utf-8")
    if form == "shiviz":
        assert parsed(text) == []
    elif form == "chrome":
        assert json.loads(text)["traceEvents"] == []
    else:
        assert text.startswith("time,node,") and text.count("\n") == 1


def test_a_format_that_is_none_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format 'xml'; there are shiviz, chrome, csv"):
        export(History(), tmp_path / "file", "xml")
