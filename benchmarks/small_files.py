"""Files of 4 KiB, each to two durable copies, on a real disk: ours beside a plain loop of the syncs that this needs.

The plain loop does, twice for each file: new file, write, fsync, close, rename, fsync of the folder. It talks to
nobody and keeps no journal; ours syncs a journal too (three syncs a copy, not two), so the ratio is the cost of the
RPC, the journal and all else together. A child is one client; eight clients are eight children at once.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from itertools import count, islice
from pathlib import Path
from time import perf_counter

from benchmarks import ours
from benchmarks.figures import Figure, figure, missing
from benchmarks.harness import Child, ChildError, Settings, answer_questions, interleave

__all__ = ["measure"]

SIZE = 4096
COPIES = 2
CLIENTS = (1, 8)
PEER, OURS = "plain", "rpclab"

Backup = Callable[[Path], object]


def measure(settings: Settings) -> list[Figure]:
    """Files a second of ours to the plain loop's, with one client and with eight."""
    rounds, files = (3, 40) if settings.quick else (9, 160)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=settings.disk, prefix="bench-")))
        figures = [_one_count(folder, clients, files // clients, rounds) for clients in CLIENTS]
    settings.notes.append(
        f"small files: {rounds} rounds of {files}; the peer is a local loop, two syncs a copy (ours: three)"
    )
    return figures


def _one_count(folder: Path, clients: int, each: int, rounds: int) -> Figure:
    name = f"4 KiB, {clients} client{'s' * (clients > 1)}"
    with ExitStack() as stack:

        def start(side: str, number: int, way: str = "") -> Child:
            return stack.enter_context(Child("small_files", side, str(folder), str(number), way))

        peers = [start(PEER, number) for number in range(clients)]
        measures = {PEER: lambda: rate(peers, each)}
        try:
            way = json.dumps(start("cluster", clients).ask())
            sessions = [start(OURS, number, way) for number in range(clients)]
            rates = interleave({**measures, OURS: lambda: rate(sessions, each)}, rounds)
        except ChildError as error:
            return missing(name, str(error), "/s", interleave(measures, rounds)[PEER])
    return figure(name, "/s", rates[OURS], rates[PEER])


def rate(children: list[Child], each: int) -> float:
    """Files a second of all children at work at once; the files to be read are made, and synced, before."""
    for child in children:
        child.ask({"make": each})
    if hasattr(os, "sync"):
        os.sync()  # else the first measured sync would write the sources too
    start = perf_counter()
    for child in children:
        child.send({"store": each})
    for child in children:
        child.receive()
    return len(children) * each / (perf_counter() - start)


def sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows has no such thing."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def store_plain(content: bytes, target: Path) -> None:
    """One durable copy."""
    with target.with_suffix(".new").open("wb", buffering=0) as file:
        file.write(content)
        os.fsync(file.fileno())
    target.with_suffix(".new").replace(target)
    sync_folder(target.parent)


def plain(folder: Path, number: str) -> Backup:
    """The peer's way to back a file up: two local copies, as two servers would write them."""
    copies = [folder / f"plain-copy{copy}" / number for copy in range(COPIES)]
    for copy in copies:
        copy.mkdir(parents=True, exist_ok=True)

    def backup(source: Path) -> None:
        content = source.read_bytes()
        for copy in copies:
            store_plain(content, copy / source.name)

    return backup


def client(side: str, folder: Path, number: str, backup: Backup) -> None:
    """A client's child: makes files when asked, each with a name of its own, and backs them up when asked."""
    sources = folder / f"{side}-sources" / number
    sources.mkdir(parents=True, exist_ok=True)
    made = (sources / f"{i}.bin" for i in count())
    stored = (sources / f"{i}.bin" for i in count())

    def answer(question: dict[str, int]) -> bool:
        for source in islice(made, question.get("make", 0)):
            source.write_bytes(os.urandom(SIZE))
        for source in islice(stored, question.get("store", 0)):
            backup(source)
        return True

    answer_questions(answer)


def main(side: str, folder: Path, number: str, way: str) -> None:
    if side == PEER:
        client(side, folder, number, plain(folder, number))
    elif side == OURS:
        with ours.attach(json.loads(way), f"bench{number}") as session:
            client(side, folder, number, lambda source: session.backup(str(source)))
    else:
        with ours.cluster(folder, servers=COPIES, replicas=COPIES, acknowledge="all") as cluster:
            answer_questions(lambda _: ours.way_to(cluster))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4])
