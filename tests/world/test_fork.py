"""A process that is forked from one that has a session: each speaks on connections of its own, and only one writes the log."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from typing import Any

import pytest

from rpclab.cluster.local import LocalCluster
from rpclab.errors import NameRefused

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
CALLS = 200


def ask(session: Any, mark: str) -> list[str]:
    """What the manager's echo did not give back."""
    asked = [f"{mark}{number}" for number in range(CALLS)]
    return [said for text in asked if (said := session.manager.string(text)) != text]


def ask_and_tell(session: Any, told: Any) -> None:
    try:
        told.put(ask(session, "child "))
    except Exception as error:
        told.put([f"{type(error).__name__}: {error}"])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of a process with threads: that is what people do
def test_a_child_gets_connections_of_its_own_and_writes_no_log_of_its_parent(
    start_cluster: Callable[..., LocalCluster],
) -> None:
    cluster = start_cluster(servers=1, clients=1, replicas=1)
    forking = multiprocessing.get_context("fork")
    with cluster.connect("ann") as session:
        assert not ask(session, "before ")
        told = forking.Queue()
        child = forking.Process(target=ask_and_tell, args=(session, told))
        child.start()
        assert not ask(session, "parent ")
        assert told.get(timeout=60) == []
        child.join(60)
        assert not ask(session, "after ")
    assert cluster.history.damaged == 0
    assert cluster.state("server1") == "running"


def test_a_name_is_checked_before_a_log_is_made_for_it(start_cluster: Callable[..., LocalCluster]) -> None:
    cluster = start_cluster(servers=1, clients=1, replicas=1)
    for name in ("a/b", "../outside", "", "two\nlines"):
        with pytest.raises(NameRefused):
            cluster.connect(name)
    assert not (cluster.folder / "outside.jsonl").exists()
