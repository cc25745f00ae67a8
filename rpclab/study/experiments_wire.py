"""The experiment on the wire: what Nagle's algorithm and delayed acknowledgements cost a last small write. Real sockets."""

from __future__ import annotations

import socket
import threading
from statistics import median
from time import perf_counter

from .outcome import Axis, Outcome, Row, Series

__all__ = ["nagle", "seconds_for_small_last_write"]

_END = b"EOF"


def seconds_for_small_last_write(size: int, *, nagle: bool, together: bool = False, rounds: int = 12) -> list[float]:
    """Seconds a round on loopback: a file of so many bytes, its mark of three bytes in a write of its own, an answer; or, with
    `together`, file and mark in one write.

    With Nagle's algorithm (RFC 896) the mark waits until the file is acknowledged, and the receiver delays that
    acknowledgement because it has nothing to say yet (RFC 1122, 4.2.3.2; 40 ms on Linux).
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = socket.create_connection(listener.getsockname(), timeout=30)
        receiver, _ = listener.accept()
    receiver.settimeout(30)
    with sender, receiver:
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, not nagle)
        receiver.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        answering = threading.Thread(
            target=_answer, args=(receiver, size + len(_END), rounds), name="nagle-receiver", daemon=True
        )  # ends with its socket
        answering.start()
        taken = []
        for _ in range(rounds):
            start = perf_counter()
            if together:
                sender.sendall(b"x" * size + _END)
            else:
                sender.sendall(b"x" * size)
                sender.sendall(_END)
            if not sender.recv(1):
                raise ConnectionError("the receiver ended early")
            taken.append(perf_counter() - start)
        answering.join(30)
    return taken


def _answer(receiver: socket.socket, size: int, rounds: int) -> None:
    for _ in range(rounds):
        missing = size
        while missing:
            piece = receiver.recv(missing)
            if not piece:
                return
            missing -= len(piece)
        receiver.sendall(b"k")


def nagle(seed: int = 1, rounds: int = 12) -> Outcome:
    """How long a file and its small last write take with Nagle's algorithm and without; `seed` changes nothing here."""
    sizes = (1024, 4096, 16384)
    waits = {
        on: [1000 * median(seconds_for_small_last_write(size, nagle=on, rounds=rounds)) for size in sizes]
        for on in (True, False)
    }
    return Outcome(
        "nagle",
        "A last small write, with Nagle's algorithm and without",
        "The file is there at once; its last three bytes wait 40 ms for an acknowledgement that is held back.",
        (
            Row("4 KiB and a small last write, Nagle: ms, median", waits[True][1], 47, 40, 15, 15),
            Row("the same without", waits[False][1], None, 0, None, 15),
        ),
        Axis("file (B)", log=True),
        Axis("time for file, mark and answer (ms)", log=True),
        (
            Series("delayed acknowledgement: 40 ms", sizes, [40.0] * len(sizes), "theory", 0),
            Series("with Nagle's algorithm, measured", sizes, waits[True], "simulation", 0),
            Series("without, measured", sizes, waits[False], "simulation", 1),
        ),
    )
