"""The trial can fail: its model and its verdict see what is planted."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from itertools import islice

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.trials.kept import unkept
from rpclab.trials.model import GONE, Attempt, Ledger
from rpclab.trials.workload import contents_of, operations

from .disks import digest_of
from .nemesis import faults
from .verdict import Surroundings, leftovers, settle


def ledger(*attempts: tuple[str, str, str] | tuple[str, str, str, int]) -> Ledger:
    """A client's attempts on one name: kind, contents, outcome, and how many versions a prune keeps."""
    made = Ledger("ann")
    for number, (kind, contents, outcome, *keep) in enumerate(attempts, 1):
        made.begin(Attempt(number, kind, "a", contents, *keep, outcome=outcome, version=number))
    return made


@pytest.mark.parametrize(
    ("attempts", "possible"),
    [
        ([], {GONE}),
        ([("backup", "x", "acknowledged")], {"x"}),
        ([("backup", "x", "refused")], {GONE}),
        ([("backup", "x", "doubt")], {GONE, "x"}),
        ([("backup", "x", "acknowledged"), ("backup", "y", "doubt"), ("delete", "", "doubt")], {"x", "y", GONE}),
        ([("backup", "x", "doubt"), ("backup", "y", "acknowledged")], {"y"}),
        ([("backup", "x", "acknowledged"), ("delete", "", "acknowledged"), ("backup", "y", "refused")], {GONE}),
        ([("backup", "x", "acknowledged"), ("prune", "", "acknowledged", 1)], {"x"}),
    ],
)
def test_what_a_client_may_believe_follows_from_what_it_was_told(
    attempts: list[tuple[str, str, str]], possible: set[str]
) -> None:
    assert ledger(*attempts).possible("a") == possible


def test_only_versions_that_must_be_kept_are_certain() -> None:
    backups = [("backup", letter, "acknowledged") for letter in "uvwxyz"]
    assert list(ledger(*backups).certain("a", 5).values()) == list("vwxyz")
    assert list(ledger(*backups, ("backup", "?", "doubt")).certain("a", 5).values()) == list("wxyz")
    assert list(ledger(*backups, ("backup", "?", "refused")).certain("a", 5).values()) == list("vwxyz")
    assert list(ledger(*backups, ("prune", "", "doubt", 2)).certain("a", 5).values()) == list("yz")
    assert list(ledger(*backups, ("delete", "", "doubt"), backups[0]).certain("a", 5).values()) == ["u"]


def test_a_seed_gives_the_same_plan_again_and_another_seed_another_one() -> None:
    for plan in (lambda seed: operations(seed, "ann"), faults):
        assert list(islice(plan(1), 50)) == list(islice(plan(1), 50)) != list(islice(plan(2), 50))
    first = next(operations(1, "ann"))
    assert contents_of(1, "ann", first) == contents_of(1, "ann", first)


def test_the_verdict_sees_a_lost_a_risen_a_changed_file_and_what_is_left_over(
    start_cluster: Callable[..., LocalCluster], make_file: Callable[..., pathlib.Path], tmp_path: pathlib.Path
) -> None:
    cluster, believed = start_cluster(servers=3, judged=False), Ledger("ann")

    def verdict() -> list[str]:
        with cluster._looking() as reader:
            return unkept(
                {"ann": believed}, reader, tmp_path / "back", 5, str, lambda path: digest_of(pathlib.Path(path))
            )

    with cluster.connect("ann") as client:
        for number, name in enumerate(("kept", "changed", "risen", "lost"), 1):
            receipt = client.backup(make_file(name, 1000), name)
            digest = receipt.file.digest
            believed.begin(
                Attempt(number, "backup", name, digest, outcome="acknowledged", version=receipt.file.version)
            )
        with cluster._looking() as reader:
            assert settle(cluster, reader, 10.0) == [] and verdict() == []

        client.backup(make_file("changed", b"not what was believed"), "changed")
        believed.begin(Attempt(9, "delete", "risen", outcome="acknowledged"))
        client.delete("lost")
        found = verdict()
    assert [each.split(" must be ")[0] for each in found if " version " not in each] == [
        "ann/changed",
        "ann/risen",
        "ann/lost",
    ]
    (holder, *_) = [
        server for server in cluster.servers if (cluster.data / f"servers/{server}/Backups/ann/kept").exists()
    ]
    (cluster.data / f"servers/{holder}/Incoming/left").write_bytes(b"x")
    (cluster.data / f"servers/{holder}/Backups/ann/kept").write_bytes(b"y" * 999)
    with cluster._looking() as reader:
        wrong = "\n".join(settle(cluster, reader, 0.0))
    assert all(text in wrong for text in ("still arriving", f"{holder}: the manager counts", "good on the disks of"))


def test_leftovers_are_seen(tmp_path: pathlib.Path, start_cluster: Callable[..., LocalCluster]) -> None:
    before = Surroundings()
    cluster = start_cluster(servers=1, judged=False)
    (cluster.data / "servers/server1/journal.jsonl.new").write_bytes(b"")
    client = cluster.connect("ann")
    text = "\n".join(leftovers(before, cluster.data, within_s=0.0))
    assert all(f"{what} is left" in text for what in ("a process", "a socket", "a temporary file"))
    client.close()
    cluster.stop()
    (cluster.data / "servers/server1/journal.jsonl.new").unlink()
    assert leftovers(before, cluster.data) == []
