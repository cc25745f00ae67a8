"""A world in memory for one conversation: the peer's bytes are the fuzzer's, time passes only where they are received."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from rpclab.config import Address
from rpclab.errors import DeadlineExceeded
from rpclab.world.base import Buffer

__all__ = ["NONCE", "MemoryStream", "MemoryWorld"]

NONCE = bytes(range(32))  # always the same, so that a proof in a seed stays right


class MemoryStream:
    """Gives the bytes in pieces of one size; each receive takes `step_s` seconds of its clock."""

    certified: frozenset[str] | None = None
    peer: Address = ("127.0.0.1", 1)

    def __init__(self, data: bytes, piece: int, step_s: float = 0.0) -> None:
        self.data, self.piece, self.step_s = data, piece, step_s
        self.time = 0.0
        self.taken = 0
        self.sent = bytearray()
        self.closed = False

    def now(self) -> float:
        return self.time

    def receive_into(self, view: memoryview, deadline: float | None) -> int:
        assert len(view), "a receive into no room at all"
        self.time += self.step_s
        if deadline is not None and self.time >= deadline:
            raise DeadlineExceeded("too late")
        piece = self.data[self.taken : self.taken + min(self.piece, len(view))]
        view[: len(piece)] = piece
        self.taken += len(piece)
        return len(piece)

    def send(self, buffers: Sequence[Buffer], deadline: float | None) -> None:
        assert not self.closed, "sent after the end"
        for buffer in buffers:
            self.sent += buffer

    def shutdown(self) -> None:
        self.closed = True

    close = shutdown


class MemoryTask:
    def __init__(self, name: str) -> None:
        self.name = name

    def join(self, timeout: float | None = None) -> bool:
        return True


class MemoryWorld:
    """A clock, a network with one stream, and tasks that run one after another when `run` is called; no disk, no chance."""

    lock = staticmethod(threading.Lock)
    condition = staticmethod(threading.Condition)

    def __init__(self, stream: MemoryStream) -> None:
        self.clock = self.network = self.tasks = self
        self.now = self.wall = stream.now
        self.address: Address = ("127.0.0.1", 2)
        self._stream: MemoryStream | None = stream
        self._waiting: deque[Callable[[], object]] = deque()

    def listen(self, address: Address) -> MemoryWorld:
        return self

    def accept(self) -> MemoryStream | None:
        stream, self._stream = self._stream, None
        return stream

    def connect(self, address: Address, deadline: float | None, *, nagle: bool = False) -> MemoryStream:
        assert self._stream is not None
        return self._stream

    def spawn(self, function: Callable[[], object], name: str) -> MemoryTask:
        self._waiting.append(function)
        return MemoryTask(name)

    def is_end(self, error: BaseException) -> bool:
        return False

    def run(self) -> None:
        while self._waiting:
            self._waiting.popleft()()

    def nonce(self, length: int) -> bytes:
        return NONCE[:length]

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody has a reason to sleep here")

    def close(self) -> None:
        return
