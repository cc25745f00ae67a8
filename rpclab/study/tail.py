"""The event logs of a cluster that runs, read on from where one stopped: what a picture that is drawn ten times a second needs.

A log's file is filled with zeros ahead of its lines, and its last line may be half written: each reading ends at the last whole
line, and the next begins there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from ..trace import Event

__all__ = ["Tail"]

_AT_ONCE_BYTES = 4 << 20  # of one log: the rest comes with the next reading, so that none takes long

Names = Callable[[], Iterable[str]]
ReadFrom = Callable[[str, int], bytes]


class Tail:
    """`names` gives the logs there are, `read_from` what one holds from a byte on."""

    def __init__(self, names: Names, read_from: ReadFrom) -> None:
        self._names, self._read_from = names, read_from
        self._offsets: dict[str, int] = {}
        self._decode = msgspec.json.Decoder(Event).decode
        self.damaged = 0
        """Lines that could not be read."""

    @classmethod
    def of_folder(cls, folder: Path) -> Tail:
        """Of the event logs in a folder."""

        def names() -> list[str]:
            return sorted(path.name for path in folder.glob("*.jsonl"))

        def read_from(name: str, offset: int) -> bytes:
            try:
                with open(folder / name, "rb") as log:
                    log.seek(offset)
                    return log.read(_AT_ONCE_BYTES)
            except FileNotFoundError:
                return b""  # of a run that has ended

        return cls(names, read_from)

    def read(self) -> list[Event]:
        """The events that have come since the last reading, of each node in order, by their clocks."""
        events: list[Event] = []
        for name in self._names():
            offset = self._offsets.get(name, 0)
            data = self._read_from(name, offset)
            end = data.rfind(b"\n") + 1
            self._offsets[name] = offset + end
            for line in data[:end].splitlines():
                try:
                    events.append(self._decode(line))
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    self.damaged += 1
        events.sort(key=lambda event: event.time)
        return events
