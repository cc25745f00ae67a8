"""The judge finds what is planted in a recorded run, in its events and on its disks; what logs hide is unknown."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from rpclab.study.check import check
from rpclab.study.history import History
from rpclab.study.report import Report, Verdict
from rpclab.trace import Event

from .stage import Stage


@dataclass
class Recorded:
    """A run, to be changed: its events and its servers' folders."""

    events: list[Event]
    servers: pathlib.Path

    def report(self) -> Report:
        return check(History(self.events), {place.name: place for place in sorted(self.servers.glob("server?"))})

    def of(self, kind: str, file: str = "", **detail: Any) -> list[Event]:
        return [
            event
            for event in self.events
            if event.kind == kind
            and file in ("", event.file)
            and all(event.detail.get(name) == value for name, value in detail.items())
        ]

    def change(self, event: Event, *, detail: dict[str, Any] | None = None, **fields: Any) -> None:
        """Have an event say something else."""
        place = self.events.index(event)
        new = msgspec.structs.replace(event, **fields, detail={**event.detail, **(detail or {})})
        self.events[place] = new

    def forget(self, event: Event) -> None:
        """An event that was never written: another one has its number."""
        self.change(event, kind="noted", file="")

    def lose(self, event: Event) -> None:
        """An event that was written and is lost: its number is missing."""
        self.events.remove(event)

    def add(self, after: Event, kind: str, **fields: Any) -> None:
        """One more event at the same node, right after another; those that follow, and who heard of them, count on."""
        detail = fields.pop("detail", {})

        def later(event: Event) -> Event:
            number = event.number + (event.node == after.node and event.number > after.number)
            cause = event.cause
            if cause is not None and cause[0] == after.node and cause[1] > after.number:
                cause = (cause[0], cause[1] + 1)
            return msgspec.structs.replace(event, number=number, cause=cause)

        added = Event(after.time, after.node, after.number + 1, after.lamport, kind, detail=detail, **fields)
        self.events = [*map(later, self.events), added]

    def copy(self, server: str, name: str) -> pathlib.Path:
        return self.servers / server / "Backups" / name

    def holders(self, name: str) -> list[str]:
        return sorted(place.name for place in self.servers.glob("server?") if (place / "Backups" / name).exists())


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Four files of ann's in two copies on three servers, one of them changed, one deleted, two restored."""
    stage = Stage(tmp_path_factory.mktemp("recorded"))
    ann = stage.client("ann")
    for name in ("a", "b", "c", "d"):
        ann.backup(stage.file(name, name.encode() * 100_000), name)
    ann.backup(stage.file("b", b"changed" * 9_000), "b")
    ann.restore("a", str(stage.folder / "back"))
    ann.restore("b", str(stage.folder / "back"))
    ann.delete("d")
    stage.stop()
    return Recorded(list(History.read(stage.events)), stage.folder / "servers")


@pytest.fixture
def run(original: Recorded, tmp_path: pathlib.Path) -> Recorded:
    """The recorded run, to be changed."""
    shutil.copytree(original.servers, tmp_path / "servers")
    return Recorded(list(original.events), tmp_path / "servers")


def test_what_was_recorded_is_valid(run: Recorded) -> None:
    report = run.report()
    assert report.valid and {each.name for each in report} == {
        "copies", "restores", "counts", "placement", "replication", "folders",
    }  # fmt: skip
    assert all(line == line.rstrip() and len(line) <= 80 for line in str(report).splitlines())


# ---- what is planted: each function changes one thing, and returns what the finding must name


def acknowledged_with_more_copies_than_made(run: Recorded) -> str:
    event = run.of("acknowledged", "ann/a")[0]
    missing = next(server for server in ("server1", "server2", "server3") if server not in event.detail["servers"])
    run.change(event, detail={"servers": [*event.detail["servers"], missing], "copies": 3, "wanted": 3})
    return missing


def acknowledged_twice_on_one_server(run: Recorded) -> str:
    event = run.of("acknowledged", "ann/a")[0]
    run.change(event, detail={"servers": [event.detail["servers"][0]] * 2})
    return "ann/a"


def acknowledged_before_it_was_stored(run: Recorded) -> str:
    """The copy is made, but nothing that the client heard came after it."""
    acknowledged = run.of("acknowledged", "ann/a")[0]
    server = acknowledged.detail["servers"][1]
    stored = next(event for event in run.of("stored", "ann/a") if event.node == server)
    run.forget(stored)
    last = max((event for event in run.events if event.node == server), key=lambda event: event.number)
    run.add(last, "stored", file="ann/a", bytes=stored.bytes, copy=stored.copy, detail=stored.detail)
    return server


def a_bit_turned_over(run: Recorded) -> str:
    server = run.holders("ann/a")[0]
    data = bytearray(run.copy(server, "ann/a").read_bytes())
    data[1000] ^= 4
    run.copy(server, "ann/a").write_bytes(data)
    return server


def a_copy_removed(run: Recorded) -> str:
    server = run.holders("ann/c")[-1]
    run.copy(server, "ann/c").unlink()
    return server


def the_version_before_put_back(run: Recorded) -> str:
    """A server has the contents again that were replaced."""
    server = run.holders("ann/b")[0]
    run.copy(server, "ann/b").write_bytes(b"b" * 100_000)
    return server


def two_servers_share_a_folder(run: Recorded) -> str:
    first, second = run.holders("ann/a")
    shutil.rmtree(run.servers / second)
    (run.servers / second).symlink_to(run.servers / first, target_is_directory=True)
    return "ann/a"


def other_bytes_restored(run: Recorded) -> str:
    event = run.of("restored", "ann/a")[0]
    run.change(event, detail={"digest": "0" * 64})
    return "ann/a"


def an_old_version_restored(run: Recorded) -> str:
    old = run.of("acknowledged", "ann/b")[0]
    event = run.of("restored", "ann/b")[0]
    run.change(event, detail={"digest": old.detail["digest"], "version": old.detail["version"]})
    return "ann/b"


def another_version_than_asked_for_restored(run: Recorded) -> str:
    event = run.of("restored", "ann/b")[0]
    run.change(event, detail={"asked": run.of("acknowledged", "ann/b")[0].detail["version"]})
    return "ann/b"


def a_deleted_file_restored(run: Recorded) -> str:
    """The delete was acknowledged before the restore began."""
    version = run.of("acknowledged", "ann/a")[0].detail["version"]
    acknowledged = run.of("acknowledged", "ann/b")[1]
    run.add(acknowledged, "removed", file="ann/a", detail={"version": version + 1, "servers": ["server1"]})
    return "ann/a"


def bytes_of_a_file_nobody_sent_restored(run: Recorded) -> str:
    event = run.of("restored", "ann/a")[0]
    run.change(event, detail={"digest": "1" * 64, "version": event.detail["version"] + 50})
    return "ann/a"


def a_report_with_other_bytes(run: Recorded) -> str:
    event = max(run.of("reported"), key=lambda event: event.number)
    run.change(event, detail={"stored_bytes": event.detail["stored_bytes"] + 1})
    return event.peer


def reports_forgotten(run: Recorded) -> str:
    server = run.holders("ann/c")[0]
    for event in run.of("reported"):
        if event.peer == server:
            run.forget(event)
    return server


def a_file_more_on_the_disk(run: Recorded) -> str:
    path = run.copy("server2", "ann/more")
    path.write_bytes(b"nobody stored this")
    return "server2"


def a_server_that_says_other_bytes(run: Recorded) -> str:
    for event in run.of("stored"):
        if event.node == "server1":
            run.change(event, detail={"stored_bytes": event.detail["stored_bytes"] + 7})
    for event in run.of("deleted"):
        run.change(event, detail={"stored_bytes": event.detail["stored_bytes"] + 7})
    return "server"


def the_wrong_one_chosen(run: Recorded) -> str:
    event = run.of("placed", "ann/c")[0]
    first, *rest = event.detail["decisions"]
    wrong = max(first["candidates"], key=first["candidates"].get)
    servers = [wrong, *(server for server in event.detail["servers"] if server != wrong)][:2]
    others = [decision for decision in rest if decision["server"] in servers]
    run.change(event, detail={"decisions": [{**first, "server": wrong}, *others], "servers": servers})
    return wrong


def a_candidate_with_other_bytes(run: Recorded) -> str:
    event = run.of("placed", "ann/c")[0]
    decisions = [dict(decision) for decision in event.detail["decisions"]]
    decisions[0]["candidates"] = {node: load + 1 for node, load in decisions[0]["candidates"].items()}
    run.change(event, detail={"decisions": decisions})
    return "ann/c"


def a_server_chosen_that_was_gone(run: Recorded) -> str:
    event = run.of("placed", "ann/c")[0]
    before = max(
        (each for each in run.events if each.node == "manager" and each.number < event.number),
        key=lambda each: each.number,
    )
    run.add(before, "gone", peer=event.detail["servers"][0])
    return event.detail["servers"][0]


def a_server_chosen_that_was_no_candidate(run: Recorded) -> str:
    event = run.of("placed", "ann/a")[0]
    first, *rest = event.detail["decisions"]
    run.change(event, detail={"decisions": [{**first, "server": "server9"}, *rest]})
    return "server9"


def bytes_sent_twice(run: Recorded) -> str:
    event = next(event for event in run.of("send-data", "ann/c") if event.copy == "replica")
    run.add(event, "send-data", peer=event.peer, bytes=event.bytes, file=event.file, copy=event.copy)
    return event.peer


def bytes_never_sent(run: Recorded) -> str:
    event = next(event for event in run.of("send-data", "ann/c") if event.copy == "replica")
    run.forget(event)
    return event.peer


def a_repair_that_nobody_ordered(run: Recorded) -> str:
    for event in (*run.of("send-data", "ann/c"), *run.of("receive-data", "ann/c"), *run.of("stored", "ann/c")):
        if event.copy == "replica":
            run.change(event, copy="repair")
    return "ann/c"


def a_copy_confirmed_that_is_not_there(run: Recorded) -> str:
    event = run.of("replicated", "ann/c")[0]
    other = next(server for server in ("server1", "server2", "server3") if server not in run.holders("ann/c"))
    run.change(event, peer=other)
    return other


def half_a_file_under_its_name(run: Recorded) -> str:
    server = run.holders("ann/a")[0]
    run.copy(server, "ann/a").write_bytes(b"a" * 50_000)
    return "ann/a"


def half_a_file_in_incoming(run: Recorded) -> str:
    (run.servers / "server3" / "Incoming" / "abcd").write_bytes(b"half")
    return "server3"


def a_file_beside_the_folders(run: Recorded) -> str:
    (run.servers / "escaped").write_bytes(b"from ../escaped")
    return "escaped"


def a_file_beside_backups(run: Recorded) -> str:
    (run.servers / "server1" / "stray").write_bytes(b"x")
    return "stray"


def a_name_that_is_refused(run: Recorded) -> str:
    (run.servers / "server1" / "Backups" / "ann").mkdir(exist_ok=True)
    (run.servers / "server1" / "Backups" / "ann" / "NUL").write_bytes(b"")
    return "NUL"


def a_link_out_of_the_folder(run: Recorded) -> str:
    (run.servers / "server1" / "Backups" / "out").symlink_to("/tmp")
    return "Backups/out"


PLANTED: dict[str, list[Callable[[Recorded], str]]] = {
    "copies": [
        acknowledged_with_more_copies_than_made,
        acknowledged_twice_on_one_server,
        acknowledged_before_it_was_stored,
        a_bit_turned_over,
        a_copy_removed,
        the_version_before_put_back,
        two_servers_share_a_folder,
    ],
    "restores": [
        other_bytes_restored,
        an_old_version_restored,
        another_version_than_asked_for_restored,
        a_deleted_file_restored,
        bytes_of_a_file_nobody_sent_restored,
    ],
    "counts": [a_report_with_other_bytes, reports_forgotten, a_file_more_on_the_disk, a_server_that_says_other_bytes],
    "placement": [
        the_wrong_one_chosen,
        a_candidate_with_other_bytes,
        a_server_chosen_that_was_gone,
        a_server_chosen_that_was_no_candidate,
    ],
    "replication": [
        bytes_sent_twice,
        bytes_never_sent,
        a_repair_that_nobody_ordered,
        a_copy_confirmed_that_is_not_there,
    ],
    "folders": [
        half_a_file_under_its_name,
        half_a_file_in_incoming,
        a_file_beside_the_folders,
        a_file_beside_backups,
        a_name_that_is_refused,
        a_link_out_of_the_folder,
    ],
}
CASES = [(invariant, plant) for invariant, plants in PLANTED.items() for plant in plants]


@pytest.mark.parametrize(
    ("invariant", "plant"), CASES, ids=[f"{invariant}-{plant.__name__}" for invariant, plant in CASES]
)
def test_what_is_planted_is_found(run: Recorded, invariant: str, plant: Callable[[Recorded], str]) -> None:
    named = plant(run)
    report = run.report()
    found = report[invariant]
    assert found.verdict is Verdict.INVALID, report
    assert any(named in finding.sentence for finding in found.deciding), report


ALONE = {
    a_bit_turned_over: {"copies"},
    other_bytes_restored: {"restores"},
    an_old_version_restored: {"restores"},
    a_report_with_other_bytes: {"counts"},
    the_wrong_one_chosen: {"placement"},
    bytes_sent_twice: {"replication"},
    bytes_never_sent: {"replication"},
    half_a_file_in_incoming: {"folders"},
}


@pytest.mark.parametrize("plant", ALONE, ids=lambda plant: plant.__name__)
def test_nothing_else_is_blamed(run: Recorded, plant: Callable[[Recorded], str]) -> None:
    plant(run)
    report = run.report()
    assert (report.named(Verdict.INVALID), report.named(Verdict.UNKNOWN)) == (ALONE[plant], set()), report


# ---- what logs hide


def lose(kind: str) -> Callable[[Recorded], None]:
    """A line that cannot be read: the event's number is missing."""

    def change(run: Recorded) -> None:
        run.lose(run.of(kind)[0])

    change.__name__ = f"lose_{kind}"
    return change


def repeat(kind: str) -> Callable[[Recorded], None]:
    def change(run: Recorded) -> None:
        run.events.append(run.of(kind)[0])

    change.__name__ = f"repeat_{kind}"
    return change


def without_log(node: str) -> Callable[[Recorded], None]:
    def change(run: Recorded) -> None:
        run.events = [event for event in run.events if event.node != node]

    change.__name__ = f"without_log_of_{node}"
    return change


def cut_short(node: str) -> Callable[[Recorded], None]:
    """The disk of a node's log was full: its last events are missing, and nothing in it says so."""

    def change(run: Recorded) -> None:
        numbers = sorted(event.number for event in run.events if event.node == node)
        run.events = [e for e in run.events if e.node != node or e.number <= numbers[len(numbers) // 3]]

    change.__name__ = f"cut_short_{node}"
    return change


HIDDEN: list[tuple[Callable[[Recorded], None], set[str]]] = [
    (lose("acknowledged"), {"copies", "restores"}),
    (lose("stored"), {"replication"}),
    (lose("reported"), {"counts", "placement"}),
    (lose("placed"), {"counts", "placement"}),
    (lose("send-data"), {"copies", "restores"}),
    (lose("replicated"), {"replication"}),
    (repeat("acknowledged"), {"copies"}),
    (repeat("placed"), {"placement"}),
    (repeat("stored"), {"replication"}),
    (without_log("ann"), {"copies"}),
    (without_log("manager"), {"counts", "placement"}),
    (without_log("server1"), {"copies", "replication"}),
    (cut_short("ann"), {"copies"}),
    (cut_short("manager"), {"counts", "placement"}),
    (cut_short("server1"), {"replication"}),
]


@pytest.mark.parametrize(("change", "hidden"), HIDDEN, ids=[getattr(change, "__name__", "") for change, _ in HIDDEN])
def test_what_a_missing_log_may_hide_is_unknown(
    run: Recorded, change: Callable[[Recorded], None], hidden: set[str]
) -> None:
    change(run)
    report = run.report()
    assert hidden <= report.named(Verdict.UNKNOWN), report
    assert not report.named(Verdict.INVALID), report


def test_lines_that_cannot_be_read_leave_only_the_disks_to_be_judged(run: Recorded) -> None:
    report = check(History(run.events, damaged=2), {p.name: p for p in sorted(run.servers.glob("server?"))})
    assert report.named(Verdict.VALID) == {"folders"}, report
    assert "2 damaged lines" in str(report)


def test_a_server_whose_folder_is_not_given_or_gone_is_unknown(run: Recorded) -> None:
    server = run.holders("ann/a")[0]
    for rest in (lambda: shutil.move(run.servers / server, run.servers / "aside"), lambda: None):
        rest()
        places = {place.name: place for place in sorted(run.servers.glob("server?"))}
        for folders in (places, {**places, server: run.servers / "nowhere"}):
            report = check(History(run.events), folders)
            assert {"copies", "folders"} <= report.named(Verdict.UNKNOWN), report
            assert not report.named(Verdict.INVALID) - {"folders"}, report


def test_an_empty_history_is_no_proof_of_anything() -> None:
    assert check(History(), {}).named(Verdict.UNKNOWN) >= {"counts", "placement"}
