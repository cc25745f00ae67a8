"""Messages are paired by their stamps, files by their bytes, faults by their events; filters take out what they say."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from rpclab import SimCluster
from rpclab.errors import RpclabError, UsageError
from rpclab.study.history import History
from rpclab.study.measures import latency_by_method, traffic
from rpclab.study.spacetime import spacetime
from rpclab.study.spacetime_calls import calls
from rpclab.study.spacetime_faults import faults, lives
from rpclab.study.spacetime_messages import Message, messages, transfers
from rpclab.trace import Event

SIZE = 3_000_000


class Script:
    """Writes the events of a made-up run, a step of time each."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._numbers: Counter[str] = Counter()

    def add(self, node: str, kind: str, cause: Event | None = None, **fields: Any) -> Event:
        self._numbers[node] += 1
        step = len(self.events) + 1
        link = (cause.node, cause.number) if cause is not None else None
        event = Event(float(step), node, self._numbers[node], step, kind, cause=link, **fields)
        self.events.append(event)
        return event

    def send(self, node: str, peer: str, message: str = "request", method: str = "m", call: int = 1) -> Event:
        return self.add(node, "send", peer=peer, message=message, method=method, call=call, bytes=10)

    def receive(self, node: str, sent: Event) -> Event:
        method = sent.method if sent.message != "reply" else ""
        fields = {"peer": sent.node, "message": sent.message, "method": method, "call": sent.call, "bytes": sent.bytes}
        return self.add(node, "receive", sent, **fields)

    @property
    def history(self) -> History:
        return History(self.events)


@pytest.fixture(scope="module")
def run() -> History:
    """Two clients back up, a server is killed, repaired, and comes back, a disk is full, a node is cut off."""
    with SimCluster(seed=5, servers=3, clients=2, heartbeat_s=0.5, dead_s=2.0) as cluster:
        for client in cluster.clients.values():
            client.put("big.bin", bytes(SIZE))
            client.put("empty.txt", b"")
            client.put("notes.txt", b"a few words")
            client.backup("big.bin")
            client.backup("notes.txt")
            client.backup("empty.txt")
        cluster.kill("server1")
        cluster.sleep(6)
        cluster.restart("server1")
        cluster.partition("server2")
        cluster.fill("server3")
        with pytest.raises(RpclabError):
            cluster.clients["client1"].backup("big.bin")
        cluster.heal()
        cluster.empty("server3")
        cluster.clients["client2"].restore("big.bin")
    return cluster.history


# ---- messages


def test_every_event_of_a_message_is_in_one_arrow(run: History) -> None:
    found = messages(run)
    sent = Counter((each.sent.node, each.sent.number) for each in found if each.sent and each.fate != "again")
    received = Counter((each.received.node, each.received.number) for each in found if each.received)
    assert sent == Counter((event.node, event.number) for event in run.of("send"))
    assert received == Counter((event.node, event.number) for event in run.of("receive"))
    assert all(
        each.received.cause == (each.sent.node, each.sent.number) for each in found if each.sent and each.received
    )
    assert all(each.sent.peer == each.receiver for each in found if each.sent)


def test_what_becomes_of_a_message() -> None:
    script = Script()
    twice = script.send("a", "b")
    script.receive("b", twice)
    script.receive("b", twice)
    script.send("a", "b", method="cut")
    script.add("b", "disconnected", peer="a")
    script.send("a", "b", method="late")
    script.send("a", "stranger", method="unseen")
    script.add("b", "receive", peer="stranger", message="request", method="from outside", bytes=3)
    fates = {(each.method, each.fate) for each in messages(script.history)}
    assert fates == {
        ("m", "received"),
        ("m", "again"),
        ("cut", "lost"),
        ("late", "under way"),
        ("unseen", "unknown"),
        ("from outside", "received"),
    }


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_what_a_node_has_not_received_before_its_end_is_lost(end: str) -> None:
    script = Script()
    script.add("b", "started")
    script.send("a", "b")
    script.add(*(("b", "stopped") if end == "stopped" else ("cluster", "killed")), peer="" if end == "stopped" else "b")
    assert [each.fate for each in messages(script.history)] == ["lost"]


def test_a_client_that_logs_by_its_process_has_one_line() -> None:
    """On the command line client1 logs as client1-7; its peers know it as client1."""
    script = Script()
    script.add("client1-7", "started")
    ask = script.send("client1-7", "s")
    script.receive("s", ask)
    answer = script.send("s", "client1", "reply")
    script.receive("client1-7", answer)
    script.add("s", "send-data", peer="client1", bytes=5, file="client1/f", copy="restore")
    script.add("client1-7", "receive-data", peer="s", bytes=5, file="client1/f", copy="restore")
    script.add("client1-9", "started")
    script.send("s", "client1", "notification")
    script.add("client1-9", "stopped")
    history = script.history
    ways = [(each.sender, each.receiver, each.fate) for each in messages(history)]
    assert ways == [("client1-7", "s", "received"), ("s", "client1-7", "received"), ("s", "client1-9", "lost")]
    (call,) = calls(history, messages(history))
    assert call.answer is not None and call.seconds == 3
    (band,) = transfers(history)
    assert (band.sender, band.receiver, band.failed) == ("s", "client1-7", False)
    assert traffic(history).by_kind["restore"] == {("s", "client1-7"): 5}


def test_what_the_stage_did_to_a_message_is_known_of_it() -> None:
    script = Script()

    def staged(kind: str, sent: Event) -> Event:
        return script.add("b", kind, peer="a", method=sent.method, detail={"sent": [sent.node, sent.number]})

    dropped, waiting, late = (script.send("a", "b", method=method) for method in ("dropped", "waiting", "late"))
    held = [staged("held", each) for each in (dropped, waiting, late)]
    lost = staged("lost", dropped)
    script.receive("b", late)
    found = {each.method: (each.fate, each.staged) for each in messages(script.history)}
    assert found == {
        "dropped": ("lost", (held[0], lost)),
        "waiting": ("under way", (held[1],)),
        "late": ("received", (held[2],)),
    }


# ---- files


def test_bands_hold_the_bytes_that_crossed_the_wire(run: History) -> None:
    bands: dict[str, Counter[tuple[str, str]]] = {}
    for each in transfers(run):
        bands.setdefault(each.copy, Counter())[each.sender, each.receiver] += each.sent_bytes
    known = {copy: cells for copy, cells in traffic(run).by_kind.items() if cells}
    assert bands == known
    assert {"original", "replica", "repair", "restore"} <= set(bands)
    whole = [each for each in transfers(run) if not each.failed]
    assert {each.received_bytes for each in whole} == {SIZE, len(b"a few words")}


def test_a_file_of_which_a_part_never_came() -> None:
    script = Script()
    script.send("a", "b", method="sendFilename")
    for size in (100, 50):
        script.add("a", "send-data", peer="b", bytes=size, file="a/f", copy="original")
    for size in (60, 40, 10):
        script.add("b", "receive-data", peer="a", bytes=size, file="a/f", copy="original")
    (found,) = transfers(script.history)
    assert (found.failed, found.sent_bytes, found.received_bytes) == (True, 150, 110)
    assert [(each.bytes, each.fate, each.sent is not None) for each in found.packets] == [
        (60, "received", False),
        (100, "received", True),
        (10, "received", False),
        (50, "lost", True),
    ]


def test_two_tries_to_send_a_file_are_two_bands() -> None:
    script = Script()
    for size in (70, 100):  # of the first try the last 30 bytes do not come
        script.receive("b", script.send("a", "b", method="sendFilename"))
        script.add("a", "send-data", peer="b", bytes=100, file="a/f", copy="original")
        script.add("b", "receive-data", peer="a", bytes=size, file="a/f", copy="original")
        script.receive("b", script.send("a", "b", method="confirmFile"))
    found = transfers(script.history)
    assert [(each.sent_bytes, each.received_bytes, each.failed) for each in found] == [
        (100, 70, True),
        (100, 100, False),
    ]


def test_what_came_of_the_second_try_is_not_of_the_first() -> None:
    script = Script()
    for received in (False, True):
        script.receive("b", script.send("a", "b", method="sendFilename"))
        script.add("a", "send-data", peer="b", bytes=100, file="a/f", copy="original")
        if received:
            script.add("b", "receive-data", peer="a", bytes=100, file="a/f", copy="original")
    assert [(each.received_bytes, each.failed) for each in transfers(script.history)] == [(0, True), (100, False)]


def test_files_that_pass_each_other_are_not_lost() -> None:
    """Another file's messages between the packets of one say nothing of it."""
    script = Script()
    for size in (100, 30):
        script.add("a", "send-data", peer="b", bytes=size, file="a/f", copy="original")
        script.send("a", "b", method="sendFilename")
    for size in (20, 110):
        script.add("b", "receive-data", peer="a", bytes=size, file="a/f", copy="original")
        script.send("b", "a", "reply")
    script.add("b", "stored", bytes=130, file="a/f")
    assert len(transfers(script.history)) == 1
    assert not any(each.failed for each in transfers(script.history))


# ---- calls


def test_calls_take_as_long_as_the_measure_says(run: History) -> None:
    seconds: dict[str, list[float]] = {}
    for call in calls(run, messages(run)):
        if call.seconds is not None:
            seconds.setdefault(call.method, []).append(call.seconds)
    known = latency_by_method(run)
    assert {method: sorted(values) for method, values in seconds.items()} == {
        method: sorted(values) for method, values in known.items()
    }


def test_an_answer_is_never_before_its_request(run: History) -> None:
    for call in calls(run, messages(run)):
        answer = call.answer
        if answer is not None and answer.sent is not None and call.request.received is not None:
            assert (answer.sender, answer.receiver) == (call.callee, call.caller)
            assert call.request.received.number < answer.sent.number


def test_a_call_that_a_killed_node_left_open_gets_no_later_answer() -> None:
    script = Script()
    first = script.send("a", "b")
    script.receive("b", first)
    script.add("cluster", "killed", peer="b")
    script.add("b", "started")
    second = script.send("a", "b")
    script.receive("b", second)
    script.receive("a", script.send("b", "a", "reply"))
    found = calls(script.history, messages(script.history))
    assert [(call.request.sent, call.answer is None) for call in found] == [(first, True), (second, False)]


# ---- faults


def test_faults_last_from_the_event_that_began_them_to_the_one_that_ended_them(run: History) -> None:
    found = {(each.what, each.node): (each.began.kind, each.ended and each.ended.kind) for each in faults(run)}
    assert found == {
        ("down", "server1"): ("killed", "started"),
        ("partitioned", "server2"): ("partitioned", "healed"),
        ("disk full", "server3"): ("filled", "emptied"),
    }
    down = next(each for each in faults(run) if each.what == "down")
    assert down.seconds == pytest.approx(6, abs=1)


def test_a_fault_that_nobody_ended_lasts_to_the_end() -> None:
    script = Script()
    script.add("a", "started")
    script.add("cluster", "paused", peer="a")
    script.add("cluster", "unsound", peer="b", detail={"share": 0.5})
    script.add("cluster", "unsound", peer="b", detail={"share": 0})
    script.add("cluster", "killed", peer="c")
    script.add("b", "x")
    found = [(each.node, each.what, each.start, each.end, each.ended is None) for each in faults(script.history)]
    assert found == [
        ("a", "paused", 2.0, 6.0, True),
        ("b", "syncs fail", 3.0, 4.0, False),
        ("c", "down", 5.0, 6.0, True),
    ]


def test_a_node_is_there_between_its_starts_and_its_ends(run: History) -> None:
    there = lives(run)
    assert "cluster" not in there
    assert {node: len(parts) for node, parts in there.items()} == dict.fromkeys(there, 1) | {"server1": 2}
    killed = next(event for event in run.of("killed"))
    assert there["server1"][0][1] == killed.time
    for parts in there.values():
        assert all(start < end for start, end in parts)
        assert all(one[1] <= other[0] for one, other in pairwise(parts))


# ---- what is chosen


def ends(found: list[Message]) -> set[frozenset[str]]:
    return {frozenset((each.sender, each.receiver)) for each in found}


def test_clients_stand_left_servers_right(run: History) -> None:
    assert spacetime(run).nodes == ["client1", "client2", "manager", "server1", "server2", "server3"]


def test_one_node_is_shown_with_all_it_spoke_to_and_several_among_themselves(run: History) -> None:
    assert all("client1" in pair for pair in ends(spacetime(run, nodes="client1").messages))
    assert len(ends(spacetime(run, nodes="client1").messages)) > 2
    assert ends(spacetime(run, nodes=["client1", "manager"]).messages) == {frozenset(("client1", "manager"))}
    assert spacetime(run, nodes=["client1", "manager"]).nodes == ["client1", "manager"]


def test_a_call_is_shown_with_its_answer(run: History) -> None:
    found = spacetime(run, methods="placeFile").messages
    assert {each.kind for each in found} == {"request", "reply", "error"}
    assert len(found) == 2 * sum(each.kind == "request" for each in found)
    assert {each.call for each in spacetime(run, methods="placeFile", call=2).messages} == {2}


def test_heartbeats_are_left_out_unless_asked_for(run: History) -> None:
    assert not any(each.method == "heartbeat" for each in spacetime(run).messages)
    assert any(each.method == "heartbeat" for each in spacetime(run, heartbeats=True, limit=10**6).messages)
    assert {each.method for each in spacetime(run, methods="heartbeat").messages} == {"heartbeat"}


def test_a_file_is_followed_from_its_placing_to_its_repair(run: History) -> None:
    found = spacetime(run, file="client1/notes.txt")
    assert {each.file for each in found.transfers} == {"client1/notes.txt"}
    assert {event.file for event in found.moments} == {"client1/notes.txt"}
    methods = {each.method for each in found.messages if each.kind == "request"}
    expected = {"placeFile", "sendFilename", "confirmFile", "updateServer"}
    repaired = any(event.file == "client1/notes.txt" for event in run.of("repaired"))
    assert methods == expected | ({"copyFile"} if repaired else set())
    assert sum(each.method == "placeFile" and each.kind == "request" for each in found.messages) == 1
    empty = spacetime(run, file="client2/empty.txt")
    assert {"placeFile", "sendFilename", "confirmFile"} <= {each.method for each in empty.messages}


@pytest.mark.parametrize("seed", range(4))
def test_of_two_files_that_are_backed_up_at_once_each_has_its_own_messages(seed: int) -> None:
    names = ("a.bin", "b.bin")
    with SimCluster(seed=seed, servers=2, clients=1, trace="messages") as cluster:
        client = cluster.clients["client1"]
        for name in names:
            client.put(name, name.encode() * 40_000)
        receipts = cluster.run(*(lambda name=name: client.backup(name) for name in names))  # type: ignore[misc]
        uploads = {receipt.file.name: receipt.upload for receipt in receipts}
        for name, other in (names, names[::-1]):
            found = spacetime(cluster.history, file=f"client1/{name}").messages
            asked = [message for message in found if message.kind == "request" and message.received is not None]
            texts = [message.received.detail["text"] for message in asked if message.received is not None]
            assert not [text for text in texts if other in text or uploads[other] in text]
            assert sorted(message.method for message in asked) == sorted(
                ["placeFile", *2 * ["sendFilename", "confirmFile", "updateServer"]]
            )


def test_a_file_may_be_named_without_its_client_if_that_says_which() -> None:
    script = Script()
    script.add("a", "stored", file="a/one")
    script.add("a", "stored", file="a/two")
    script.add("b", "stored", file="b/two")
    assert [event.file for event in spacetime(script.history, file="one").moments] == ["a/one"]
    with pytest.raises(UsageError, match=r"several 'two'.*a/two, b/two"):
        spacetime(script.history, file="two")


def test_expanded_a_band_becomes_its_packets(run: History) -> None:
    folded, unfolded = spacetime(run, limit=10**6), spacetime(run, expand=True, limit=10**6)
    assert folded.transfers and not unfolded.transfers
    packets = [each for each in unfolded.messages if each.kind == "packets"]
    assert len(packets) == sum(len(each.packets) for each in folded.transfers)
    one = spacetime(run, expand="client1/big.bin", limit=10**6)
    assert {each.file for each in one.messages if each.kind == "packets"} == {"client1/big.bin"}
    assert one.transfers and all(each.file != "client1/big.bin" for each in one.transfers)


def test_only_the_seconds_asked_for(run: History) -> None:
    found = spacetime(run, from_s=1.0, to_s=4.0)
    for each in found.messages:
        assert any(event.time - run.start >= 1 for event in each.events)
        assert any(event.time - run.start <= 4 for event in each.events)
    drawn = [event.time for each in (*found.messages, *found.transfers) for event in each.events]
    assert found.start == min(run.start + 1, *drawn) and found.end == max(run.start + 4, *drawn)
    assert {each.what for each in found.faults} == {"down"}


def test_the_last_events_and_those_around_one(run: History) -> None:
    last = spacetime(run, last=10)
    count = sum(len(each.events) for each in (*last.messages, *last.transfers)) + len(last.moments)
    assert 10 <= count < 10 + max(len(each.events) for each in transfers(run))
    event = run.of("killed")[0]
    near = spacetime(run, around=event, last=6)
    times = [each.first.time for each in near.messages] + [each.time for each in near.moments]
    assert min(times) <= event.time <= max(times)
    assert len(near.messages) + len(near.moments) <= 6


def test_beyond_the_limit_it_says_how_many_are_left_out(run: History) -> None:
    whole, cut = spacetime(run, limit=10**6), spacetime(run, limit=50)
    drawn = len(cut.messages) + len(cut.transfers) + len(cut.moments)
    assert drawn == 50
    passed = len(whole.messages) + len(whole.transfers) - len(cut.messages) - len(cut.transfers)
    others = len(whole.moments) - len(cut.moments)
    assert cut.left_out[0].startswith(f"Not drawn: {passed:,} more messages and {others} events before")
    assert whole.left_out == []
    mark = whole.messages[10].first
    assert mark in [event for each in spacetime(run, limit=50, mark=mark).messages for event in each.events]


def test_silent_nodes_of_many_have_no_line_and_are_named() -> None:
    script = Script()
    for number in range(1, 30):
        script.add(f"server{number}", "connected")
    script.receive("server2", script.send("server1", "server2"))
    found = spacetime(script.history)
    assert found.nodes == ["server1", "server2"]
    assert "server3, server4" in found.left_out[0] and "15 more" in found.left_out[0]


def test_a_peer_without_a_log_has_a_line_but_the_kits_own_looks_have_none() -> None:
    script = Script()
    script.add("m", "receive", peer="stranger", message="request", method="x")
    script.add("m", "receive", peer="looking", message="request", method="listServers")
    assert spacetime(script.history).nodes == ["m", "stranger"]
    assert spacetime(script.history, nodes="looking").nodes == ["looking", "m"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"nodes": "server9"}, "no node 'server9'.*server1, server2, server3"),
        ({"nodes": ["client1", "x"]}, "no node 'x'"),
        ({"methods": "explode"}, "nobody called 'explode'.*placeFile"),
        ({"file": "nothing.txt"}, "no file 'nothing.txt'.*client1/big.bin"),
        ({"expand": "nothing.txt"}, "no file"),
        ({"limit": 0}, "1 at least"),
        ({"last": 0}, "1 at least"),
    ],
)
def test_a_name_that_is_not_there_is_said_plainly(run: History, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        spacetime(run, **wrong)


def test_an_empty_history_is_an_empty_picture() -> None:
    found = spacetime(History())
    assert (found.nodes, found.messages, found.transfers, found.moments, found.faults) == ([], [], [], [], [])


def test_a_repair_is_shown_with_the_call_to_the_server_that_had_a_copy() -> None:
    """Two files are repaired at once, by calls of one method: each is asked of its own source."""
    script = Script()
    for name, source in (("one", "s1"), ("two", "s2")):
        detail = {"source": source, "upload": name}
        script.add("manager", "repairing", peer="s3", file=f"c/{name}", bytes=5, detail=detail)
    sent = {source: script.send("manager", source, method="copyFile") for source in ("s2", "s1")}
    for source, call in sent.items():
        script.receive(source, call)
        script.receive("manager", script.send(source, "manager", "reply", method="copyFile"))
    for name, source in (("one", "s1"), ("two", "s2")):
        found = spacetime(script.history, file=f"c/{name}").messages
        assert {each.receiver for each in found if each.kind == "request"} == {source}
