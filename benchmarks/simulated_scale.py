"""The simulated cluster at 1,000 servers: how long it takes until 20,000 small files are backed up, two copies each.

One process in virtual time, processor time counted, without event logs. Every server sends its heartbeats meanwhile. The peer is
no program but what is wanted: a minute for all of them; the quick form backs a tenth up and wants a tenth of that.
"""

from __future__ import annotations

import sys
from time import process_time

from benchmarks.figures import Figure, figure, missing
from benchmarks.harness import Child, ChildError, Settings, answer_questions, pin
from rpclab.cluster.simulated import SimCluster

__all__ = ["measure"]

SERVERS, CLIENTS, FILES = 1_000, 8, 20_000
WANTED_S = 60.0
CONTENTS = b"x" * 100


def measure(settings: Settings) -> list[Figure]:
    """Seconds to what is wanted, for the start of the cluster and all backups together."""
    files = FILES // 10 if settings.quick else FILES
    name = f"{SERVERS:,} servers, {files:,} files"
    try:
        with Child("simulated_scale", str(files)) as child:
            seconds = child.ask()["seconds"]
    except ChildError as error:
        return [missing(name, str(error), "s", at_most=1.0)]
    return [figure(name, "s", [seconds], [WANTED_S * files / FILES], at_most=1.0)]


def backed_up(files: int) -> float:
    """Seconds of processor time until the cluster runs and has so many files, by eight clients side by side."""
    began = process_time()
    cluster = SimCluster(seed=1, servers=SERVERS, clients=CLIENTS, trace=False)

    def work(client: str) -> None:
        session = cluster.clients[client]
        for number in range(files // CLIENTS):
            session.backup(session.put(f"file{number}", CONTENTS))

    cluster.run(*(lambda client=client: work(client) for client in cluster.clients))  # type: ignore[misc]
    seconds = process_time() - began
    if len(cluster.files()) != files or any(len(each.servers) != 2 for each in cluster.files()):
        raise ValueError("not every file has its two copies")
    return seconds


def main(files: int) -> None:
    """The child: each question is answered with the seconds."""
    pin()
    answer_questions(lambda _: {"seconds": backed_up(files)})


if __name__ == "__main__":
    main(int(sys.argv[1]))
