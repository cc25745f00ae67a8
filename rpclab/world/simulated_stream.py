"""One end of a simulated connection: bytes on their way, what a cut link holds up, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit

from ..config import Address, address_text
from ..errors import ConnectionLost, DeadlineExceeded
from .base import Buffer

if TYPE_CHECKING:
    from .simulated_life import Life, Parked
    from .simulated_network import Wires

__all__ = ["SimulatedStream"]

_SEGMENT_BYTES = 32_768
_WINDOW_BYTES = 131_072  # sent and not yet received, at most; then a sender waits
_KEEPALIVE_S = 90.0  # as real_network.py asks a silent peer's system whether it is there


class SimulatedStream:
    """One end of a connection."""

    other: SimulatedStream
    certified: frozenset[str] | None = None

    def __init__(self, wires: Wires, life: Life, peer: Address) -> None:
        self.node, self.peer, self._life = life.node, peer, life
        self.late: list[tuple[Callable[[Any], object], Any]] = []  # what a cut link has held up
        self._wires, self._scheduler = wires, wires.scheduler
        self._inbox = bytearray()
        self._unread = 0  # bytes on their way here or in the inbox
        self._free_at = 0.0  # when the way from here is free again
        self._ended = self._shut = self._lost = self._closed = self._gone = False
        self._readers: Parked = []  # those who wait for bytes, and
        self._writers: Parked = []  # for room to send
        wires.streams.setdefault(life.node, {})[self] = None

    def send(self, buffers: Sequence[Buffer], deadline: float | None) -> None:
        scheduler = self._scheduler
        if self._life.ended:
            raise GreenletExit
        data = bytes(buffers[0]) if len(buffers) == 1 else b"".join(buffers)
        wires, other = self._wires, self.other
        done, left = 0, len(data)
        while left:
            if self._lost or self._shut:
                raise ConnectionLost(f"the connection to {address_text(self.peer)} is gone")
            if other._unread >= _WINDOW_BYTES:
                if not scheduler.wait(self._writers, None if deadline is None else self._life.moment(deadline)):
                    raise self._too_late("send to")
                continue
            count = left if left < _SEGMENT_BYTES else _SEGMENT_BYTES
            if wires.chance() < wires.conditions.cut:
                count = int(count ** wires.chance()) or 1
                scheduler.interrupt()
            piece = data if count == len(data) else data[done : done + count]
            done += count
            left -= count
            other._unread += count
            self._travel(other._arrive, piece, count)

    def _travel(self, what: Callable[[Any], object], argument: Any = None, length: int = 0) -> None:
        wires, scheduler = self._wires, self._scheduler
        conditions = wires.conditions
        chance, bytes_s = wires.chance(), conditions.bytes_s
        arrival = scheduler.now + conditions.latency_s * (0.5 + chance)
        if wires.slowed and (slow := wires.slowed.get((self.node, self.other.node))):
            arrival, bytes_s = arrival + slow[0], slow[1]
        if chance < conditions.stall:
            arrival += conditions.stall_s * wires.chance()
        if arrival < self._free_at:
            arrival = self._free_at
        self._free_at = arrival + length / bytes_s
        scheduler.at(arrival, what, argument)

    # ---- what comes from the other end

    def _is_late(self, what: Callable[[Any], object], argument: Any) -> bool:
        if self.late or (self.other.node, self.node) in self._wires.cut:
            self.late.append((what, argument))
            return True
        return False

    def arrive_late(self, _: object) -> None:
        late, self.late = self.late, []
        for what, argument in late:
            what(argument)

    def _arrive(self, data: bytes) -> None:
        wires = self._wires
        if (wires.cut or self.late) and self._is_late(self._arrive, data):
            return
        wires.messages += 1
        if self._gone:
            if self.node not in wires.off:
                self.other.lose()  # its system is up again, and knows nothing of this connection
        elif self._shut:
            self.other.lose()
        else:
            self._inbox += data
            if self._readers:  # one that is not given its turn at once reads together what was sent apart
                if wires.chance() < wires.conditions.joined:
                    self._scheduler.at(self._scheduler.now + wires.latency(), self._scheduler.wake, self._readers)
                else:
                    self._scheduler.wake(self._readers)

    def _end(self, _: object = None) -> None:
        if (self._wires.cut or self.late) and self._is_late(self._end, None):
            return
        self._ended = True
        self._scheduler.wake(self._readers)

    def _reset(self, _: object = None) -> None:
        if not ((self._wires.cut or self.late) and self._is_late(self._reset, None)):
            self.lose()

    def lose(self, _: object = None) -> None:
        self._lost = True
        self._inbox.clear()
        self._wake_all()

    def _wake_all(self) -> None:
        self._scheduler.wake(self._readers)
        self._scheduler.wake(self._writers)

    def receive_into(self, view: memoryview, deadline: float | None) -> int:
        inbox = self._inbox
        while not inbox:
            if self._lost or self._closed:
                raise ConnectionLost(f"the connection to {address_text(self.peer)} is gone")
            if self._ended or self._shut:
                return 0
            if not self._scheduler.wait(self._readers, None if deadline is None else self._life.moment(deadline)):
                raise self._too_late("hear from")
        count = len(inbox)
        if count <= len(view):
            view[:count] = inbox
            inbox.clear()
        else:
            count = len(view)
            view[:] = inbox[:count]
            del inbox[:count]
        self._unread -= count
        if self.other._writers:
            self._scheduler.wake(self.other._writers)
        return count

    def _too_late(self, what: str) -> DeadlineExceeded:
        return DeadlineExceeded(f"could not {what} {address_text(self.peer)} before the deadline")

    # ---- the end

    def shutdown(self) -> None:
        if not self._life.ended:
            self._shutdown()

    def _shutdown(self) -> None:
        if not self._shut:
            self._shut = True
            self._wake_all()
            self._travel(self.other._reset if self._unread else self.other._end)

    def close(self) -> None:
        if not self._life.ended:
            self.close_for_good()
            self._wires.streams.get(self.node, {}).pop(self, None)

    def close_for_good(self) -> None:
        self._shutdown()
        self._closed = True

    def vanish(self) -> None:
        """The machine has no power any more: the other end hears nothing, until it asks."""
        self._gone = self._shut = self._closed = True
        self._scheduler.at(self._scheduler.now + _KEEPALIVE_S, self.other.lose)
