"""The stepper, driven by the messages of its page, over clusters of both worlds."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rpclab import SimCluster
from rpclab.widgets import Stepper
from rpclab.widgets.panel import script


@pytest.fixture
def simulated() -> Iterator[Callable[..., tuple[SimCluster, Callable[[], Any]]]]:
    """A simulated cluster, and a backup in it that can be begun."""
    clusters: list[SimCluster] = []

    def start(**options: Any) -> tuple[SimCluster, Callable[[], Any]]:
        cluster = SimCluster(**{"seed": 1, "servers": 3, "clients": 1} | options)
        clusters.append(cluster)
        client = cluster.clients["client1"]
        client.put("a.txt", b"contents")

        def backup() -> Any:
            return client.backup("a.txt")

        return cluster, backup

    yield start
    for cluster in clusters:
        cluster.stop()


@pytest.fixture
def real(start_cluster: Any, make_file: Any) -> tuple[Any, Callable[[], Any]]:
    cluster = start_cluster(clients=1, dead_s=60)
    path = make_file("a.txt", 100)

    def backup() -> Any:
        return cluster.clients["client1"].backup(path)

    return cluster, backup


def held(page: Any) -> list[tuple[str, str, str]]:
    with page.widget._lock:  # all that belongs to what is shown has been set then
        return [(each["from"], each["kind"], each["method"]) for each in page.widget.messages]


def card(page: Any, node: str) -> dict[str, Any]:
    return next(each for each in page.widget.nodes if each["name"] == node)


def press(page: Any, action: str, **how: Any) -> None:
    page.send(op="act", action=action, message=page.widget.messages[0]["id"], **how)


def test_the_selected_message_is_there_as_bytes_as_json_and_as_the_call_it_means(real: Any, page: Any) -> None:
    cluster, backup = real
    steps = page(Stepper(cluster, backup))
    (message,) = steps.widget.messages
    assert held(steps) == [("client1", "request", "placeFile")]
    assert message["meaning"].startswith("client1 asks manager: placeFile(client='client1', name='a.txt', size=100")
    assert json.loads(bytes.fromhex(message["hex"])) == json.loads(message["json"])
    assert len(message["hex"]) == 2 * message["bytes"] and 0 < message["left"] <= 10
    assert f'data-sent="{message["sent"]}"' in steps.widget.picture  # and it is in the diagram


def test_next_delivers_and_tells_what_changed_in_which_node(real: Any, page: Any, eventually: Any) -> None:
    cluster, backup = real
    steps = page(Stepper(cluster, backup))
    press(steps, "deliver")
    eventually(lambda: "delivered placeFile request, client1 → manager" in steps.widget.status, what="the step")
    assert held(steps) == [("manager", "reply", "placeFile")]
    assert ["reservations", "client1/a.txt", "100 B on server1, 100 B on server2", "", "new"] in card(steps, "manager")[
        "facts"
    ]
    assert card(steps, "manager")["changed"] and not card(steps, "server3")["changed"]
    steps.send(op="run", target="end")
    eventually(lambda: steps.widget.here["operations"] == ["backup: done"], what="the end of the backup")
    eventually(
        lambda: any(fact[:2] == ["files", "client1/a.txt"] for fact in card(steps, "manager")["facts"]), what="the file"
    )
    eventually(lambda: not steps.widget.working, what="rest")
    assert cluster.messages() == []


def test_back_and_forward_over_processes_and_no_other_way_from_there(real: Any, page: Any, eventually: Any) -> None:
    cluster, backup = real
    steps = page(Stepper(cluster, backup))
    press(steps, "deliver")
    eventually(lambda: steps.widget.here["step"] == 2, what="a step")
    steps.send(op="go", where="back")
    eventually(lambda: held(steps) == [("client1", "request", "placeFile")], what="the place before")
    assert not steps.widget.here["acts"] and steps.widget.here["forward"] and not steps.widget.here["forks"]
    press(steps, "drop")
    eventually(lambda: "processes cannot be sent back" in steps.widget.problem.get("text", ""), what="the sentence")
    assert cluster.messages()[0].kind == "reply"
    steps.send(op="go", where="forward")
    eventually(lambda: held(steps) == [("manager", "reply", "placeFile")], what="the present")
    assert steps.widget.here["acts"] and not steps.widget.problem
    steps.send(op="go", where="release")
    eventually(lambda: steps.widget.here["operations"] == ["backup: done"], what="the end")


def test_a_process_is_killed_and_started_again(real: Any, page: Any, eventually: Any) -> None:
    cluster, backup = real
    steps = page(Stepper(cluster, backup))
    steps.send(op="node", name="server1", verb="kill")
    eventually(lambda: card(steps, "server1")["state"] == "stopped", what="the end of server1")
    assert cluster.state("server1") == "stopped" and card(steps, "server1")["changed"]
    steps.send(op="go", where="release")
    steps.send(op="node", name="server1", verb="restart")
    eventually(lambda: card(steps, "server1")["state"] == "running", what="server1 again")
    eventually(lambda: "restart_server1: done" in steps.widget.here["operations"], what="its registration")


def test_in_the_simulated_world_one_goes_back_and_another_way(simulated: Any, page: Any) -> None:
    steps = page(Stepper(*simulated()))
    for _ in range(3):
        press(steps, "deliver")
    assert held(steps) == [("server1", "reply", "sendFilename")]
    steps.send(op="go", where="back")
    assert held(steps) == [("client1", "request", "sendFilename")] and steps.widget.here["acts"]
    press(steps, "drop")
    assert steps.widget.here["seconds"] > 9 and "dropped sendFilename" in steps.widget.status
    words = [(each["words"], each["level"], each["fork"], each["here"]) for each in steps.widget.way]
    assert ("dropped sendFilename request, client1 → server1", 1, True, True) in words
    assert ("delivered sendFilename request, client1 → server1", 0, False, False) in words
    steps.send(op="run", target="end")
    assert steps.widget.here["operations"] == ["backup: done"]
    steps.send(op="jump", place=1)
    assert held(steps) == [("client1", "request", "placeFile")] and steps.widget.here["step"] == 1
    steps.send(op="go", where="forward")  # along where one was last
    steps.send(op="go", where="forward")
    steps.send(op="go", where="forward")
    assert "dropped sendFilename" in steps.widget.status


def test_duplicate_delay_corrupt_kill_and_time(simulated: Any, page: Any) -> None:
    cluster, backup = simulated()
    steps = page(Stepper(cluster, backup))
    press(steps, "duplicate")
    press(steps, "delay", seconds=0.5)
    assert "delayed placeFile reply" in steps.widget.status and "by 0.5 s" in steps.widget.status
    steps.send(op="jump", place=1)
    message = steps.widget.messages[0]
    press(steps, "corrupt", byte=2, value=0)
    found = cluster.script  # what was given stays as it was
    assert not any(entry.verb == "step" and "corrupt" in entry.arguments for entry in found)
    kinds = [event.kind for event in steps.widget.steps.cluster.history]
    assert "corrupted" in kinds and steps.widget.messages[0]["id"] != message["id"]
    steps.send(op="jump", place=1)
    steps.send(op="node", name="manager", verb="kill")
    assert card(steps, "manager")["state"] == "stopped" and steps.widget.messages == []
    steps.send(op="pass", seconds=3)
    assert "3 s passed" in steps.widget.status
    assert len([each for each in steps.widget.way if each["fork"]]) == 2


def test_run_to_stops_where_it_was_told(simulated: Any, page: Any) -> None:
    steps = page(Stepper(*simulated()))
    assert ["method updateServer", "updateServer"] in steps.widget.targets
    steps.send(op="run", target="method updateServer")
    assert held(steps) == [("server1", "request", "updateServer")]
    steps.send(op="run", target="node client1")
    assert steps.widget.messages[0]["to"] == "client1" or any(each["to"] == "client1" for each in steps.widget.messages)
    assert not steps.widget.working


def test_running_on_can_be_stopped(simulated: Any, page: Any) -> None:
    """A step at a time, between which the loop hears the page."""

    async def run() -> None:
        steps = page(Stepper(*simulated()))
        steps.send(op="run", target="end")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        steps.send(op="halt")
        for _ in range(50):
            await asyncio.sleep(0)
        reached = steps.widget.here["step"]
        assert 1 < reached < 8 and not steps.widget.working and steps.widget.messages
        steps.send(op="run", target="end")
        for _ in range(100):
            await asyncio.sleep(0)
        assert steps.widget.here["operations"] == ["backup: done"]

    asyncio.run(run())


def test_a_simulated_cluster_is_stepped_in_the_thread_that_made_it(simulated: Any, page: Any) -> None:
    """Some kernels call back on a thread of their own; the steps, and the runs that are made again, are the loop's."""

    async def run() -> None:
        steps = page(Stepper(*simulated()))
        for op in ({"op": "act", "action": "deliver"}, {"op": "go", "where": "back"}, {"op": "act", "action": "drop"}):
            thread = threading.Thread(target=lambda op=op: steps.send(**op))
            thread.start()
            thread.join()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not steps.widget.problem and "dropped placeFile" in steps.widget.status

    asyncio.run(run())


def test_what_another_cell_does_is_shown(simulated: Any, page: Any, eventually: Any) -> None:
    async def run() -> None:
        cluster, backup = simulated()
        steps = page(Stepper(cluster))
        assert steps.widget.messages == [] and "No message is held" in steps.widget.status
        cluster.stage.hold()
        cluster.begin(backup)
        until = asyncio.get_running_loop().time() + 20
        while not steps.widget.messages and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)
        assert held(steps) == [("client1", "request", "placeFile")]
        assert "begin(backup)" in steps.widget.status

    asyncio.run(run())


def test_what_comes_to_processes_by_itself_is_shown(real: Any, page: Any, eventually: Any) -> None:
    cluster, backup = real
    steps = page(Stepper(cluster))
    cluster.stage.hold(method="placeFile")
    cluster.begin(backup)
    eventually(lambda: held(steps) == [("client1", "request", "placeFile")], what="the message")
    steps.send(op="run", target="end")
    eventually(lambda: steps.widget.here["operations"] == ["backup: done"], what="the end")


def test_a_mistake_is_told_in_a_sentence(simulated: Any, page: Any) -> None:
    steps = page(Stepper(*simulated()))
    steps.send(op="act", action="drop", message=99)
    assert steps.widget.problem["text"] == "message 99 is no longer held"
    steps.send(op="act", action="eat", message=1)
    assert "there is no 'eat'" in steps.widget.problem["text"]
    press(steps, "deliver")
    assert not steps.widget.problem


def test_what_is_not_widgets_says_it_in_words(simulated: Any, page: Any) -> None:
    steps = page(Stepper(*simulated()))
    data, _ = steps.widget._repr_mimebundle_()
    assert "client1 asks manager: placeFile" in data["text/plain"]
    assert "cluster.step()" in data["text/html"] and "<pre>" in data["text/html"]


def test_made_again_it_takes_the_earlier_ones_place_and_closed_it_keeps_nothing(simulated: Any, page: Any) -> None:
    cluster, backup = simulated()
    first = Stepper(cluster, backup)
    second = page(Stepper(cluster)).widget
    assert first.comm is None and second.comm is not None and second.messages
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None


def test_closed_over_processes_no_thread_is_left(real: Any) -> None:
    cluster, backup = real
    widget = Stepper(cluster, backup)
    assert {thread.name for thread in threading.enumerate()} >= {"stepper-works", "stepper-looks"}
    widget.close()
    widget.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("stepper-")]
    assert len(cluster.messages()) == 1  # what is held stays held
    gone = weakref.ref(widget)
    del widget
    gc.collect()
    assert gone() is None
    cluster.stage.release()


def test_a_key_for_everything_and_none_of_them_reaches_the_notebook() -> None:
    source = script("stepper_parts", "stepper")
    for key in ("n", "r", "x", "u", "l", "c", "k", "t", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Escape"):
        assert f"{key}: () =>" in source
    assert "stopPropagation" in source
