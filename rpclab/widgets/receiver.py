"""An uploader's first thread: files come from the browser, or are found on the disk, and get their place in a client's folder."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from ..errors import NoSuchFile, UsageError
from ..names import check_name
from ..text import bytes_text
from .arrival import Arrival, DiskFolder, MemoryFolder, folder_of
from .picker import Picker
from .upload_row import Row

__all__ = ["Receiver", "Rows"]


class Rows(Protocol):
    """What a receiver tells of its files."""

    def change(self, row: Row, phase: str, words: str) -> None: ...

    def moved(self, row: Row, done: int) -> None: ...

    def queue(self, row: Row) -> None: ...

    def client(self, row: Row) -> Any: ...


class Receiver:
    """Carries out one step of one file after the other; all of it on one thread but `close`."""

    def __init__(
        self, cluster: Any, picker: Picker, limit_bytes: int, rows: Rows, tell: Callable[[dict[str, Any]], None]
    ) -> None:
        self._cluster, self._picker, self.limit_bytes, self._tell = cluster, picker, limit_bytes, tell
        self.change, self.moved, self.queue, self.client = rows.change, rows.moved, rows.queue, rows.client
        self._arrivals: dict[str, Arrival] = {}
        self._simulated = hasattr(cluster, "simulation")
        self._spare = tempfile.TemporaryDirectory(prefix="rpclab-") if self._simulated else None

    def close(self) -> None:
        """Forget what is not whole; the thread has ended."""
        for arrival in self._arrivals.values():
            arrival.drop()
        if self._spare is not None:
            self._spare.cleanup()

    def first(self, row: Row) -> None:
        """See whether the file can come, and ask for its first piece, or what to do with the one that has its name."""
        check_name(row.name)
        if row.size > self.limit_bytes:
            raise UsageError(
                f"{row.name} has {bytes_text(row.size)}, and this form takes {bytes_text(self.limit_bytes)} from the browser: "
                "choose it on the disk, below"
            )
        arrival = Arrival(self._folder(row), row.name, row.size)
        if not row.replace and arrival.folder.exists(row.name):
            self.change(row, "asks", f"{row.name} is in {row.options.client}'s folder already. What shall be done?")
            return
        self._start(row, arrival)

    def answered(self, row: Row, choice: str) -> None:
        """The person has said what to do with a file whose name is taken."""
        if choice == "skip":
            self.give_up(row)
            return
        if row.source == "disk":
            row.replace = choice == "replace"
            if choice == "both":
                row.name = self._free_stored_name(row)
            self.queue(row)
            return
        arrival = Arrival(self._folder(row), row.name, row.size)
        row.replace = choice == "replace"
        if not row.replace:
            row.name = arrival.name = arrival.free_name()
        self._start(row, arrival)

    def _start(self, row: Row, arrival: Arrival) -> None:
        self._arrivals[row.id] = arrival
        arrival.begin()
        self.change(row, "arrives", "comes from the browser")
        if arrival.whole:  # an empty file
            self._received(row, arrival)
        else:
            self._tell({"op": "go", "id": row.id})

    def receive(self, row: Row, offset: int, piece: Any) -> None:
        """A piece has come."""
        arrival = self._arrivals.get(row.id)
        if arrival is None or row.phase != "arrives":
            return  # a piece of one that was cancelled, or has failed
        arrival.take(offset, piece)
        if arrival.whole:
            self._received(row, arrival)
            return
        self._tell({"op": "ack", "id": row.id, "done": arrival.done})
        self.moved(row, arrival.done)

    def _received(self, row: Row, arrival: Arrival) -> None:
        row.path = arrival.finish(row.replace)
        del self._arrivals[row.id]
        self._tell({"op": "stop", "id": row.id, "why": "it is here"})
        self.queue(row)

    def choose(self, row: Row, name: str) -> None:
        """A file that lies on the disk: one of the client's own folder has its name there, any other its plain name."""
        path = self._picker.file(name)
        client = self.client(row)
        own = getattr(client, "folder", None)
        if own is not None and path.is_relative_to(Path(own).resolve()):
            row.name, row.replace = path.relative_to(Path(own).resolve()).as_posix(), True
        row.size = path.stat().st_size
        check_name(row.name)
        if self._simulated and row.size > self.limit_bytes:
            raise UsageError(
                f"{row.name} has {bytes_text(row.size)}; a simulated disk takes {bytes_text(self.limit_bytes)}"
            )
        row.path = str(path)
        if not row.replace and self._stored(client, row.name):
            self.change(row, "asks", f"{row.options.client} has stored a file {row.name} already. What shall be done?")
        else:
            self.queue(row)

    def _stored(self, client: Any, name: str) -> bool:
        try:
            client.find(name)
        except NoSuchFile:
            return False
        return True

    def _free_stored_name(self, row: Row) -> str:
        client, path = self.client(row), Path(row.name)
        names = (f"{path.stem} ({number}){path.suffix}" for number in itertools.count(2))
        return check_name(next(name for name in names if not self._stored(client, name)))

    def give_up(self, row: Row) -> None:
        """It was cancelled before its backup began."""
        if row.phase in ("asks", "arrives", "waits"):
            self.forget(row)
            self.change(row, "cancelled", self.cancelled_words(row))

    def forget(self, row: Row) -> None:
        """Drop what has come of it, and tell the page to send no more."""
        arrival = self._arrivals.pop(row.id, None)
        if arrival is not None:
            arrival.drop()
        self._tell({"op": "stop", "id": row.id, "why": "cancelled"})

    def cancelled_words(self, row: Row) -> str:
        left = (
            ""
            if row.path is None or row.source == "disk"
            else f" The file is in {self._folder(row).where()}, not backed up."
        )
        return f"Cancelled.{left}"

    def _folder(self, row: Row) -> DiskFolder | MemoryFolder:
        return folder_of(self._cluster, self.client(row), Path(self._spare.name if self._spare is not None else "."))
