"""One large file to one copy on a memory disk: ours beside a plain loop, and the peak memory of each process.

The plain loop reads, hashes (BLAKE3) and sends 1 MiB blocks over one loopback connection to a process that receives,
hashes and writes them. Both sides make a new file each time; removing the last one is not in the measured time.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from subprocess import PIPE, Popen
from time import perf_counter
from typing import Any

from blake3 import blake3

from benchmarks import ours
from benchmarks.figures import Figure, figure, missing
from benchmarks.harness import Child, ChildError, Settings, answer_questions, end_with_parent, interleave, peak_mib
from benchmarks.peers import HOST, dial

__all__ = ["measure"]

MIB = 2**20
BLOCK = MIB
LENGTH = struct.Struct(">Q")
LIMIT_MIB = 80.0  # what each process may hold, whatever the file's size
PEER, OURS = "plain", "rpclab"


def measure(settings: Settings) -> list[Figure]:
    """MiB a second of ours to the plain loop's, and each of our processes' peak memory to its limit."""
    rounds = 3 if settings.quick else 7
    small, large = (64, 256) if settings.quick else (64, 1024)
    figures: list[Figure] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=settings.memory_disk, prefix="bench-")))
        children = {name: stack.enter_context(Child("transfer", name, str(folder))) for name in (PEER, OURS)}
        for mib in (small, large):
            source = make_file(folder / f"{mib}.bin", mib)
            figures += _one_size(children, source, mib, rounds, at_least=0.85 if mib == large else None)
            source.unlink()
    settings.notes.append(f"transfer: {rounds} rounds; RAM is each process's peak since its start")
    return figures


def _one_size(children: dict[str, Child], source: Path, mib: int, rounds: int, at_least: float | None) -> list[Figure]:
    measures = {name: lambda child=child: mib / child.ask(str(source))["seconds"] for name, child in children.items()}
    name, memory = f"{mib} MiB, plain loop", f"{mib} MiB RAM"
    try:
        speeds = interleave(measures, rounds)
    except ChildError as error:
        plain = interleave({PEER: measures[PEER]}, rounds)[PEER]
        return [
            missing(name, str(error), "MiB/s", plain, at_least=at_least),
            missing(memory, str(error), "MiB", [LIMIT_MIB], at_most=1.0),
        ]
    peaks = children[OURS].ask(None)
    return [
        figure(name, "MiB/s", speeds[OURS], speeds[PEER], at_least=at_least),
        *(figure(f"{memory}, {node}", "MiB", [peak], [LIMIT_MIB], at_most=1.0) for node, peak in peaks.items()),
    ]


def make_file(path: Path, mib: int) -> Path:
    """Write a file of random bytes."""
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(MIB))
    return path


def send_plain(port: int, source: Path) -> None:
    """The plain loop's sending half: returns when the other end has said that the digests agree."""
    digest, block = blake3(), memoryview(bytearray(BLOCK))
    with dial(port) as connection, source.open("rb", buffering=0) as file:
        connection.sendall(LENGTH.pack(source.stat().st_size))
        while count := file.readinto(block):
            digest.update(block[:count])
            connection.sendall(block[:count])
        connection.sendall(digest.digest())
        if connection.recv(1) != b"1":
            raise ValueError("the plain loop's receiver got another file than was sent")


def receive_plain(connection: socket.socket, target: Path) -> None:
    """The plain loop's receiving half: the length, as many bytes, the digest."""
    digest, block = blake3(), memoryview(bytearray(BLOCK))
    left = LENGTH.unpack(connection.recv(LENGTH.size, socket.MSG_WAITALL))[0]
    with target.open("wb", buffering=0) as file:
        while left:
            count = connection.recv_into(block[:left])
            if not count:
                raise EOFError("the plain loop's sender is gone")
            digest.update(block[:count])
            file.write(block[:count])
            left -= count
    told = connection.recv(digest.digest_size, socket.MSG_WAITALL)
    connection.sendall(b"1" if told == digest.digest() else b"0")


def serve_plain(folder: Path) -> None:
    """The receiving process: one connection a file."""
    with socket.create_server((HOST, 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                receive_plain(connection, folder / "plain.copy")


def run_plain(folder: Path) -> None:
    """The peer's child: it sends; the process that receives is its own."""
    command = [sys.executable, "-m", "benchmarks.transfer", "receiver", str(folder)]
    with Popen(command, stdin=PIPE, stdout=PIPE) as receiver:
        assert receiver.stdout is not None
        port = int(receiver.stdout.readline())

        def answer(source: str) -> Any:
            (folder / "plain.copy").unlink(missing_ok=True)
            start = perf_counter()
            send_plain(port, Path(source))
            return {"seconds": perf_counter() - start}

        answer_questions(answer)
        receiver.kill()


def run_ours(folder: Path) -> None:
    """Our child: it is the client; the manager and the server are processes of the cluster."""
    with ours.cluster(folder, servers=1, replicas=1, trace=True) as cluster:
        session = cluster.connect("bench")

        def answer(source: str | None) -> Any:
            if source is None:
                return {node: peak_mib(pid) for node, pid in {"client": os.getpid(), **cluster.processes()}.items()}
            with suppress(Exception):  # the first time there is nothing to delete
                session.delete(Path(source).name)
            start = perf_counter()
            session.backup(source)
            return {"seconds": perf_counter() - start}

        answer_questions(answer)


def main(side: str, folder: Path) -> None:
    if side == "receiver":
        end_with_parent()
        serve_plain(folder)
    elif side == PEER:
        run_plain(folder)
    else:
        run_ours(folder)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
