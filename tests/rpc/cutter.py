"""A relay between a caller and a node that lets a request through and cuts the connection before its answer arrives."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from rpclab.config import Address

__all__ = ["Cutter"]


class Cutter:
    """`lose("add", 2)`: the next two calls of `add` are carried out, and their answers lost; `requests` tells what was asked."""

    def __init__(self, target: Callable[[], Address]) -> None:
        self._target = target
        self._lock = threading.Lock()  # guards what follows
        self._method, self._left = b"", 0
        self.requests: list[bytes] = []
        self._sockets: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address: Address = self._listening.getsockname()
        self._threads = [threading.Thread(target=self._accept, name="cutter")]
        self._threads[0].start()

    def lose(self, method: str, answers: int) -> None:
        with self._lock:
            self._method, self._left = f'"method":"{method}"'.encode(), answers

    def asked(self, method: str) -> list[bytes]:
        """Every request of that method that came by, whole, as it was on the wire."""
        with self._lock:
            return [each for each in self.requests if f'"method":"{method}"'.encode() in each]

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target(), 10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            doomed = threading.Event()
            self._sockets += [near, far]
            for carry in (
                lambda n=near, f=far, d=doomed: self._ask(n, f, d),
                lambda n=near, f=far, d=doomed: self._answer(f, n, d),
            ):
                self._threads.append(threading.Thread(target=carry, name="cutter"))
                self._threads[-1].start()

    def _ask(self, source: socket.socket, sink: socket.socket, doomed: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                with self._lock:
                    self.requests.append(data)
                    if self._left and self._method in data:
                        self._left -= 1
                        doomed.set()
                sink.sendall(data)
        _end(source, sink)

    def _answer(self, source: socket.socket, sink: socket.socket, doomed: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(65_536)) and not doomed.is_set():
                sink.sendall(data)
        _end(source, sink)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        _end(*self._sockets)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        for each in self._sockets:
            each.close()


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
