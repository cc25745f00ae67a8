"""The files that an uploader was given: their way from the browser or the disk to their receipts, without anything of the page.

A file's steps are done by two threads, one that receives and one that backs up; whatever goes wrong is told in its row.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import Cancelled, NoSuchFile, TooFewCopies
from .panel import sentence
from .picker import Picker
from .receiver import Receiver
from .upload_row import Options, Row, receipt_facts, receipt_words
from .work import worker

__all__ = ["UNDER_WAY", "Uploads"]

UNDER_WAY = ("asks", "arrives", "waits", "backs-up")  # phases that are not an end
_ROWS = 200  # of older ones only the end is of interest, and that is in the event log

_Step = Callable[[Row], None]


class Uploads:
    """`tell` sends a message to the page; `changed` is called under the lock when rows have changed, with `now` False for mere
    progress."""

    def __init__(
        self,
        cluster: Any,
        picker: Picker,
        limit_bytes: int,
        *,
        lock: threading.RLock,
        tell: Callable[[dict[str, Any]], None],
        changed: Callable[[bool], None],
    ) -> None:
        self._cluster, self._picker, self.limit_bytes = cluster, picker, limit_bytes
        self._lock, self._tell, self._changed = lock, tell, changed
        self.rows: dict[str, Row] = {}
        self.results: list[Any] = []
        self._connecting = threading.Lock()  # guards _own
        self._own: dict[str, Any] = {}  # clients in this process, where the cluster has none of that name
        self._numbers = itertools.count(1)
        self._closed = False
        self._receiver = Receiver(cluster, picker, limit_bytes, self, tell)
        self._receiving, self._backing_up = worker(cluster, "uploader-receives"), worker(cluster, "uploader-backs-up")

    def close(self) -> None:
        """End what is under way; what has come of files that are not whole is forgotten."""
        self._closed = True
        with self._lock:
            for row in self.rows.values():
                row.cancelled = True
        self._receiving.close()
        self._backing_up.close()
        self._receiver.close()
        for client in self._own.values():
            client.close()

    # ---- what is asked for: each only hands over

    def begin(self, id: str, name: str, size: int, options: Options) -> None:
        """A file that the browser has."""
        row = Row(id, name, size, options, "browser", words="waits for its turn")
        self._add(row)
        self._receive_next(row, self._receiver.first)

    def chunk(self, id: str, offset: int, piece: Any) -> None:
        """A piece of it."""
        if id in self.rows:
            self._receive_next(self.rows[id], lambda row: self._receiver.receive(row, offset, piece))

    def unreadable(self, id: str, text: str) -> None:
        """The browser can send no more of it."""
        if id in self.rows:
            self._receive_next(self.rows[id], lambda row: _raise(NoSuchFile(f"the browser cannot read it: {text}")))

    def disk(self, name: str, options: Options) -> None:
        """A file that lies below the picker's root."""
        id = f"disk-{next(self._numbers)}"
        row = Row(id, name.rpartition("/")[2], 0, options, "disk", words="waits for its turn")
        self._add(row)
        self._receive_next(row, lambda row: self._receiver.choose(row, name))

    def answer(self, id: str, choice: str) -> None:
        """What to do with a file whose name is taken: replace, both or skip."""
        row = self.rows.get(id)
        if row is not None and row.phase == "asks":
            self._receive_next(row, lambda row: self._receiver.answered(row, choice))

    def cancel(self, id: str) -> None:
        with self._lock:
            row = self.rows.get(id)
            if row is None or row.phase not in UNDER_WAY:
                return
            row.cancelled = True
            if row.phase == "backs-up":
                row.words = f"is being cancelled, at {row.words}"
                self._changed(True)
                return
        self._receive_next(row, self._receiver.give_up)

    def retry(self, id: str) -> None:
        """Once more: a file that lies on the disk is backed up, of any other the browser is asked for the first piece."""
        row = self.rows.get(id)
        if row is None or row.phase in UNDER_WAY:
            return
        row.cancelled = False
        if row.path is not None:
            self.queue(row)
        else:
            self.change(row, "arrives", "waits for its turn")
            self._receive_next(row, self._receiver.first)

    def clear(self) -> None:
        """Forget the rows of what has ended."""
        with self._lock:
            self.rows = {id: row for id, row in self.rows.items() if row.phase in UNDER_WAY}
            self._changed(True)

    def list(self, folder: str, show: Callable[[dict[str, Any]], None]) -> None:
        """Have the picker list a folder."""
        self._receiving.do(lambda: show(self._picker.listed(folder)))

    def _receive_next(self, row: Row, step: _Step) -> None:
        self._receiving.do(self._guarded, row, step)

    # ---- backing up: the second thread

    def queue(self, row: Row) -> None:
        self.change(row, "waits", "waits to be backed up")
        self._backing_up.do(self._guarded, row, self._back_up)

    def _back_up(self, row: Row) -> None:
        if row.phase != "waits":
            return
        self.change(row, "backs-up", "is offered to a server")
        began = time.monotonic()

        def progress(done: int, total: int) -> None:
            if row.cancelled:
                raise Cancelled("it was cancelled in this form")
            self.moved(row, done)

        options = row.options
        try:
            receipt = self.client(row).backup(
                self._source(row),
                row.name,
                replicas=options.replicas,
                replication=options.replication,
                acknowledge=options.acknowledge,
                progress=progress,
            )
        except TooFewCopies as error:
            receipt = error.receipt
        except Cancelled:
            self.change(row, "cancelled", self._receiver.cancelled_words(row))
            return
        self._acknowledged(row, receipt, time.monotonic() - began)

    def _acknowledged(self, row: Row, receipt: Any, seconds: float) -> None:
        late = " It was too late to cancel it." if row.cancelled else ""
        with self._lock:
            self.results.append(receipt)
            row.size = receipt.file.size
            row.enter("done" if receipt.complete else "short", receipt_words(receipt) + late)
            row.facts = receipt_facts(receipt, seconds, str(row.path))
            self._changed(True)

    def _source(self, row: Row) -> Any:
        """What `backup` takes for the file's path: a simulated client has a disk of its own, in memory."""
        if hasattr(self._cluster, "simulation") and row.source == "disk":
            return self.client(row).put(row.name, Path(row.path).read_bytes())
        return row.path

    # ---- rows

    def client(self, row: Row) -> Any:
        """Whose file it is: a client of the cluster, or one in this process."""
        name = row.options.client
        if name in self._cluster.clients:
            return self._cluster.clients[name]
        with self._connecting:
            if name not in self._own:
                self._own[name] = self._cluster.connect(name)
            return self._own[name]

    def moved(self, row: Row, done: int) -> None:
        """So many bytes of it have passed."""
        with self._lock:
            row.moved(done)
            self._changed(False)

    def change(self, row: Row, phase: str, words: str) -> None:
        """It enters another phase."""
        with self._lock:
            row.enter(phase, words)
            self._changed(True)

    def _guarded(self, row: Row, step: _Step) -> None:
        """One step with a file; whatever goes wrong is told in its row."""
        if row.cancelled and row.phase in ("arrives", "waits"):
            step = self._receiver.give_up
        try:
            step(row)
        except Exception as error:  # the outermost edge of this thread
            if self._closed:
                return
            told = sentence(error)
            self._receiver.forget(row)
            with self._lock:
                row.enter("failed", told["text"])
                row.traceback = told["traceback"]
                self._changed(True)

    def _add(self, row: Row) -> None:
        with self._lock:
            self.rows[row.id] = row
            for old in [id for id, each in self.rows.items() if each.phase not in UNDER_WAY][: len(self.rows) - _ROWS]:
                del self.rows[old]
            self._changed(True)


def _raise(error: Exception) -> None:
    raise error
