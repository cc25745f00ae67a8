"""What many checks do with a cluster, real or simulated: back files up, restore them, restart every node."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

from ..cluster.local import LocalCluster
from ..errors import RpclabError, error_text
from .lab import Broken
from .trial import Trial

__all__ = ["back_up", "back_up_and_restore", "blamed", "restart_everything", "restore_all", "works_through_restarts"]


def back_up(cluster: Any, trial: Trial, count: int = 4, client: str = "client1") -> dict[str, bytes]:
    """Put sample files into a client's folder and back them up; returns their contents by name."""
    files = trial.files(count)
    node = cluster.clients[client]
    for name, contents in files.items():
        if isinstance(cluster, LocalCluster):
            (pathlib.Path(node.folder) / name).write_bytes(contents)
        else:
            node.put(name, contents)
        node.backup(name)
    return files


def restore_all(cluster: Any, trial: Trial, files: dict[str, bytes], fault: str, client: str = "client1") -> None:
    """Restore files and compare them byte for byte; raises Broken with this fault."""
    node = cluster.clients[client]
    for name, contents in files.items():
        if isinstance(cluster, LocalCluster):
            found = pathlib.Path(node.restore(name, trial.folder / "restored").path).read_bytes()
        else:
            found = node.read(node.restore(name).path)
        if found != contents:
            raise Broken(
                fault, f"{name} of {len(contents):,} bytes came back as {len(found):,} bytes, or as other ones"
            )


def back_up_and_restore(cluster: Any, trial: Trial, fault: str) -> dict[str, bytes]:
    """Both, one after the other."""
    files = back_up(cluster, trial)
    restore_all(cluster, trial, files, fault)
    return files


def restart_everything(cluster: Any) -> None:
    """Each node once, the manager last: what a node keeps only in its memory is gone then."""
    for node in sorted(cluster.nodes, key=lambda name: name == "manager"):
        cluster.restart(node)


def works_through_restarts(cluster: Any, trial: Trial) -> None:
    """Files go there and come back, before and after each node was restarted; what does not is the fault `cluster`."""
    back_up_and_restore(cluster, trial, "cluster")
    restart_everything(cluster)
    back_up_and_restore(cluster, trial, "cluster")


@contextlib.contextmanager
def blamed(fault: str, where: str) -> Iterator[None]:
    """What the system itself complains of in the block is this fault of the student's part."""
    try:
        yield
    except RpclabError as error:
        raise Broken(fault, f"{where}: {type(error).__name__}: {error_text(error)}") from error
