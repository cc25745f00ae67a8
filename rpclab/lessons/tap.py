"""A tap on the wire: stands between a caller and a node, hears every byte in both directions, and may change what it hears."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..config import PACKET_BYTES, Address
from ..errors import RpclabError
from ..world.base import Stream, Task
from ..world.real import RealWorld

__all__ = ["Tap"]


class Tap:
    """Connect to its `address` in place of the node's: what is said is passed on, and kept. A context manager.

    `alter` is given each piece as it comes and returns what is passed on in its place; set it at any time.
    """

    def __init__(self, node: Address, alter: Callable[[bytes], bytes] | None = None) -> None:
        self.alter = alter
        self._node, self._world = node, RealWorld(loopback_only=True)
        self._lock = threading.Lock()  # guards what follows
        self._said: list[tuple[str, bytes]] = []
        self._streams: list[Stream] = []
        self._tasks: list[Task] = []
        self._listening = self._world.network.listen(("127.0.0.1", 0))
        self.address: Address = self._listening.address
        self._accepting = self._world.tasks.spawn(self._accept, "tap-accept")

    def said(self, who: str | None = None) -> bytes:
        """All that was said so far: by the "caller", by the "node", or by both as it came."""
        with self._lock:
            return b"".join(data for speaker, data in self._said if who in (None, speaker))

    def _accept(self) -> None:
        while (caller := self._listening.accept()) is not None:
            try:
                node = self._world.network.connect(self._node, self._world.clock.now() + 5)
            except RpclabError:
                caller.close()
                continue
            with self._lock:
                self._streams += [caller, node]
                for who, here, there in (("caller", caller, node), ("node", node, caller)):
                    passing = lambda who=who, here=here, there=there: self._pass(who, here, there)  # noqa: E731
                    self._tasks.append(self._world.tasks.spawn(passing, f"tap-{who}"))

    def _pass(self, who: str, here: Stream, there: Stream) -> None:
        buffer = bytearray(PACKET_BYTES)
        try:
            while count := here.receive_into(memoryview(buffer), None):
                data = bytes(buffer[:count])
                data = data if self.alter is None else self.alter(data)
                with self._lock:
                    self._said.append((who, data))
                there.send([data], None)
        except RpclabError:
            pass  # one of them has gone: so does the other, below
        finally:
            there.shutdown()
            here.shutdown()

    def close(self) -> None:
        """Cut all connections. May be called twice."""
        self._listening.close()
        self._accepting.join()
        with self._lock:
            streams, tasks = list(self._streams), list(self._tasks)
        for stream in streams:
            stream.shutdown()
        for task in tasks:
            task.join()
        for stream in streams:
            stream.close()

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
