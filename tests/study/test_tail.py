"""Event logs that are read on while they are written."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from rpclab.study.history import History
from rpclab.study.live import Live, event_words
from rpclab.study.tail import Tail
from rpclab.trace import Event, Tracer
from rpclab.world.real import RealWorld


def test_each_event_is_read_once_while_its_log_is_written(tmp_path: Path, world: RealWorld) -> None:
    tail = Tail.of_folder(tmp_path)
    assert tail.read() == []
    tracers = [Tracer(world, node, world.disk.open_log(str(tmp_path / f"{node}.jsonl"))) for node in ("a", "b")]
    read: list[Event] = []
    for number in range(300):
        tracers[number % 2].event("sent", file=f"x/{number}")
        if number % 7 == 0:
            read += tail.read()
    for tracer in tracers:
        tracer.close()  # cuts the zeros off the logs' ends
    read += tail.read()
    assert [event.file for event in sorted(read, key=lambda event: event.time)] == [f"x/{n}" for n in range(300)]
    assert len(read) == len(History.read(tmp_path)) and tail.damaged == 0 and tail.read() == []


def test_a_line_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    line = b'{"time":1,"node":"a","number":1,"lamport":1,"kind":"sent"}\n'
    tail = Tail.of_folder(tmp_path)
    log.write_bytes(line + line[:20] + bytes(100))
    assert len(tail.read()) == 1
    log.write_bytes(line + line + b"not an event\n")
    assert len(tail.read()) == 1 and tail.damaged == 1


def test_a_log_in_memory_is_read_the_same_way(tmp_path: Path) -> None:
    line = b'{"time":1,"node":"a","number":1,"lamport":1,"kind":"sent"}\n'
    contents = {"a": b""}
    tail = Tail(lambda: list(contents), lambda name, offset: contents[name][offset:])
    contents["a"] += line
    assert len(tail.read()) == 1
    contents["a"] += line * 2
    assert len(tail.read()) == 2


def _data(
    second: float, size: int, kind: str = "send-data", node: str = "c", peer: str = "s", copy: str = "original"
) -> Event:
    return Event(second, node, 1, 1, kind, peer=peer, bytes=size, copy=copy)


def test_bytes_older_than_the_window_leave_the_picture_but_not_the_sum() -> None:
    live = Live(seconds=10)
    live.take([_data(100.2, 5), _data(105.9, 7), _data(111, 11, copy="repair")])
    figures = live.figures(111.5)
    assert figures["traffic"] == {"original": [0, 0, 0, 7, 0, 0, 0, 0, 0, 0][-10:], "repair": [0] * 9 + [11]}
    assert live.totals["original"] == 12 and live.pairs == {("c", "s"): {"original": 12, "repair": 11}}


def test_what_the_sender_told_is_not_counted_again_and_a_silent_senders_bytes_are() -> None:
    live = Live()
    live.take([_data(1, 5), _data(1.1, 5, "receive-data", "s", "c"), _data(1.2, 9, "receive-data", "s", "silent")])
    assert live.totals["original"] == 14 and live.pairs[("silent", "s")] == {"original": 9}


def test_a_servers_bytes_hold_until_the_next_change_also_from_before_the_window() -> None:
    live = Live(seconds=5)
    stored: dict[str, Any] = {"stored_bytes": 100}
    live.take(
        [Event(1, "s1", 1, 1, "stored", detail=stored), Event(9, "s1", 2, 2, "deleted", detail={"stored_bytes": 40})]
    )
    assert live.figures(10)["servers"] == {"s1": [100, 100, 100, 40, 40]}
    assert live.figures(100)["servers"] == {"s1": [40] * 5}
    live.take([Event(101, "m", 1, 1, "gone", peer="s1", detail={"reason": "silent"})])
    assert live.alive == {"s1": False} and live.told[-1][1] == "s1 is gone: silent"


def test_in_any_cut_into_readings_the_figures_are_the_same() -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    events = [_data(chance.uniform(0, 50), chance.randrange(100), node=f"c{chance.randrange(3)}") for _ in range(500)]
    events.sort(key=lambda event: event.time)
    whole, cut = Live(), Live()
    whole.take(events)
    while events:
        count = chance.randrange(1, 50)
        cut.take(events[:count])
        cut.figures(events[min(count, len(events)) - 1].time)
        del events[:count]
    assert whole.figures(50) == cut.figures(50) and whole.pairs == cut.pairs, f"seed {seed}"


def test_packets_and_heartbeats_are_not_worth_a_sentence() -> None:
    assert event_words(_data(1, 5)) == "" and event_words(Event(1, "a", 1, 1, "send", peer="b")) == ""
