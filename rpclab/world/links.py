"""Links that are cut or slow, over any network: what a node does with the connections that it makes to others.

It is the connecting side that keeps what a link is like, in both directions, for it knows whom it connects to. As with TCP, what
is sent over a cut link waits and arrives when the link is whole again, also if its sender has closed the connection by then;
who connects over one waits until its deadline. A slow link takes `latency_s` longer for each send and each receive, and carries
`bytes_s`: whoever sends or receives waits that long. What cannot be kept up from here: a process that ends is missed at once
by those who accepted its connections, for its system closes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..config import Address, address_text
from ..errors import CommunicationError, ConnectFailed, ConnectionLost, DeadlineExceeded
from .base import Buffer, Clock, Condition, Listening, Network, Stream, Tasks

__all__ = ["Line", "LinkedNetwork", "Links"]

_WINDOW_BYTES = 131_072  # what waits for a cut link at most; then a sender waits too
_FOREVER = 1e9


class Line(NamedTuple):
    """What one direction of a link is like."""

    cut: bool = False
    latency_s: float = 0.0
    bytes_s: float | None = None


_PLAIN = Line()


class Links:
    """What a node's links are like now, by the address at their other end."""

    def __init__(self, clock: Clock, tasks: Tasks) -> None:
        self.clock, self.tasks = clock, tasks
        self.changed: Condition = tasks.condition()  # guards what follows, and what waits in streams
        self.any = False
        self._there: Mapping[Address, Line] = {}
        self._back: Mapping[Address, Line] = {}

    def set(self, there: Mapping[Address, Line], back: Mapping[Address, Line]) -> None:
        """From now on these links are not plain: the way `there`, and the way `back`."""
        with self.changed:
            self._there, self._back = there, back
            self.any = bool(there or back)
            self.changed.notify_all()

    def there(self, address: Address) -> Line:
        return self._there.get(address, _PLAIN)

    def back(self, address: Address) -> Line:
        return self._back.get(address, _PLAIN)

    def wait(self, seconds: float, deadline: float | None) -> bool:
        """Let so much time pass, or as much as there is before something changes; False if the deadline comes first."""
        if seconds <= 0:
            return True
        until = self.clock.now() + seconds
        late = deadline is not None and deadline < until
        with self.changed:
            there, back = self._there, self._back
            while (left := (deadline if deadline is not None and late else until) - self.clock.now()) > 0:
                self.changed.wait(left)
                if there is not self._there or back is not self._back:
                    return True
        return not late


class LinkedNetwork:
    """A network whose connections to others are as the links are."""

    def __init__(self, network: Network, links: Links) -> None:
        self._network, self._links = network, links

    def listen(self, address: Address) -> Listening:
        return self._network.listen(address)

    def connect(self, address: Address, deadline: float | None, *, nagle: bool = False) -> Stream:
        links = self._links
        with links.changed:
            while links.there(address).cut or links.back(address).cut:
                left = _FOREVER if deadline is None else deadline - links.clock.now()
                if left <= 0:
                    raise ConnectFailed(f"{address_text(address)} did not answer in time: is the network cut?")
                links.changed.wait(left)
        if links.any and not links.wait(links.there(address).latency_s + links.back(address).latency_s, deadline):
            raise ConnectFailed(f"{address_text(address)} did not answer in time")
        return _LinkedStream(self._network.connect(address, deadline, nagle=nagle), links, address)


class _LinkedStream:
    """One connection over a link. What waits for a cut link is sent on by a task of its own."""

    def __init__(self, stream: Stream, links: Links, address: Address) -> None:
        self.peer = stream.peer
        self._stream, self._links, self._address = stream, links, address
        self._waiting = bytearray()  # sent, and not yet on its way
        self._late = b""  # arrived, and not yet here
        self._ended = self._sending_on = self._closed = self._shut = False
        self._lost: CommunicationError | None = None

    @property
    def certified(self) -> frozenset[str] | None:
        return self._stream.certified

    # ---- there

    def send(self, buffers: Sequence[Buffer], deadline: float | None) -> None:
        if self._links.any or self._sending_on:
            line, size = self._links.there(self._address), sum(map(len, buffers))
            if self._wait_in_line(line, buffers, size, deadline):
                return
            if not self._links.wait(_seconds(line, size), deadline):
                raise self._too_late("send to")
        self._stream.send(buffers, deadline)

    def _wait_in_line(self, line: Line, buffers: Sequence[Buffer], size: int, deadline: float | None) -> bool:
        """Leave bytes to wait, if the link is cut or others wait before them; whether it was so."""
        links = self._links
        with links.changed:
            if not (line.cut or self._sending_on):
                return False
            while self._waiting and len(self._waiting) + size > _WINDOW_BYTES and not self._shut:
                left = _FOREVER if deadline is None else deadline - links.clock.now()
                if left <= 0:
                    raise self._too_late("send to")
                links.changed.wait(left)
            if self._lost is not None or self._shut:
                raise self._lost or ConnectionLost(f"the connection to {address_text(self.peer)} is gone")
            for buffer in buffers:
                self._waiting += buffer
            self._send_on_later()
            return True

    def _send_on_later(self) -> None:
        if not self._sending_on:
            self._sending_on = True
            self._links.tasks.spawn(self._send_on, "sends-on")

    def _send_on(self) -> None:
        links = self._links
        while True:
            with links.changed:
                while links.there(self._address).cut:
                    links.changed.wait()
                data, self._waiting = bytes(self._waiting), bytearray()
                if not data:
                    self._sending_on = False
                    break
                links.changed.notify_all()
            try:
                self._stream.send([data], None)
            except CommunicationError as error:
                self._lost = error
        if self._closed:
            self._stream.close()

    # ---- back

    def receive_into(self, view: memoryview, deadline: float | None) -> int:
        links = self._links
        if not self._late and not self._ended:
            count = self._stream.receive_into(view, deadline)
            if not links.any:
                return count
            self._late, self._ended = bytes(view[:count]), not count
        with links.changed:
            while links.back(self._address).cut and not self._shut:
                left = _FOREVER if deadline is None else deadline - links.clock.now()
                if left <= 0:
                    raise self._too_late("hear from")
                links.changed.wait(left)
        if self._shut or not self._late:
            return 0
        if not links.wait(_seconds(links.back(self._address), len(self._late)), deadline):
            raise self._too_late("hear from")
        count = min(len(view), len(self._late))
        view[:count] = self._late[:count]
        self._late = self._late[count:]
        return count

    def _too_late(self, what: str) -> DeadlineExceeded:
        return DeadlineExceeded(f"could not {what} {address_text(self.peer)} before the deadline")

    # ---- the end

    def shutdown(self) -> None:
        with self._links.changed:
            self._shut = True
            self._links.changed.notify_all()
        self._stream.shutdown()

    def close(self) -> None:
        with self._links.changed:
            if self._closed:
                return
            self._closed = True
            if self._links.there(self._address).cut and not self._shut:
                self._send_on_later()  # the other end is not to hear of it before the link is whole
        if not self._sending_on:
            self._stream.close()


def _seconds(line: Line, size: int) -> float:
    return line.latency_s + (size / line.bytes_s if line.bytes_s else 0.0)
