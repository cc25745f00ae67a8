"""What explains that a copy is not there, and what does not: versions, deletes, faults and repairs, each in a small run."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from blake3 import blake3

from rpclab.study.check import check
from rpclab.study.history import History
from rpclab.study.report import Report, Verdict
from rpclab.trace import Event

FILE = "ann/a"


def digest(contents: bytes) -> str:
    return blake3(contents).hexdigest()


class Run:
    """Builds the events of ann, a manager and three servers, and what lies on the servers' disks."""

    def __init__(self, folder: pathlib.Path, keep: int = 0) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.numbers: dict[str, int] = {}
        self.stored_bytes = {"server1": 0, "server2": 0, "server3": 0}
        self.add("manager", "started", detail={"role": "manager", **({"keep": keep} if keep else {})})
        for server in self.stored_bytes:
            (folder / server / "Backups").mkdir(parents=True)
            self.add(server, "started", detail={"role": "server"})
            self.add("manager", "registered", peer=server, detail={"stored_bytes": 0, "address": [server, 1]})

    def add(self, node: str, kind: str, cause: Event | None = None, **fields: Any) -> Event:
        self.numbers[node] = self.numbers.get(node, 0) + 1
        time = len(self.events) + 1
        link = None if cause is None else (cause.node, cause.number)
        event = Event(float(time), node, self.numbers[node], time, kind, cause=link, **fields)
        self.events.append(event)
        return event

    def tell(self, sender: str, receiver: str) -> None:
        """A message: what the receiver does from now on comes after what the sender has done."""
        self.add(receiver, "receive", self.add(sender, "send", peer=receiver), peer=sender)

    # ---- what happens

    def store(
        self,
        server: str,
        version: int,
        contents: bytes,
        *,
        copy: str = "original",
        dropped: tuple[int, ...] = (),
        upload: str = "",
    ) -> None:
        """A version becomes durable; the one before moves to Versions, those in `dropped` are removed."""
        plain = self.folder / server / "Backups" / FILE
        plain.parent.mkdir(parents=True, exist_ok=True)
        if plain.exists():
            before = self.newest(server)
            self.version(server, before).parent.mkdir(parents=True, exist_ok=True)
            plain.rename(self.version(server, before))
        for old in dropped:
            self.version(server, old).unlink()
        plain.write_bytes(contents)
        self.change(
            server,
            "stored",
            version,
            len(contents),
            copy=copy,
            digest=digest(contents),
            upload=upload or f"upload{version}",
            dropped=list(dropped),
        )

    def change(self, server: str, kind: str, version: int, size: int, *, copy: str = "", **detail: Any) -> Event:
        """A server's word on what it stores now, and its report."""
        stored = sum(path.stat().st_size for top in ("Backups", "Versions") for path in self.files(server, top))
        detail |= {"version": version, "stored_bytes": stored}
        event = self.add(server, kind, file=FILE, bytes=size, copy=copy, detail=detail)
        self.tell(server, "manager")
        self.add("manager", "reported", peer=server, detail={"stored_bytes": stored, "news": True})
        return event

    def files(self, server: str, top: str) -> list[pathlib.Path]:
        return [path for path in (self.folder / server / top).rglob("*") if path.is_file()]

    def newest(self, server: str) -> int:
        return max(event.detail["version"] for event in self.events if event.kind == "stored" and event.node == server)

    def version(self, server: str, version: int) -> pathlib.Path:
        return self.folder / server / "Versions" / FILE / str(version)

    def plain(self, server: str) -> pathlib.Path:
        return self.folder / server / "Backups" / FILE

    def replicate(
        self, sender: str, receiver: str, version: int, contents: bytes, copy: str = "replica", **named: Any
    ) -> None:
        self.add(sender, "send-data", peer=receiver, file=FILE, bytes=len(contents), copy=copy)
        self.tell(sender, receiver)
        self.store(receiver, version, contents, copy=copy, **named)
        self.tell(receiver, sender)

    def acknowledge(self, version: int, contents: bytes, *servers: str, wanted: int = 2) -> Event:
        for server in servers:
            self.tell(server, "ann")
        detail = {
            "upload": f"upload{version}",
            "copies": len(servers),
            "wanted": wanted,
            "servers": list(servers),
            "digest": digest(contents),
            "version": version,
        }
        return self.add("ann", "acknowledged", file=FILE, bytes=len(contents), detail=detail)

    def back_up(self, version: int, contents: bytes, *, dropped: tuple[int, ...] = ()) -> Event:
        """To server1 and server2."""
        self.tell("ann", "server1")
        self.store("server1", version, contents, dropped=dropped)
        self.replicate("server1", "server2", version, contents, dropped=dropped)
        return self.acknowledge(version, contents, "server1", "server2")

    def delete(self, server: str, version: int, asker: str | None = "ann") -> None:
        call = {"peer": asker or "", "method": "deleteFile", "call": 7}
        if asker:
            self.add(server, "receive", self.add(asker, "send", message="request", **call), message="request", **call)
        held = {event.detail["version"] for event in self.events if event.kind == "stored" and event.node == server}
        gone = sorted(each for each in held if each <= version)
        for path in [self.plain(server), *(self.version(server, each) for each in gone)]:
            path.unlink(missing_ok=True)
        self.change(server, "deleted", version, 0, removed=gone)
        if asker:
            self.add(server, "send", message="reply", **call)
            self.add(asker, "receive", message="reply", **{**call, "peer": server})

    def damage(self, server: str, *, logged: bool = True) -> None:
        path = self.plain(server)
        path.write_bytes(b"#" + path.read_bytes()[1:])
        if logged:
            self.add("cluster", "damaged", peer=server, file=FILE)

    def quarantine(self, server: str, version: int) -> None:
        size = self.plain(server).stat().st_size
        self.plain(server).unlink()
        self.change(server, "quarantined", version, size)

    def repair(self, source: str, target: str, version: int, contents: bytes, *, ordered: bool = True) -> None:
        detail = {"version": version, "source": source, "upload": f"repair{version}", "purpose": "repair"}
        named: dict[str, Any] = {"peer": target, "file": FILE, "bytes": len(contents), "detail": detail}
        if ordered:
            self.add("manager", "repairing", **named)
            self.tell("manager", source)
        self.replicate(source, target, version, contents, "repair", upload=f"repair{version}")
        self.tell(source, "manager")
        if ordered:
            self.add("manager", "repaired", **named)

    def drop(self, server: str, version: int) -> None:
        self.plain(server).unlink()
        self.change(server, "dropped", version, 0, reason="excess")

    def look(self) -> None:
        """A restore begins."""
        self.add("ann", "send", message="request", method="findFile", peer="manager", call=1)
        self.add("ann", "receive", message="reply", method="findFile", peer="manager", call=1)

    def restore(self, version: int, contents: bytes, asked: int | None = None, server: str = "server1") -> None:
        detail = {"digest": digest(contents), "version": version, "asked": asked}
        self.add("ann", "restored", peer=server, file=FILE, bytes=len(contents), detail=detail)

    def report(self) -> Report:
        return check(History(self.events), {server: self.folder / server for server in self.stored_bytes})

    def is_valid(self) -> None:
        report = self.report()
        assert report.valid, report

    def is_broken(self, invariant: str, verdict: Verdict, words: str = "") -> None:
        report = self.report()
        assert report.verdict is verdict and report[invariant].verdict is verdict, report
        assert words in report[invariant].sentence, report


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Run:
    return Run(tmp_path)


INVALID, UNKNOWN = Verdict.INVALID, Verdict.UNKNOWN


# ---- versions


def test_versions_that_are_kept_lie_beside_the_newest(run: Run) -> None:
    run.back_up(1, b"one")
    run.back_up(2, b"two")
    run.is_valid()
    run.version("server2", 1).write_bytes(b"eno")
    run.is_broken("copies", INVALID, "only on server1 now: server2 has other bytes")


def test_a_kept_version_that_vanished_is_missed(run: Run) -> None:
    run.back_up(1, b"one")
    run.back_up(2, b"two")
    run.version("server1", 1).unlink()
    run.is_broken("copies", INVALID, "only on server2 now")


def test_a_version_makes_way_for_as_many_as_are_kept_and_no_sooner(tmp_path: pathlib.Path) -> None:
    run = Run(tmp_path / "right", keep=2)
    for version in (1, 2, 3):
        run.back_up(version, b"%d" % version, dropped=(1,) if version == 3 else ())
    run.is_valid()
    early = Run(tmp_path / "early", keep=3)
    for version in (1, 2, 3):
        early.back_up(version, b"%d" % version, dropped=(1,) if version == 3 else ())
    early.is_broken("copies", INVALID, "ann/a was acknowledged with 2 copies")


def test_a_newer_version_that_nobody_was_promised_does_no_harm(run: Run) -> None:
    run.back_up(1, b"one")
    run.store("server1", 2, b"two")  # the client died before it heard of it
    run.look()
    run.restore(2, b"two")
    run.is_valid()


# ---- deletes


def test_what_a_client_deleted_is_not_owed_any_more(run: Run) -> None:
    run.back_up(1, b"one")
    run.delete("server1", 2)
    run.delete("server2", 2)
    run.add("ann", "removed", file=FILE, detail={"version": 2, "servers": ["server1", "server2"]})
    run.is_valid()


def test_a_delete_in_doubt_may_have_happened_or_not(run: Run) -> None:
    run.back_up(1, b"one")
    run.delete("server1", 2)  # and then its client died
    run.is_valid()


def test_a_version_backed_up_after_the_delete_is_owed(run: Run) -> None:
    run.back_up(1, b"one")
    run.delete("server1", 2)
    run.delete("server2", 2)
    run.back_up(3, b"three")
    run.is_valid()
    run.plain("server2").unlink()
    run.is_broken("copies", INVALID, "only on server1")


@pytest.mark.parametrize("asker", [None, "manager"])
def test_a_delete_that_no_client_asked_for_is_a_loss(run: Run, asker: str | None) -> None:
    run.back_up(1, b"one")
    run.delete("server1", 2, asker)
    run.delete("server2", 2, asker)
    run.is_broken("copies", INVALID, "on no server now: server1 has no such file; server2 has no such file")


def test_the_manager_may_have_versions_removed_that_are_beyond_those_kept(tmp_path: pathlib.Path) -> None:
    run = Run(tmp_path, keep=1)
    run.back_up(1, b"one")
    run.back_up(2, b"two")
    for server in ("server1", "server2"):
        run.version(server, 1).unlink()
        call = {"peer": "manager", "method": "deleteFile", "call": 3, "message": "request"}
        run.add(server, "receive", run.add("manager", "send", **{**call, "peer": server}), **call)
        run.add(server, "send", peer="manager", method="verifyFile", call=3, message="reply")  # over another connection
        run.change(server, "deleted", 1, 0, removed=[1])
    run.is_valid()


# ---- faults and repairs


def test_damage_on_purpose_that_was_not_repaired_is_unknown(run: Run) -> None:
    run.back_up(1, b"one")
    run.damage("server2")
    run.is_broken("copies", UNKNOWN, "the copy on server2 was damaged on purpose and not repaired")


def test_damage_that_nothing_explains_is_invalid(run: Run) -> None:
    run.back_up(1, b"one")
    run.damage("server2", logged=False)
    run.is_broken("copies", INVALID, "server2 has other bytes")


def test_the_damage_of_one_copy_does_not_explain_the_loss_of_the_other(run: Run) -> None:
    run.back_up(1, b"one")
    run.damage("server2")
    run.damage("server1", logged=False)
    run.is_broken("copies", INVALID, "server1 has other bytes")


@pytest.mark.parametrize("logged", [True, False])
def test_damage_that_was_found_and_repaired_is_valid(run: Run, logged: bool) -> None:
    run.back_up(1, b"one")
    run.damage("server2", logged=logged)
    run.quarantine("server2", 1)
    run.repair("server1", "server3", 1, b"one")
    run.is_valid()


def test_damage_that_was_found_and_not_repaired(run: Run) -> None:
    run.back_up(1, b"one")
    run.damage("server2", logged=False)
    run.quarantine("server2", 1)
    run.is_broken("copies", INVALID, "server2 found its copy damaged")


def test_a_copy_too_many_is_dropped_and_a_needed_one_is_not(run: Run) -> None:
    run.back_up(1, b"one")
    run.repair("server1", "server3", 1, b"one")
    run.drop("server2", 1)
    run.is_valid()
    run.drop("server3", 1)
    run.is_broken("copies", INVALID, "dropped its copy as one too many")


def test_a_kill_explains_no_loss(run: Run) -> None:
    run.back_up(1, b"one")
    run.add("cluster", "killed", peer="server2")
    run.is_valid()
    run.plain("server2").unlink()
    run.is_broken("copies", INVALID, "server2 has no such file")


def test_a_version_may_make_way_for_one_of_which_its_server_was_killed_before_it_could_tell(
    tmp_path: pathlib.Path,
) -> None:
    """Seed 131290: the journal knows the newer one, no log does."""
    from rpclab.records import FileRecord
    from rpclab.server.journal import Entry, Journal
    from rpclab.world.real import RealWorld

    run = Run(tmp_path, keep=1)
    run.tell("ann", "server1")
    run.store("server1", 1, b"one")
    run.acknowledge(1, b"one", "server1", wanted=1)
    run.plain("server1").write_bytes(b"other")
    run.is_broken("copies", INVALID, "server1 has other bytes under its name")
    run.add("cluster", "killed", peer="server1")
    run.is_broken("copies", INVALID, "server1 has other bytes under its name")
    journal = Journal(RealWorld(), str(run.folder / "server1"))
    journal.append(Entry(FileRecord("ann", "a", 5, digest(b"other"), 2)))
    journal.close()
    assert run.report()["copies"].verdict is Verdict.VALID, run.report()


def test_a_repair_that_was_made_twice_is_too_much(run: Run) -> None:
    run.back_up(1, b"one")
    run.repair("server1", "server3", 1, b"one")
    contents = b"one"
    run.add("server1", "send-data", peer="server3", file=FILE, bytes=3, copy="repair")
    run.change("server3", "stored", 1, 3, copy="repair", digest=digest(contents), upload="repair1", dropped=[])
    run.is_broken("replication", INVALID, "server3")


@pytest.mark.parametrize("late", [b"", b"1", b"one"])
def test_a_copy_that_came_when_a_newer_one_was_there_is_told_as_that(run: Run, late: bytes) -> None:
    """The server keeps what it has, whichever way that had come, and tells of it under the late copy's upload (seed 104540)."""
    run.tell("ann", "server1")
    run.store("server1", 1, late)
    run.tell("ann", "server2")
    run.store("server2", 2, b"newer")
    run.acknowledge(2, b"newer", "server2", wanted=1)
    if late:
        run.add("server1", "send-data", peer="server2", file=FILE, bytes=len(late), copy="replica")
    run.tell("server1", "server2")
    told = {"digest": digest(b"newer"), "upload": "upload1", "dropped": []}
    run.change("server2", "stored", 2, 5, copy="replica", **told)
    run.is_valid()


def test_a_copy_that_nobody_sent_is_no_late_one(run: Run) -> None:
    run.back_up(1, b"one")
    run.tell("ann", "server1")
    run.store("server1", 2, b"other")
    run.store("server2", 2, b"other", copy="replica")
    run.acknowledge(2, b"other", "server1", "server2")
    run.is_broken("replication", INVALID, "5 bytes fewer were sent to server2")


# ---- restores


def test_an_overwrite_at_the_same_time_allows_either(run: Run) -> None:
    run.back_up(1, b"one")
    run.look()
    run.back_up(2, b"two")
    run.restore(1, b"one")
    run.is_valid()
    run.look()
    run.restore(1, b"one")
    run.is_broken("restores", INVALID, "an older version than version 2")


def test_an_older_version_is_right_if_it_was_asked_for(run: Run) -> None:
    run.back_up(1, b"one")
    run.back_up(2, b"two")
    run.look()
    run.restore(1, b"one", asked=1)
    run.is_valid()


def test_the_same_contents_under_an_older_version_do_no_harm(run: Run) -> None:
    run.back_up(1, b"same")
    run.back_up(2, b"same")
    run.look()
    run.restore(1, b"same")
    run.is_valid()


def test_a_delete_at_the_same_time_allows_the_restore(run: Run) -> None:
    run.back_up(1, b"one")
    run.look()
    run.delete("server1", 2)
    run.delete("server2", 2)
    run.add("ann", "removed", file=FILE, detail={"version": 2, "servers": ["server1", "server2"]})
    run.restore(1, b"one")
    run.is_valid()
    run.look()
    run.restore(1, b"one")
    run.is_broken("restores", INVALID, "though its delete had been acknowledged")


def test_what_only_a_journal_knows_is_unknown(run: Run) -> None:
    from rpclab.records import FileRecord
    from rpclab.server.journal import Entry, Journal
    from rpclab.world.real import RealWorld

    journal = Journal(RealWorld(), str(run.folder / "server1"))
    journal.append(Entry(FileRecord("ann", "old", 3, digest(b"old"), 7)))
    journal.close()
    detail = {"digest": digest(b"old"), "version": 7, "asked": None}
    run.add("ann", "restored", peer="server1", file="ann/old", bytes=3, detail=detail)
    run.is_broken("restores", UNKNOWN, "before this run")


def test_the_empty_file_by_which_git_keeps_a_folder_is_no_stranger(run: Run) -> None:
    keep = run.folder / "server1" / "Backups" / ".gitkeep"
    keep.touch()
    run.back_up(1, b"one")
    run.look()
    run.is_valid()
    keep.write_bytes(b"no longer empty")
    run.is_broken("folders", INVALID, ".gitkeep is not named as a stored file")


# ---- counts


def test_a_server_that_took_its_leave_is_judged_by_what_it_reported_after(run: Run) -> None:
    run.back_up(1, b"contents")
    run.add("server1", "stopped")
    places = [place for place, event in enumerate(run.events) if event.kind == "reported" and event.peer == "server1"]
    report, heard = run.events[places[-1]], run.events[places[-1] - 1]
    assert heard.node == "manager" and heard.kind == "receive"
    heard.kind, heard.detail = "gone", {"reason": "its connection ended"}
    report.detail = {"stored_bytes": 8, "news": False}
    run.is_valid()
    report.detail = {"stored_bytes": 7, "news": False}
    run.is_broken("counts", INVALID, "server1")


def test_a_delete_that_was_asked_for_may_have_happened_though_no_server_could_say_so(run: Run) -> None:
    run.back_up(1, b"one")
    run.add("ann", "removing", file=FILE, detail={"version": 5})
    run.is_valid()
    run.plain("server1").unlink()
    report = run.report()
    assert report["copies"].verdict is Verdict.VALID, report
    run.back_up(6, b"after")
    run.plain("server2").unlink()
    run.is_broken("copies", INVALID, "server2 has")


def test_a_version_that_came_when_all_that_are_kept_were_newer_was_never_owed_there(tmp_path: pathlib.Path) -> None:
    """One client sends a file twice at once: the second server has the later one already, and keeps one version."""
    run = Run(tmp_path, keep=1)
    run.tell("ann", "server1")
    run.store("server1", 1, b"earlier")
    run.tell("ann", "server2")
    run.store("server2", 2, b"later")
    run.add("server1", "send-data", peer="server2", file=FILE, bytes=7, copy="replica")
    run.tell("server1", "server2")
    run.change("server2", "stored", 2, 5, copy="replica", digest=digest(b"later"), upload="upload1", dropped=[])
    run.tell("server2", "server1")
    run.acknowledge(1, b"earlier", "server1", "server2")
    run.acknowledge(2, b"later", "server2", wanted=1)
    run.is_valid()
    run.plain("server1").unlink()
    run.is_broken("copies", INVALID, "server1 has no such file")


def test_a_late_copy_may_be_told_before_the_version_that_it_found(run: Run) -> None:
    """What is durable first need not be in the log first: two tasks write it."""
    run.add("ann", "sent", file=FILE, bytes=3, detail={"upload": "upload1", "version": 1, "digest": digest(b"old")})
    run.add("ann", "sent", file=FILE, bytes=5, detail={"upload": "upload2", "version": 2, "digest": digest(b"newer")})
    run.tell("ann", "server1")
    run.store("server1", 1, b"old")
    run.add("server1", "send-data", peer="server2", file=FILE, bytes=3, copy="replica")
    run.tell("server1", "server2")
    run.tell("ann", "server2")
    run.store("server2", 2, b"newer", copy="replica", upload="upload1")
    run.change("server2", "stored", 2, 5, copy="original", digest=digest(b"newer"), upload="upload2", dropped=[])
    run.acknowledge(2, b"newer", "server2", wanted=1)
    run.is_valid()
