"""Stepping through a cluster of processes: forwards, and back over what was recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import UsageError
from ..rpc.plan import Action
from ..study.history import History
from ..trace import Event
from .messages import Message
from .places import Key, Place
from .steps import Steps

__all__ = ["RecordedSteps"]


class RecordedSteps(Steps):
    """Over real processes: every place but the last is the past."""

    _MOST_S = 1.0  # a step waits for what comes next for so long; what comes later is noticed when it does

    def __init__(self, cluster: Any) -> None:
        self._tail, self._events = cluster.tail(), list[Event]()
        super().__init__(cluster)
        self._settled = self.here  # the place at which the nodes were looked at again

    @property
    def last(self) -> Place:
        """Where the processes are."""
        return self.places[max(self.places)]

    def next(self, message: Message | int | None = None) -> Place:
        with self._lock:
            if self.here is not self.last:
                return self.forward()
            try:
                return super().next(message)
            except UsageError:  # the message that came first was given up since one looked: that is the step then
                if message is not None or not self.look_again():
                    raise
                return self.here

    def look_again(self) -> bool:
        with self._lock:
            last = self.last
            held = [message.id for message in self.cluster.messages()]
            now = [repr(each).strip("<>") for each in self.cluster.stage.operations]
            if held == [message.id for message in last.messages] and now == last.operations:
                return self._settle(last)
            place = self._arrive(last, _came(last, held, now), ("came", held))
            if self.here is last:
                self.here = place
            return True

    def _settle(self, last: Place) -> bool:
        """What the nodes did right after a step belongs to it: they are looked at once more."""
        if self._settled is last:
            return False
        self._settled, found = last, self._look()
        if found == last.found:
            return False
        last.found = found
        last.seconds, last.events = self._moment()
        return True

    def history(self) -> History:
        return History(self._events[: self.here.events])

    def _go(self, words: str, key: Key, do: Callable[[Any], None]) -> Place:
        if self.here is not self.last:
            raise UsageError(
                "this is the past, and processes cannot be sent back there: go forward to where they are, or step through a "
                "SimCluster, which can be"
            )
        do(self.cluster)
        self.here = self._arrive(self.here, words, key)
        return self.here

    def _enter(self, place: Place) -> None:
        """Nothing: processes cannot be sent into their past, it is only looked at."""

    def _decide(self, cluster: Any, action: Action, message: int | None, how: dict[str, Any]) -> None:
        since = cluster.stage.count
        if message is not None:
            cluster.stage.decide(message, action, **how)
        cluster.stage.wait(since, cluster._quiet_s, self._MOST_S)

    def _start(self, cluster: Any, function: Callable[[], Any]) -> None:
        since = cluster.stage.count
        cluster._begun(function)
        cluster.stage.wait(since, cluster._quiet_s, self._MOST_S)

    def _moment(self) -> tuple[float, int]:
        while events := self._tail.read():
            self._events += events
        times = [event.time for event in self._events]
        return (max(times) - min(times) if times else 0.0), len(self._events)


def _came(last: Place, held: list[int], operations: list[str]) -> str:
    """What has happened without a step, in words."""
    if new := [number for number in held if number not in {message.id for message in last.messages}]:
        return f"message{'s' * (len(new) > 1)} {', '.join(map(str, new))} came"
    ended = [each for each in operations if each not in last.operations]
    if ended:
        return ended[-1]
    gone = [str(message.id) for message in last.messages if message.id not in held]
    return f"message{'s' * (len(gone) > 1)} {', '.join(gone)} went on, or was given up"
