"""Strangers at a node's door: one who says some bytes, and a crowd that says nothing and stays as long as it is let."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from dataclasses import dataclass

from ..cluster.tables import html_table, text_table
from ..config import PACKET_BYTES, Address

__all__ = ["Stay", "Stays", "crowd", "say"]


def say(address: Address, data: bytes, *, within_s: float = 10.0) -> bytes:
    """Connect, say these bytes, and nothing more; returns all that is answered until the node ends the connection."""
    answer = b""
    with socket.create_connection(address, within_s) as sock, contextlib.suppress(ConnectionError):
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while piece := sock.recv(PACKET_BYTES):
            answer += piece
    return answer


@dataclass(frozen=True, slots=True)
class Stay:
    """One stranger: seconds until the node ended its connection, and what it was told."""

    seconds: float
    told: bytes


class Stays(list[Stay]):
    """All strangers of a crowd, the first to go first."""

    @property
    def turned_away(self) -> list[float]:
        """How long those stayed who were told that there is no room."""
        return [stay.seconds for stay in self if stay.told]

    @property
    def put_out(self) -> list[float]:
        """How long those stayed who were let in, and then ended without a word."""
        return [stay.seconds for stay in self if not stay.told]

    def _rows(self) -> list[list[str]]:
        groups = (("told that there is no room", self.turned_away), ("let in, ended for their silence", self.put_out))
        return [[what, str(len(stays)), _span(stays)] for what, stays in groups]

    def _repr_html_(self) -> str:
        return html_table(f"{len(self)} strangers", _HEADS, self._rows(), right=(1,))

    def __repr__(self) -> str:
        return text_table(f"{len(self)} strangers", _HEADS, self._rows())


_HEADS = ("", "how many", "stayed (s)")


def _span(stays: list[float]) -> str:
    return f"{min(stays):.2f} to {max(stays):.2f}" if stays else ""


def crowd(address: Address, count: int, *, within_s: float = 30.0) -> Stays:
    """Connect so many times, say nothing, and wait until the node has ended every connection."""
    stays, told = Stays(), dict[socket.socket, bytes]()
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        began = time.perf_counter()
        for _ in range(count):
            sock = stack.enter_context(socket.create_connection(address, within_s))
            told[sock] = b""
            selector.register(sock, selectors.EVENT_READ, sock)
        while told:
            left = began + within_s - time.perf_counter()
            if left <= 0:
                raise TimeoutError(f"{len(told)} of {count} strangers were still there after {within_s:g} s")
            for key, _ in selector.select(left):
                sock, piece = key.data, b""
                with contextlib.suppress(ConnectionError):
                    piece = sock.recv(PACKET_BYTES)
                if piece:
                    told[sock] += piece
                else:
                    selector.unregister(sock)
                    stays.append(Stay(time.perf_counter() - began, told.pop(sock)))
    return stays
