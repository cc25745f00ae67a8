"""Every message can be decided upon before it is delivered, by hand or by rules, in both worlds alike."""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from blake3 import blake3

from rpclab import Rule, SimCluster
from rpclab.config import Limits
from rpclab.errors import DeadlineExceeded, NotRunning, RpclabError, UsageError
from rpclab.study.report import Verdict

from .stands import WORLDS, Stand, real, simulated

CALL_S = 2.0  # how long ann waits for an answer that comes too late, on the real clock too


@pytest.fixture(scope="module", params=WORLDS)
def stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One cluster for the tests that leave it as it was; judged at the end."""
    folder = tmp_path_factory.mktemp(request.param)
    with simulated() if request.param == "simulated" else real(folder) as cluster:
        yield Stand(cluster, folder)
    report = cluster.check()
    assert report.valid or cluster.history.of("corrupted"), report


@pytest.fixture
def own(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Callable[..., Stand]]:
    """A cluster of a test's own, which must have kept every invariant when it was stopped."""
    clusters: list[Any] = []

    def start(world: str, *, limits: Limits | None = None, **options: Any) -> Stand:
        clusters.append(simulated(**options) if world == "simulated" else real(tmp_path, **options))
        return Stand(clusters[-1], tmp_path, limits)

    yield start
    for cluster in clusters:
        cluster.stop()
        assert cluster.check().valid, cluster.check()


@pytest.fixture(autouse=True)
def released(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "stand" in request.fixturenames:
        cluster = request.getfixturevalue("stand").cluster
        cluster.stage.release()
        cluster.stage.plan()


def test_a_backup_goes_on_message_by_message(stand: Stand) -> None:
    cluster = stand.cluster
    cluster.stage.hold()
    backup = stand.begin("step")
    said = []
    while not backup.done:
        (message,) = cluster.messages()
        said.append((message.sender, message.receiver, message.kind, message.method))
        cluster.step()
    receipt = backup.result()
    first, second = receipt.servers
    assert receipt.complete and cluster.messages() == []
    assert said[:4] == [
        ("ann", "manager", "request", "placeFile"),
        ("manager", "ann", "reply", "placeFile"),
        ("ann", first, "request", "sendFilename"),
        (first, "ann", "reply", "sendFilename"),
    ]
    assert (first, second, "request", "sendFilename") in said
    assert said[-1] == (first, "ann", "reply", "confirmFile")
    assert len(stand.of("held")) >= len(said) and all(event.method != "heartbeat" for event in stand.of("held"))


def test_a_held_message_is_shown_as_bytes_as_json_and_as_what_it_means(stand: Stand) -> None:
    cluster = stand.cluster
    cluster.stage.hold(method="placeFile", kind="request")
    backup = stand.begin("shown")
    (message,) = cluster.messages()
    assert message.meaning.startswith("ann asks manager: placeFile(client='ann', name='shown', size=8")
    assert json.loads(message.payload) == json.loads(message.json) and '\n  "' in message.json
    assert message.length == len(message.payload) and message.left_s is not None and 0 < message.left_s <= 10
    assert "placeFile" in repr(cluster.messages()) and "<table" in cluster.messages()._repr_html_()
    assert "<details" in message._repr_html_() and "ann asks manager" in repr(message)
    assert cluster.step() == [] or backup.done  # its answer is not held
    assert backup.result().complete


def test_only_what_is_asked_for_is_held(stand: Stand) -> None:
    stand.cluster.stage.hold(method="confirmFile", kind="reply", node="ann")
    backup = stand.begin("only")
    (message,) = stand.cluster.messages()
    assert (message.kind, message.method, message.receiver) == ("reply", "confirmFile", "ann")
    stand.cluster.stage.release()
    assert backup.result().complete


def test_a_message_that_is_delivered_twice_is_done_once(stand: Stand) -> None:
    cluster = stand.cluster
    cluster.stage.hold(method="updateServer", kind="request")
    backup = stand.begin("twice")
    before = len(stand.of("duplicated"))
    cluster.step(action="duplicate")
    cluster.stage.release()
    assert backup.result().complete and len(stand.of("duplicated")) == before + 1
    assert stand.restored("twice") == b"contents"


def test_a_delayed_message_comes_later(stand: Stand) -> None:
    cluster = stand.cluster
    cluster.stage.hold(method="placeFile", kind="request")
    backup = stand.begin("later")
    cluster.step(action="delay", seconds=0.5)
    assert backup.result().complete
    delayed = stand.of("delayed")[-1]
    received = next(
        event
        for event in stand.of("receive")
        if event.node == "manager" and event.method == "placeFile" and event.number > delayed.number
    )
    assert delayed.detail["seconds"] == 0.5 and received.time - delayed.time > 0.499
    sent = delayed.detail["sent"]
    assert [sent[0], sent[1]] == list(received.cause or ())


def test_a_changed_byte_is_an_error_of_the_call(stand: Stand) -> None:
    cluster = stand.cluster
    cluster.stage.hold(method="placeFile", kind="reply")
    backup = stand.begin("changed")
    (message,) = cluster.messages()
    cluster.step(message, "corrupt", byte=0, value=ord("["))
    with pytest.raises(RpclabError, match="JSON"):
        backup.result()
    assert backup.done and "failed" in repr(backup)
    corrupted = stand.of("corrupted")[-1]
    assert corrupted.detail["byte"] == 0 and corrupted.detail["value"] == ord("[") and corrupted.node == "ann"


def test_what_is_said_of_a_message_must_be_possible(stand: Stand) -> None:
    cluster = stand.cluster
    assert cluster.step() == []
    with pytest.raises(UsageError, match="no longer held"):
        cluster.step(99_999)
    cluster.stage.hold(method="placeFile")
    backup = stand.begin("possible")
    for wrong in ({"action": "explode"}, {"action": "hold"}, {"action": "corrupt", "value": 300}):
        with pytest.raises(UsageError):
            cluster.step(**wrong)
    cluster.stage.release()
    assert backup.result().complete


@pytest.mark.parametrize("world", WORLDS)
def test_rules_decide_by_themselves_and_write_what_they_did(world: str, own: Any) -> None:
    stand = own(world, limits=Limits(call_s=CALL_S))
    cluster = stand.cluster
    before = len(stand.of("lost", "delayed"))
    cluster.stage.plan(
        [
            Rule("delay", method="placeFile", kind="request", seconds=0.05, count=2),
            Rule("drop", node="ann", method="listFiles", kind="reply", count=1),
        ],
        seed=7,
    )
    for _ in range(3):
        assert stand.backup("ruled").complete
    with pytest.raises(DeadlineExceeded):
        list(stand.ann.list_files())
    assert list(stand.ann.list_files())
    found = [(event.kind, event.node, event.peer, event.method) for event in stand.of("lost", "delayed")[before:]]
    assert sorted(found) == [("delayed", "manager", "ann", "placeFile")] * 2 + [("lost", "ann", "manager", "listFiles")]


def test_looking_shows_what_a_node_knows_and_does_and_is_never_held(stand: Stand) -> None:
    cluster = stand.cluster
    stand.backup("looked")
    cluster.stage.hold()
    backup = stand.begin("looked", b"other")
    while cluster.messages()[0].method != "sendFilename":
        cluster.step()
    manager, primary = cluster.look("manager"), cluster.look(cluster.messages()[0].receiver)
    assert manager["state"] == "running" and set(manager["servers"]) == set(cluster.servers)
    assert sum(server["reserved_bytes"] for server in manager["servers"].values()) == 2 * len(b"other")
    assert "ann/looked" in manager["files"] and manager["files"]["ann/looked"]["servers"]
    assert primary["files"]["ann/looked"] == 8 and primary["stored_bytes"] >= 8 and primary["arriving"] == {}
    assert cluster.files() and "manager" in repr(cluster)  # also the cluster's own looking goes past the stage
    stand.finish(backup)
    assert cluster.look(backup.result().servers[0])["files"]["ann/looked"] == 5
    with pytest.raises(UsageError):
        cluster.look("nobody")


@pytest.mark.parametrize("world", WORLDS)
def test_a_message_held_beyond_the_deadline_is_late_and_done_all_the_same(world: str, own: Any) -> None:
    stand = own(world, limits=Limits(call_s=CALL_S))
    cluster = stand.cluster
    cluster.stage.hold(method="prepareDelete", kind="request")
    stand.backup("a")
    delete = cluster.begin(lambda: stand.ann.delete("a"))
    (message,) = cluster.messages()
    cluster.sleep(CALL_S + 0.5)
    with pytest.raises(DeadlineExceeded, match="prepareDelete"):
        delete.result()
    assert message.left_s is not None and message.left_s < 0 and "given up" in repr(cluster.messages())
    cluster.step(message)
    assert cluster.messages() == []
    stand.wait(
        lambda: [event for event in stand.of("send") if event.method == "prepareDelete" and event.node == "manager"]
    )
    assert stand.restored("a") == b"contents"  # nobody acted upon the answer


@pytest.mark.parametrize("world", WORLDS)
def test_a_held_answer_that_is_too_late_is_no_longer_there(world: str, own: Any) -> None:
    stand = own(world, limits=Limits(call_s=CALL_S))
    cluster = stand.cluster
    cluster.stage.hold(method="placeFile", kind="reply")
    backup = stand.begin()
    (message,) = cluster.messages()
    cluster.sleep(CALL_S + 0.5)
    with pytest.raises(DeadlineExceeded):
        backup.result()
    with pytest.raises(UsageError, match="no longer held"):
        cluster.step(message)
    cluster.stage.release()
    assert stand.backup().complete


@pytest.mark.parametrize("world", WORLDS)
def test_a_node_that_is_killed_holds_nothing_and_follows_again_when_it_is_back(world: str, own: Any) -> None:
    stand = own(world)
    cluster = stand.cluster
    cluster.stage.hold(method="placeFile", kind="request")
    backup = stand.begin()
    assert len(cluster.messages()) == 1
    cluster.kill("manager")
    assert cluster.messages() == []
    if world == "real":
        with pytest.raises(NotRunning):
            cluster.look("manager") and cluster._address("manager")
    cluster.restart("manager")
    stand.wait(lambda: cluster.messages() or backup.done)  # the call came again, or was given up
    cluster.stage.release()
    stand.wait(lambda: backup.done)
    assert stand.backup().complete


@pytest.mark.parametrize("world", WORLDS)
def test_a_paused_node_learns_what_to_do_when_it_goes_on(world: str, own: Any) -> None:
    stand = own(world)
    cluster = stand.cluster
    cluster.pause("manager")
    cluster.stage.hold(method="placeFile", kind="request")
    cluster.resume("manager")
    backup = stand.begin()
    stand.wait(lambda: cluster.messages() or backup.done)
    assert [message.method for message in cluster.messages()] == ["placeFile"]
    cluster.stage.release()
    assert backup.result().complete


def test_the_same_seed_and_plan_give_the_same_log() -> None:
    def log(seed: int) -> list[bytes]:
        with simulated() as cluster:
            stand = Stand(cluster, pathlib.Path())
            cluster.stage.plan([Rule("drop", probability=0.05), Rule("duplicate", probability=0.1)], seed=seed)
            for number in range(4):
                try:
                    stand.backup(str(number))
                except RpclabError:
                    continue
            cluster.stage.plan()
        return [cluster.event_log(node) for node in ["cluster", *cluster.nodes]]

    assert log(1) == log(1)
    assert log(1) != log(2)


def test_virtual_time_stands_still_while_a_message_is_held_and_passes_when_it_is_told_to() -> None:
    with simulated() as cluster:
        stand = Stand(cluster, pathlib.Path())
        cluster.stage.hold()
        backup = stand.begin()
        now = cluster.now
        assert cluster.messages() and cluster.look("manager") and repr(cluster)
        assert cluster.now == now
        cluster.step()
        assert now < cluster.now < now + 0.05
        stand.finish(backup)


def test_a_run_with_steps_is_made_again() -> None:
    with simulated() as cluster:
        stand = Stand(cluster, pathlib.Path())
        cluster.stage.hold(kind="request")
        backup = stand.begin()
        cluster.step(action="delay", seconds=0.25)
        messages = cluster.messages()
        cluster.step(messages[0])
        stand.finish(backup)
        events = len(cluster.events)
        held = next(
            number for number, event in cluster.events.items() if event.kind == "held" and event.node != "manager"
        )
        with cluster.at(held) as then:
            assert [message.method for message in then.messages()] == ["sendFilename"]
            then.stage.release()
            then.sleep(5)
            assert then.files() and not then.messages()
        with cluster.at(events) as again:
            assert isinstance(again, SimCluster) and again.files() == cluster.files()


@pytest.mark.parametrize("world", WORLDS)
def test_the_log_keeps_what_messages_say_if_asked(world: str, own: Any) -> None:
    stand = own(world, trace="messages")
    stand.backup("a", b"contents")
    (asked,) = [event for event in stand.of("receive") if event.node == "manager" and event.method == "placeFile"]
    assert json.loads(asked.detail["text"])["params"]["name"] == "a"
    assert all(len(event.detail["text"]) <= 2000 for event in stand.of("receive"))


def test_nothing_is_invalid_where_messages_were_changed_on_purpose() -> None:
    with simulated(servers=2) as cluster:
        stand = Stand(cluster, pathlib.Path())
        cluster.stage.hold(method="confirmFile", kind="reply", node="ann")
        backup = stand.begin("a", b"contents")
        (message,) = cluster.messages()
        place = message.payload.index(backup_digest := blake3(b"contents").hexdigest().encode())
        cluster.step(message, "corrupt", byte=place, value=ord("0") if backup_digest[:1] != b"0" else ord("1"))
        with contextlib.suppress(RpclabError):
            backup.result()
        cluster.disk("server1").place("server1/Backups/ann/never", b"never stored")
    report = cluster.check()
    assert not report.named(Verdict.INVALID) and "folders" in report.named(Verdict.UNKNOWN)
    assert "changed on purpose" in str(report)


@pytest.mark.parametrize("world", WORLDS)
def test_a_cluster_that_is_stopped_holds_nothing_up(world: str, own: Any) -> None:
    stand = own(world)
    stand.cluster.stage.hold()
    backup = stand.begin()
    assert stand.cluster.messages()
    began = time.monotonic()
    stand.cluster.stop()
    assert time.monotonic() - began < 8 and stand.cluster.messages() == []
    stand.wait_done(backup)


def test_processes_end_with_their_notebook_also_while_they_hold_messages(
    tmp_path: pathlib.Path, eventually: Callable[..., None]
) -> None:
    (tmp_path / "a").write_bytes(b"contents")
    program = f"""
from rpclab import LocalCluster
cluster = LocalCluster(servers=2, clients=0, ports="free", data={str(tmp_path / "data")!r})
ann = cluster.connect("ann")
cluster.stage.hold(node="manager")
cluster.begin(lambda: ann.backup({str(tmp_path / "a")!r}))
print(len(cluster.messages()), *cluster.processes().values(), flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as notebook:
        assert notebook.stdout is not None
        held, *processes = map(int, notebook.stdout.readline().split())
        notebook.kill()
    assert held and len(processes) == 3
    eventually(lambda: not any(is_running(process) for process in processes))


def is_running(process: int) -> bool:
    return psutil.pid_exists(process) and psutil.Process(process).status() != psutil.STATUS_ZOMBIE
