"""The gap after each stored file is that of the bytes that the servers told of themselves."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest

from rpclab import LocalCluster, SimCluster, playground
from rpclab.cluster.playground import sizes_like_real_ones
from rpclab.study.gaps import gaps_by_file, gaps_simulated
from rpclab.study.history import History


def test_one_gap_for_each_stored_file() -> None:
    sizes = [300, 100, 50, 700, 20]
    with SimCluster(seed=1, servers=3, clients=1, replicas=1) as cluster:
        client = cluster.clients["client1"]
        for number, size in enumerate(sizes):
            client.put(f"f{number}", bytes(size))
            client.backup(f"f{number}")
        history = cluster.history
    # fewest bytes, of equals the first: 300 | 300 100 | 300 100 50 | 300 100 750 | 300 120 750
    stored = [(300, 0, 0), (300, 100, 0), (300, 100, 50), (300, 100, 750), (300, 120, 750)]
    assert gaps_by_file(history) == [max(each) - sum(each) / 3 for each in stored]


def test_nothing_stored_is_no_gap() -> None:
    assert gaps_by_file(History()) == []


@pytest.mark.parametrize("policy", ["random", "two-choices", "fewest-bytes"])
def test_the_simulation_decides_as_a_real_cluster_with_the_same_seed(
    start_cluster: Callable[..., LocalCluster], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    monkeypatch.setenv("RPCLAB_DATA", str(tmp_path / "data"))
    data = playground("gaps", files=20)
    cluster = start_cluster(servers=4, clients=1, replicas=1, placement=policy, seed=7, data=data)
    cluster.backup_all(progress=False)
    expected = gaps_simulated(policy, sizes_like_real_ones(20), servers=4, seed=7)
    assert gaps_by_file(cluster.history) == expected
