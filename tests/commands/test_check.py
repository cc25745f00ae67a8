"""`rpclab check`: the judge on the command line."""

from __future__ import annotations

import pathlib

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.errors import UsageError
from rpclab.study.report import Report, Verdict

from .conftest import Shell


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder in which a cluster has run, and has ended."""
    shell = Shell(tmp_path_factory.mktemp("ended"))
    assert shell("up", "--ports", "free", "--clients", "0").status == 0
    assert shell("backup", shell.write("a.txt"), shell.write("b.txt", b"b" * 70_000)).status == 0
    assert shell("down").status == 0
    return shell


def test_a_run_that_kept_every_promise_is_valid(ended: Shell) -> None:
    ran = ended("check")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("The run is valid: of 6 invariants 6 valid.")
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    assert ended("check", "data/runs/rpclab").out == ended("check", "data/runs/rpclab/events").out == ran.out


def test_a_damaged_copy_is_invalid_and_named(ended: Shell) -> None:
    path = next(iter(sorted(ended.folder.glob("data/servers/*/Backups/client1/b.txt"))))
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"X")
    try:
        ran = ended("check", "--json")
    finally:
        path.write_bytes(good)
    assert ran.status == 1
    assert (ran.document["ok"], ran.document["exit"], ran.document["verdict"]) == (False, 1, "invalid")
    found = {each["name"]: each for each in ran.document["invariants"]}
    assert {name for name, each in found.items() if each["verdict"] == "invalid"} == {"copies"}
    finding = found["copies"]["findings"][0]
    assert (finding["node"], finding["file"]) == (path.parts[-4], "client1/b.txt")
    assert [event["kind"] for event in finding["events"]] == ["acknowledged"]


def test_what_cannot_be_known_has_a_status_of_its_own(ended: Shell, tmp_path: pathlib.Path) -> None:
    ran = ended("check", "--servers", tmp_path)
    assert ran.status == 5 and "unknown" in ran.out and "there is no such folder" in ran.out


def test_a_folder_without_events_is_told(ended: Shell, tmp_path: pathlib.Path) -> None:
    for folder, words in ((tmp_path, "no events"), (tmp_path / "nowhere", "no folder")):
        ran = ended("check", folder)
        assert ran.status == 2 and words in ran.err and ran.err.count("\n") == 1


def test_a_cluster_without_event_logs_says_that_there_is_nothing_to_judge(tmp_path: pathlib.Path) -> None:
    with (
        LocalCluster(servers=1, clients=0, replicas=1, ports="free", data=tmp_path / "data", trace=False) as cluster,
        pytest.raises(UsageError, match="trace=False"),
    ):
        cluster.check()


def test_a_cluster_is_judged_while_it_runs(tmp_path: pathlib.Path) -> None:
    with LocalCluster(servers=3, clients=0, ports="free", data=tmp_path / "data") as cluster:
        assert cluster.check().valid
        (tmp_path / "a").write_bytes(bytes(3 << 20))
        seen: list[Report] = []
        with cluster.connect("ann") as session:
            session.backup(tmp_path / "a", progress=lambda done, total: seen.append(cluster.check()))
        assert cluster.check().valid
        assert seen and not any(report.named(Verdict.INVALID) - {"replication"} for report in seen), seen[0]
