"""The judge finds what wrong code does: real parts, one of them broken, and their run is judged."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

from rpclab.client.session import Client
from rpclab.errors import RpclabError
from rpclab.manager.service import Manager
from rpclab.records import ServerRecord
from rpclab.server.service import Server
from rpclab.study.report import Verdict

from .stage import Stage


def work(stage: Stage) -> None:
    """What a few people do: back up, change, restore, delete."""
    ann, ben = stage.client("ann"), stage.client("ben")
    for number in range(4):
        ann.backup(stage.file("a", b"ann" * (number + 1) * 1000), f"a{number}")
    ben.backup(stage.file("b", b"ben" * 70_000), "b")
    ben.backup(stage.file("b", b"changed" * 20_000), "b")
    in_the_middle(ann, ben, stage)
    ann.restore("a1", str(stage.folder / "back"))
    ben.restore("b", str(stage.folder / "back"))
    ann.restore("b", str(stage.folder / "back"), client="ben")
    ann.delete("a3")


def in_the_middle(ann: Client, ben: Client, stage: Stage) -> None:
    """One backs a file up while another one's is on its way."""
    waiting = ["c", "d"]

    def meanwhile(done: int, total: int) -> None:
        if waiting:
            ben.backup(stage.file("c", b"meanwhile"), waiting.pop())

    ann.backup(stage.file("long", bytes(3 << 20)), "long", progress=meanwhile)


# ---- what is broken: each function breaks one part


def acknowledges_copies_that_it_never_makes(server: Server) -> None:
    server._replication._attempt = lambda copies, file, upload, target, *rest: copies.nodes.append(target.node)  # type: ignore


def after_each_report(server: Server, act: Callable[[str, pathlib.Path], None]) -> None:
    """Do something with each file that was stored, once the manager was told of it: its name, and its path."""
    report = server.link.report

    def tell(told: tuple[int, int], *rest: Any, stored: Any = (), **named: Any) -> bool:
        heard = report(told, *rest, stored=stored, **named)
        for file in stored:
            if not file.deleted:
                act(file.name, pathlib.Path(server.store.folder, "Backups", file.client, file.name))
        return heard

    server.link.report = tell  # type: ignore[method-assign]


def forgets_what_it_promised(server: Server) -> None:
    """When it stores a2, a1 vanishes."""
    after_each_report(server, lambda name, path: path.with_name("a1").unlink(missing_ok=True) if name == "a2" else None)


def stores_other_bytes(server: Server) -> None:
    """A bit turns over on the disk once a copy is on its way to be the last one."""

    def turn(name: str, path: pathlib.Path) -> None:
        other = path.with_name("a1")
        if name == "a2" and other.exists():
            other.write_bytes(b"X" + other.read_bytes()[1:])

    after_each_report(server, turn)


def tells_too_few_bytes(server: Server) -> None:
    report = server.link.report

    def less(told: tuple[int, int], *rest: Any, **named: Any) -> None:
        report((told[0], told[1] // 2), *rest, **named)

    server.link.report = less  # type: ignore[method-assign]


def never_reports(server: Server) -> None:
    server.link.report = lambda *told, **named: True  # type: ignore[method-assign]


def does_not_listen_to_reports(manager: Manager) -> None:
    """It writes down what it is told, and goes on with what it knew: its books say nothing was stored."""
    update = manager.directory.update

    def forget(address: Any, *, stored_bytes: int, **named: Any) -> bool:
        return update(address, stored_bytes=0, **named)

    manager.directory.update = forget  # type: ignore[method-assign]


def chooses_the_fullest(manager: Manager) -> None:
    manager.directory.placing._policy = lambda servers, request, random: max(
        servers, key=lambda each: each.stored_bytes
    )


def ignores_what_it_has_promised(manager: Manager) -> None:
    manager.directory.placing.reserve = lambda *named: None  # type: ignore[method-assign]


def takes_one_server_twice(manager: Manager) -> None:
    choose = manager.directory.placing.choose
    manager.directory.placing.choose = lambda *, exclude=None, **named: choose(**named)  # type: ignore[method-assign]


def sends_every_copy_twice(server: Server) -> None:
    attempt = server._replication._attempt

    def twice(copies: Any, *named: Any) -> None:
        attempt(copies, *named)
        attempt(copies, *named)
        copies.nodes[:] = dict.fromkeys(copies.nodes)

    server._replication._attempt = twice  # type: ignore[method-assign]


def sends_one_copy_too_many(server: Server) -> None:
    copy_after = server._replication.copy_after

    def more(file: Any, upload: str, count: int, route: Any, *rest: Any, **named: Any) -> Any:
        listed = server.link._pool.call("listServers", returns=list[ServerRecord])  # type: ignore[attr-defined]
        others = [each for each in listed if each.address != server._address]
        made = copy_after(file, upload, count + 1, others, *rest, **named)
        del made.nodes[count:]
        return made

    server._replication.copy_after = more  # type: ignore[method-assign]


def says_that_copies_exist_elsewhere(server: Server) -> None:
    """It tells its log of copies that the other server never acknowledged."""
    confirmed = server._replication._confirmed

    def boast(receipt: Any, sent: Any, *rest: Any) -> Any:
        confirmed(receipt, replace(sent, version=sent.version + 99), *rest)
        return confirmed(receipt, sent, *rest)

    server._replication._confirmed = boast  # type: ignore[method-assign]


def leaves_half_a_file(server: Server) -> None:
    """A file loses its end, once it has its name and its copies are made."""

    def cut(name: str, path: pathlib.Path) -> None:
        other = path.with_name("a0")
        if name == "a1" and other.exists():
            other.write_bytes(other.read_bytes()[:-1])

    after_each_report(server, cut)


def writes_beside_its_folder(server: Server) -> None:
    pathlib.Path(server.store.folder).parent.joinpath("notes.txt").write_text("not in a server's folder")


def never_empties_incoming(server: Server) -> None:
    stop = server.stop

    def stop_and_leave(within_s: float = 0.0) -> None:
        stop(within_s)
        pathlib.Path(server.store.folder, "Incoming", "0123").write_bytes(b"half")

    server.stop = stop_and_leave  # type: ignore[method-assign]


def remembers_what_it_restored(client: Client) -> None:
    """A cache that is never cleared: what was restored once is given again."""
    fetch, known = client._restoring._fetch, {}

    def cached(server: Any, wanted: Any, *rest: Any) -> Any:
        if wanted.name not in known:
            known[wanted.name] = fetch(server, wanted, *rest)
        return known[wanted.name]

    client._restoring._fetch = cached  # type: ignore[method-assign]


def believes_whatever_comes(client: Client) -> None:
    """Its disk turns a bit over, and it says that it restored what it then has."""
    fetch = client._restoring._fetch

    def careless(*named: Any) -> Any:
        return replace(fetch(*named), digest="0" * 64)

    client._restoring._fetch = careless  # type: ignore[method-assign]


def finds_what_it_found_first(manager: Manager) -> None:
    """It does not look again where a file lies: an old version, though the servers keep it, is not the newest."""
    locate, known = manager.directory.locate, {}

    def cached(client: str, name: str, *rest: Any) -> Any:
        if (client, name) not in known:
            known[client, name] = locate(client, name, *rest)
        return known[client, name]

    manager.directory.locate = cached  # type: ignore[method-assign]


@dataclass
class Planted:
    breaks: Callable[..., None]
    invariant: str
    names: str
    more: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.breaks.__name__


SERVERS = [
    Planted(acknowledges_copies_that_it_never_makes, "copies", "ann/a", more=("replication",)),
    Planted(forgets_what_it_promised, "copies", "ann/a1", more=("counts",)),
    Planted(stores_other_bytes, "copies", "ann/a1"),
    Planted(tells_too_few_bytes, "counts", "server"),
    Planted(never_reports, "counts", "server"),
    Planted(sends_every_copy_twice, "replication", "ann/a"),
    Planted(sends_one_copy_too_many, "replication", "ann/a"),
    Planted(says_that_copies_exist_elsewhere, "replication", "ann/a"),
    Planted(leaves_half_a_file, "folders", "ann/a0", more=("copies", "counts")),
    Planted(writes_beside_its_folder, "folders", "notes.txt"),
    Planted(never_empties_incoming, "folders", "Incoming"),
]

MANAGERS = [
    Planted(does_not_listen_to_reports, "placement", "ann/"),
    Planted(chooses_the_fullest, "placement", "ann/"),
    Planted(ignores_what_it_has_promised, "placement", "ben/d"),
    Planted(takes_one_server_twice, "placement", "ann/", more=("copies",)),
]


def test_a_run_in_which_nothing_is_broken_is_valid(tmp_path: pathlib.Path) -> None:
    stage = Stage(tmp_path)
    work(stage)
    report = stage.report()
    assert report.valid, report


@pytest.mark.parametrize("planted", SERVERS, ids=str)
def test_a_server_that_is_wrong_is_found(tmp_path: pathlib.Path, planted: Planted) -> None:
    stage = Stage(tmp_path, break_server=planted.breaks)
    run_and_judge(stage, planted)


@pytest.mark.parametrize("planted", MANAGERS, ids=str)
def test_a_manager_that_is_wrong_is_found(tmp_path: pathlib.Path, planted: Planted) -> None:
    stage = Stage(tmp_path, break_manager=planted.breaks)
    run_and_judge(stage, planted)


def run_and_judge(stage: Stage, planted: Planted) -> None:
    with contextlib.suppress(RpclabError):  # the clients may see the fault too
        work(stage)
    report = stage.report()
    found = report[planted.invariant]
    assert found.verdict is Verdict.INVALID, report
    assert planted.names in found.sentence, report
    assert report.named(Verdict.INVALID) <= {planted.invariant, *planted.more}, report


@pytest.mark.parametrize("breaks", [remembers_what_it_restored, believes_whatever_comes], ids=lambda f: f.__name__)
def test_a_client_that_is_wrong_is_found(tmp_path: pathlib.Path, breaks: Callable[[Client], None]) -> None:
    stage = Stage(tmp_path)
    ann, back = stage.client("ann"), str(tmp_path / "back")
    breaks(ann)
    for contents in (b"one", b"changed"):
        ann.backup(stage.file("a", contents), "a")
        ann.restore("a", back)
    report = stage.report()
    assert report.named(Verdict.INVALID) == {"restores"}, report
    assert "ann/a" in report["restores"].sentence


def test_a_manager_that_finds_old_versions_is_found(tmp_path: pathlib.Path) -> None:
    stage = Stage(tmp_path, break_manager=finds_what_it_found_first)
    ann, back = stage.client("ann"), str(tmp_path / "back")
    for contents in (b"one", b"changed"):
        ann.backup(stage.file("a", contents), "a")
        ann.restore("a", back)
    report = stage.report()
    assert report.named(Verdict.INVALID) == {"restores"}, report
    assert "an older version" in report["restores"].sentence
