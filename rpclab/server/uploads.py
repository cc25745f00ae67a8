"""The path of a file into a server: announced, received, stored, copied on, and what its sender is told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from ..config import Limits
from ..errors import CommunicationError, ConnectionLost, NoSuchFile, PacketError, RpclabError, StorageError
from ..records import FileRecord, Receipt, ServerRecord, file_key
from ..rpc.connection import Connection
from ..rpc.files import FileReceiver
from ..rpc.listener import Say
from ..rpc.registry import Call
from ..trace import Tracer
from ..world.base import Task, World
from .manager_link import Link
from .outcomes import Outcomes
from .replication import Copies, Forward, Replication
from .store import Incoming, Store

__all__ = ["Upload", "Uploads"]


@dataclass(frozen=True, slots=True)
class Upload:
    """One announced file: where its bytes go, and what its sender wants."""

    id: str
    attempt: int
    incoming: Incoming
    wanted: int
    route: list[ServerRecord]
    replication: str
    acknowledge: str
    copy: str

    @property
    def file(self) -> FileRecord:
        """What the file will be, all but its digest."""
        return self.incoming.file

    @property
    def key(self) -> str:
        return file_key(self.incoming.client, self.incoming.name)


class Uploads:
    """Takes files in and sees to their copies."""

    def __init__(
        self,
        world: World,
        node: str,
        store: Store,
        link: Link,
        replication: Replication,
        tracer: Tracer,
        limits: Limits,
        say: Say,
    ) -> None:
        self._world, self._node, self._store, self._link = world, node, store, link
        self._replication, self._tracer, self._limits, self._say = replication, tracer, limits, say
        self._outcomes = Outcomes(world, limits.outcomes)
        self._lock = world.tasks.lock()  # guards _background
        self._background: list[Task] = []

    def begin(self, upload: str) -> int:
        """An upload begins, perhaps again: returns the number of this attempt."""
        return self._outcomes.begin(upload)

    def outcome(self, upload: str) -> Receipt:
        """What became of an upload, once it is known. Errors: that which it ended with; UploadUnknown;
        DeadlineExceeded."""
        return self._outcomes.wait(upload, self._limits.transfer_s)

    def never_came(self, call: Call, job: Upload) -> None:
        """The sender has gone between its announcement and its file."""
        gone = ConnectionLost(f"{call.peer.node} went away before it sent {job.key}")
        self._give_up(call.peer.node, job, None, gone)

    def take_in(self, connection: Connection, job: Upload) -> None:
        """Receive an announced file, store it, and see to its copies. Errors: those after which the connection is of no use."""
        forward = self._begin_forward(job)
        try:
            file = self._receive(connection, job, forward)
        except RpclabError as error:
            self._give_up(connection.peer.node, job, forward, error)
            if isinstance(error, CommunicationError | PacketError):
                raise
            return
        told = self.stored(file, job.copy, job.id, job.incoming.dropped)
        later = self._later(file)
        newest = later[0].version if later else 0
        if later:  # by now the manager should know of it: its next version has to be above
            self._tell(later)
        if job.acknowledge == "primary" and job.wanted > 1:
            receipt = Receipt(job.id, file, [self._node], job.wanted, pending=job.wanted - 1, newest=newest, told=told)
            self._outcomes.end(job.id, job.attempt, receipt)
            self.spawn(lambda: self._make_copies(file, job, forward), f"{self._node}-copies")
        else:
            receipt = self._make_copies(file, job, forward)
            self._outcomes.end(job.id, job.attempt, replace(receipt, newest=newest, told=told))

    def _later(self, file: FileRecord) -> list[FileRecord]:
        """The version that has the file's plain name, if that is later than this one."""
        try:
            newest = self._store.get(file.client, file.name)
        except NoSuchFile:
            return []  # deleted since
        return [newest] if newest.version > file.version else []

    def _tell(self, files: list[FileRecord]) -> None:
        report, stored, removed = self._store.report_on(files)
        self._link.report(report, stored=stored, removed=removed)

    def _begin_forward(self, job: Upload) -> Forward | None:
        if job.replication == "pipeline" and job.route:
            return self._replication.forward(job.file, job.id, job.route, job.incoming.keep)
        return None

    def _receive(self, connection: Connection, job: Upload, forward: Forward | None) -> FileRecord:
        receiver = FileReceiver(connection, job.key, job.copy, job.incoming.size)
        try:
            for pieces in receiver:
                job.incoming.write(pieces)
                if forward is not None:
                    forward.send(pieces)
        except StorageError:
            if not receiver.ended:
                receiver.drain()
            raise
        file = job.incoming.commit(receiver.digest)
        if forward is not None:  # only now: no copy of a file that its sender is told was not stored
            forward.end(receiver.digest)
        return file

    def _give_up(self, sender: str, job: Upload, forward: Forward | None, error: RpclabError) -> None:
        job.incoming.discard()
        if forward is not None:
            forward.abort(error.message)
        detail = {"error": type(error).__name__, "message": error.message, "upload": job.id}
        self._tracer.event("failed", peer=sender, file=job.key, detail=detail)
        self._say(f"{job.key} from {sender} was not stored: {error.message}")
        self._report_leftover(job)
        self._outcomes.end(job.id, job.attempt, error)
        if job.copy == "original":
            self._link.release(job.id)

    def _report_leftover(self, job: Upload) -> None:
        """When the very last step of storing failed, the file has its name though nobody vouches for it: say so."""
        try:
            file = self._store.get(job.incoming.client, job.incoming.name, job.incoming.version or None)
        except NoSuchFile:
            return
        if file.version == job.incoming.version:
            dropped = self._store.overwritten(file)
            report, there, removed = self._store.report_on([file, *dropped])
            detail = {
                "version": file.version,
                "stored_bytes": report[1],
                "upload": job.id,
                "dropped": [old.version for old in dropped],
            }
            self._tracer.event("unpromised", file=job.key, bytes=file.size, copy=job.copy, detail=detail)
            self._link.report(report, stored=there, removed=removed)

    def stored(self, file: FileRecord, copy: str, upload: str, dropped: list[FileRecord]) -> bool:
        """A file is durable here, and earlier versions have made way for it: note it and tell the manager; whether it heard."""
        report, there, removed = self._store.report_on([file, *dropped])
        detail = {
            "digest": file.digest,
            "version": file.version,
            "stored_bytes": report[1],
            "upload": upload,
            "dropped": [old.version for old in dropped],
        }
        self._tracer.event("stored", file=file_key(file.client, file.name), bytes=file.size, copy=copy, detail=detail)
        self._say(f"stored {file_key(file.client, file.name)}, {file.size:,} bytes ({copy})")
        return self._link.report(report, stored=there, removed=removed, upload=upload)

    def _make_copies(self, file: FileRecord, job: Upload, forward: Forward | None) -> Receipt:
        if forward is not None:
            copies = forward.confirm()
            missing = job.wanted - 1 - len(copies.nodes)
            if missing > 0 and job.copy == "original":  # in the middle of the line nobody knows who is before him
                copies.nodes += self._others(file, job, missing, copies)
        elif job.wanted > 1:
            copies = self._replication.copy_after(file, job.id, job.wanted - 1, job.route, keep=job.incoming.keep)
        else:
            copies = Copies()
        for problem in copies.problems:
            self._say(f"a copy of {job.key} failed: {problem}")
        return Receipt(job.id, file, [self._node, *copies.nodes], job.wanted, problems=copies.problems)

    def _others(self, file: FileRecord, job: Upload, missing: int, copies: Copies) -> list[str]:
        """A pipeline broke: what is missing is copied afterwards, first to those behind the server that failed."""
        passed_over = {job.route[0].node, *copies.nodes}  # the next server has a copy, or it has failed
        later = self._replication.copy_after(file, job.id, missing, job.route, passed_over, keep=job.incoming.keep)
        copies.problems += later.problems
        return later.nodes

    def spawn(self, function: Callable[[], Any], name: str) -> None:
        """Do something in a task of its own, which `stop` waits for."""
        with self._lock:
            self._background = [task for task in self._background if not task.join(0)]
            self._background.append(self._world.tasks.spawn(function, name))

    def stop(self, within_s: float) -> None:
        """Wait for the copies that are being made."""
        with self._lock:
            tasks, self._background = self._background, []
        for task in tasks:
            task.join(within_s)
