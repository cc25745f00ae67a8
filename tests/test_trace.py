"""The event log: numbers that go on, times that respect causes, and lines that survive the death of their node."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable

import msgspec

from rpclab.study.history import History
from rpclab.trace import Event, Tracer
from rpclab.world.real import RealWorld


def events(path: pathlib.Path) -> list[Event]:
    lines = path.read_bytes().split(b"\0")[0].splitlines()
    return [msgspec.json.decode(line, type=Event) for line in lines]


def tracer(world: RealWorld, path: pathlib.Path) -> Tracer:
    return Tracer(world, "server1", world.disk.open_log(str(path)))


def test_events_are_numbered_and_lamport_times_follow_their_causes(world: RealWorld, tmp_path: pathlib.Path) -> None:
    trace = tracer(world, tmp_path / "log")
    first = trace.event("started")
    second = trace.event("receive", cause=("client1", 7, 40))
    third = trace.event("send", measure=lambda stamp: 100 + stamp[1])
    trace.close()
    assert (first, second, third) == (("server1", 1, 1), ("server1", 2, 41), ("server1", 3, 42))
    found = events(tmp_path / "log")
    assert [event.number for event in found] == [1, 2, 3]
    assert found[1].cause == ("client1", 7) and found[2].bytes == 103
    assert found[0].time <= found[1].time <= found[2].time


def test_a_closed_log_holds_its_lines_and_no_zeros(world: RealWorld, tmp_path: pathlib.Path) -> None:
    trace = tracer(world, tmp_path / "log")
    trace.event("started")
    trace.close()
    trace.close()
    trace.event("never written")
    data = (tmp_path / "log").read_bytes()
    assert data.endswith(b"}\n") and b"\0" not in data and len(events(tmp_path / "log")) == 1


def test_a_log_grows_past_its_window(world: RealWorld, tmp_path: pathlib.Path) -> None:
    trace = tracer(world, tmp_path / "log")
    for number in range(30):
        trace.event("stored", detail={"text": "x" * 100_000, "n": number})
    trace.event("stored", detail={"text": "y" * 3_000_000})
    trace.event("stopped")
    trace.close()
    assert [event.number for event in events(tmp_path / "log")] == list(range(1, 33))


def test_without_a_log_nothing_is_written_and_nothing_fails(world: RealWorld) -> None:
    trace = Tracer(world, "server1")
    assert not trace.enabled and trace.event("started") == ("server1", 0, 0)
    trace.close()


def test_a_log_survives_kill_9_and_its_numbers_go_on(
    world: RealWorld, tmp_path: pathlib.Path, eventually: Callable[..., None]
) -> None:
    path = tmp_path / "server1.jsonl"
    code = f"""
        from rpclab.trace import Tracer
        from rpclab.world.real import RealWorld
        world = RealWorld()
        trace = Tracer(world, "server1", world.disk.open_log({str(path)!r}))
        while True:
            trace.event("stored", file="ann/a", bytes=1)
            print(trace._number, flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdout is not None
        said = [int(child.stdout.readline()) for _ in range(2000)][-1]
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    written = len(events_of_a_killed_node(path))
    assert written >= said == 2000
    trace = tracer(world, path)
    stamp = trace.event("started")
    trace.close()
    assert stamp[1] == written + 1 and stamp[2] == written + 1
    assert [event.number for event in events(path)] == list(range(1, written + 2))


def events_of_a_killed_node(path: pathlib.Path) -> list[Event]:
    """Its whole lines, read as the history reads them, while zeros and perhaps half a line follow."""
    whole = path.read_bytes().split(b"\0")[0]
    whole = whole[: whole.rfind(b"\n") + 1]
    found = [msgspec.json.decode(line, type=Event) for line in whole.splitlines()]
    assert len(list(History.read(path.parent))) == len(found)
    return found


def test_a_torn_last_line_is_skipped_and_written_over(world: RealWorld, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "log"
    trace = tracer(world, path)
    trace.event("started")
    trace.event("stored")
    trace.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-2] + b"x" * 300 + b"\0" * 100)
    again = tracer(world, path)
    assert again.event("started again")[1] == 2
    assert [event.number for event in events(path)] == [
        1,
        2,
    ]  # also if it is killed now: nothing of the torn line is left
    again.close()
    assert [(event.number, event.kind) for event in events(path)] == [(1, "started"), (2, "started again")]


def test_a_log_whose_last_line_is_nonsense_goes_on(world: RealWorld, tmp_path: pathlib.Path) -> None:
    (tmp_path / "log").write_bytes(b"not JSON at all\n")
    trace = tracer(world, tmp_path / "log")
    assert trace.event("started")[1] == 1
    trace.close()
