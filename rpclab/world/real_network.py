"""TCP sockets behind the world's `Network`: deadlines without a system call of their own, partial sends finished, clean wake-ups.

A blocking receive must end at its deadline. Setting a time-out before each call would cost a system call, so a socket keeps
the time-out it has as long as that overshoots the deadline by no more than a twentieth: the usual case of many calls with
the same deadline sets it once. On POSIX the kernel keeps the time (SO_RCVTIMEO), elsewhere Python does (`settimeout`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..config import Address, address_text, is_loopback
from ..errors import ConnectFailed, ConnectionLost, DeadlineExceeded, PortInUse, UsageError
from .base import Buffer, Stream
from .real_fork import ours_alone

if TYPE_CHECKING:
    from .real_certificates import Certificates, Contexts

__all__ = ["RealListening", "RealNetwork", "RealStream"]

_KERNEL_TIMEOUTS = os.name == "posix"
_SLACK = 1.05
_FOREVER = float("inf")
_ASK_AFTER_S = 60  # of silence: a peer may think, but one whose machine lost its power must not be waited for for ever
_BACKLOG = 512  # connections that may wait to be accepted: a whole class that presses Enter at once
_IOV_MAX = 512  # buffers a sendmsg: POSIX promises 16, Linux and macOS give 1024
_RESET = struct.pack("ii" if os.name == "posix" else "hh", 1, 0)  # close at once, so that the port is free
_GONE = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENOTCONN, errno.EBADF, errno.ESHUTDOWN)


class RealStream:
    certified: frozenset[str] | None = None

    def __init__(self, sock: socket.socket, now: Callable[[], float], *, nagle: bool = False) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, not nagle)
        _ask_now_and_then(sock)
        sock.settimeout(None)
        self._socket = sock
        self._now = now
        self._receive_s = self._send_s = _FOREVER  # the time-outs that the socket has now
        self._closed = False
        try:
            self.peer: Address = sock.getpeername()[:2]
        except OSError:
            self.peer = ("gone", 0)
        ours_alone(self)

    def send(self, buffers: Sequence[Buffer], deadline: float | None) -> None:
        try:
            if len(buffers) == 1:
                self._send_one(buffers[0], deadline)
            elif hasattr(self._socket, "sendmsg"):
                for start in range(0, len(buffers), _IOV_MAX):
                    self._send_many(buffers[start : start + _IOV_MAX], deadline)
            else:
                self._send_one(b"".join(buffers), deadline)
        except OSError as error:
            raise self._lost(error) from None

    def _send_one(self, buffer: Buffer, deadline: float | None) -> None:
        while True:
            self._arm_send(deadline)
            try:
                sent = self._socket.send(buffer)
            except (TimeoutError, BlockingIOError):
                self._expire(deadline)
                continue
            if sent == len(buffer):
                return
            buffer = memoryview(buffer)[sent:]

    def _send_many(self, buffers: Sequence[Buffer], deadline: float | None) -> None:
        self._arm_send(deadline)
        try:
            sent = self._socket.sendmsg(buffers)
        except (TimeoutError, BlockingIOError):
            self._expire(deadline)
            sent = 0
        for buffer in buffers:
            if sent < len(buffer):
                self._send_one(memoryview(buffer)[sent:], deadline)
            sent = max(0, sent - len(buffer))

    def receive_into(self, view: memoryview, deadline: float | None) -> int:
        while True:
            try:
                if deadline is not None or self._receive_s != _FOREVER:
                    self._arm_receive(deadline)
                return self._socket.recv_into(view)
            except (TimeoutError, BlockingIOError):
                if deadline is not None and self._now() >= deadline:
                    raise self._late("hear from") from None
            except OSError as error:
                raise self._lost(error) from None

    def shutdown(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if not self._closed:
            self.shutdown()
            self.let_go()

    def let_go(self) -> None:
        self._closed = True
        self._socket.close()

    def _arm_send(self, deadline: float | None) -> None:
        """See that the next send ends near the deadline."""
        left = _FOREVER if deadline is None else deadline - self._now()
        armed = self._send_s
        if armed != left and not left / 2 <= armed <= left * _SLACK:
            self._send_s = self._set_timeout(getattr(socket, "SO_SNDTIMEO", 0), left)

    def _arm_receive(self, deadline: float | None) -> None:
        """See that the next receive ends near the deadline."""
        left = _FOREVER if deadline is None else deadline - self._now()
        armed = self._receive_s
        if armed != left and not left / 2 <= armed <= left * _SLACK:
            self._receive_s = self._set_timeout(getattr(socket, "SO_RCVTIMEO", 0), left)

    def _set_timeout(self, option: int, left: float) -> float:
        left = max(0.001, left)
        if _KERNEL_TIMEOUTS:
            self._socket.setsockopt(socket.SOL_SOCKET, option, _timeval(0.0 if left == _FOREVER else left))
        else:
            self._socket.settimeout(None if left == _FOREVER else left)
            self._receive_s = self._send_s = left
        return left

    def _expire(self, deadline: float | None) -> None:
        if deadline is not None and self._now() >= deadline:
            raise self._late("send to")

    def _late(self, what: str) -> DeadlineExceeded:
        return DeadlineExceeded(f"could not {what} {address_text(self.peer)} before the deadline")

    def _lost(self, error: OSError) -> ConnectionLost:
        reason = "it closed the connection" if error.errno in _GONE else str(error)
        return ConnectionLost(f"the connection to {address_text(self.peer)} is gone: {reason}")


def _ask_now_and_then(sock: socket.socket) -> None:
    """Have the system ask a silent peer's system whether it is there, and end the connection when three questions stay open."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    times = {"TCP_KEEPIDLE": _ASK_AFTER_S, "TCP_KEEPALIVE": _ASK_AFTER_S, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
    for option, value in times.items():  # TCP_KEEPALIVE is macOS's name for TCP_KEEPIDLE
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _timeval(seconds: float) -> bytes:
    micro = int(seconds * 1_000_000)
    return struct.pack("ll" if sys.platform != "darwin" else "qq", micro // 1_000_000, micro % 1_000_000)


class RealListening:
    """A listening socket whose `accept` can be woken: closing a socket that another thread waits on wakes nobody by itself."""

    def __init__(self, sock: socket.socket, now: Callable[[], float], tls: Contexts | None = None) -> None:
        self._socket = sock
        self._now = now
        self._tls = tls
        self.address: Address = sock.getsockname()[:2]
        self._wake, self._woken = socket.socketpair()
        sock.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(sock, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._closing = False
        ours_alone(self)

    def accept(self) -> Stream | None:
        while not self._closing:
            ready = [key.fileobj for key, _ in self._selector.select()]
            if self._woken in ready:
                break
            try:
                sock, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                continue  # it was there and went away again
            except OSError as error:  # out of descriptors, out of memory, the network is down
                raise ConnectFailed(f"cannot take another connection: {error.strerror}") from None
            try:
                stream = RealStream(sock, self._now)
            except OSError:
                sock.close()  # macOS refuses options on a connection that has ended already
                continue
            return self._tls.accepted(stream, self._now) if self._tls is not None else stream
        self.let_go()
        return None

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            with contextlib.suppress(OSError):
                self._wake.send(b"x")

    def let_go(self) -> None:
        self._closing = True
        self._selector.close()
        for sock in (self._socket, self._wake, self._woken):
            sock.close()


class RealNetwork:
    """With `certificates` everything is encrypted, and both sides prove who they are. Where neither those nor trust in the
    network is given, `loopback_only` keeps connections on this machine. Raises UsageError for certificates that can't be used."""

    def __init__(
        self, now: Callable[[], float], certificates: Certificates | None = None, *, loopback_only: bool = False
    ) -> None:
        self._now = now
        self.tls: Contexts | None = None
        if certificates is not None:
            from .real_certificates import Contexts  # here, not above: each import counts in a node's start

            self.tls = Contexts(certificates)
        self._loopback_only = loopback_only and certificates is None

    def listen(self, address: Address) -> RealListening:
        self.check_allowed(address)
        sock = socket.socket(_family(address), socket.SOCK_STREAM)
        try:
            if os.name == "posix":  # on Windows the option would let two processes share the port
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            elif hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            sock.bind(address)
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            raise _cannot_listen(address, error) from None
        except OverflowError as error:
            sock.close()
            raise UsageError(f"{address[1]} is no port: {error}") from None
        return RealListening(sock, self._now, self.tls)

    def connect(self, address: Address, deadline: float | None, *, nagle: bool = False) -> Stream:
        self.check_allowed(address)
        timeout = None if deadline is None else max(0.001, deadline - self._now())
        try:
            stream = _connected(socket.create_connection(address, timeout), self._now, nagle)
            return self.tls.connected(stream, self._now) if self.tls is not None else stream
        except TimeoutError:
            raise ConnectFailed(f"{address_text(address)} did not answer in time: is that node's machine up?") from None
        except (OSError, OverflowError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConnectFailed(f"nobody answers at {address_text(address)}: {reason}. Is that node started?") from None

    def check_allowed(self, address: Address) -> None:
        """Raise UsageError if nothing may be said to that address, or heard there."""
        if self._loopback_only and not is_loopback(address):
            raise UsageError(
                f"{address[0]} is not on this machine, and what is sent is not encrypted: give --certificates "
                "(rpclab certificates makes them), or say --insecure if you trust everybody on this network"
            )


def _connected(sock: socket.socket, now: Callable[[], float], nagle: bool) -> RealStream:
    """The stream of a new connection; raises OSError if it is none.

    Who connects to a port of this machine on which nobody listens may be given just that port as its own, and TCP then joins it
    with itself. Who tries again and again, as a server does whose manager is away, would one day hold the manager's port.
    """
    try:
        stream = RealStream(sock, now, nagle=nagle)
    except OSError:
        sock.close()
        raise
    if stream.peer == sock.getsockname()[:2]:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        sock.close()
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    return stream


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def _cannot_listen(address: Address, error: OSError) -> PortInUse | UsageError:
    if error.errno in (errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", -1), getattr(errno, "WSAEACCES", -1)):
        return PortInUse(
            f"port {address[1]} on {address[0]} is in use: stop what uses it, or choose another port (0 takes a free one)"
        )
    return UsageError(f"cannot listen on {address_text(address)}: {error.strerror or error}")
