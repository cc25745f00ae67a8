"""Files over a connection: data packets, then `end` with the BLAKE3 digest of the whole, or `abort` with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from blake3 import blake3

from ..config import BATCH_PACKETS, PACKET_BYTES
from ..errors import ConnectionLost, DeadlineExceeded, DigestMismatch, FileChanged
from ..world.base import Reader
from . import packets
from .channel import expect
from .connection import Connection

__all__ = ["FileReceiver", "FileSender", "Progress", "read_blocks", "send_file"]

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all."""

_BLOCK_BYTES = BATCH_PACKETS * PACKET_BYTES


class FileSender:
    """Sends one file, block by block; `copy` says what for: original, replica or restore."""

    def __init__(self, connection: Connection, file: str, copy: str) -> None:
        self._connection, self._file, self._copy = connection, file, copy

    def send(self, block: memoryview) -> None:
        """Send a block of at most 1 MiB as packets, in one system call."""
        self._trace(len(block))
        self._connection.channel.send(packets.split(block), self._deadline())

    def send_pieces(self, pieces: Sequence[memoryview]) -> None:
        """Send pieces on as they came, each at most a packet long."""
        self._trace(sum(map(len, pieces)))
        buffers = [buffer for piece in pieces for buffer in (packets.header(packets.DATA, len(piece)), piece)]
        self._connection.channel.send(buffers, self._deadline())

    def end(self, digest: bytes) -> None:
        self._connection.channel.send_packet(packets.END, digest, self._deadline())

    def abort(self, reason: str) -> None:
        """Tell the receiver that no more comes; it forgets what it has. The connection can be used on."""
        payload = reason.encode("utf-8", "replace")[:1000]
        self._connection.channel.send_packet(packets.ABORT, payload, self._deadline())

    def _deadline(self) -> float:
        connection = self._connection
        return connection.channel.now() + connection.limits.transfer_s

    def _trace(self, count: int) -> None:
        _trace(self._connection, "send-data", count, self._file, self._copy)


class FileReceiver:
    """Receives one file: iterate over its pieces, then ask for `digest`, which the sender has vouched for. `size` is what was
    announced, -1 for not known; more or less may come.

    A piece is a view that is good until the next step. Errors: FileChanged (the sender aborted), DigestMismatch,
    ConnectionLost, DeadlineExceeded, PacketError.
    """

    def __init__(self, connection: Connection, file: str, copy: str, size: int = -1) -> None:
        self._connection, self._file, self._copy, self._size = connection, file, copy, size
        self.digest = ""
        self.ended = False

    def __iter__(self) -> Iterator[list[memoryview]]:
        channel = self._connection.channel
        channel.expect_file(self._size)
        hasher = blake3()
        try:
            while not self.digest:
                pieces, last = self._batch()
                for piece in pieces:
                    hasher.update(piece)
                if pieces:
                    self._trace(pieces)
                    yield pieces
                if last is not None:
                    self._finish(last, hasher.digest())
        finally:
            channel.expect_file(None)

    def _batch(self) -> tuple[list[memoryview], tuple[int, memoryview] | None]:
        """All data packets that are here, waiting for the first; and the packet that ends the file, if it has come."""
        channel = self._connection.channel
        pieces: list[memoryview] = []
        found: tuple[int, memoryview] | None = expect(
            channel.receive(channel.now() + self._connection.limits.transfer_s),
            packets.DATA,
            packets.END,
            packets.ABORT,
        )
        while found is not None and found[0] == packets.DATA:
            pieces.append(found[1])
            following = channel.available()
            found = None if following is None else expect(following, packets.DATA, packets.END, packets.ABORT)
        self.ended = found is not None  # also if who takes the pieces fails with them
        return pieces, found

    def _finish(self, last: tuple[int, memoryview], digest: bytes) -> None:
        kind, payload = last
        if kind == packets.ABORT:
            raise FileChanged(f"the sender gave up: {bytes(payload).decode('utf-8', 'replace')}")
        if bytes(payload) != digest:
            raise DigestMismatch(f"{self._file} arrived with other contents than were sent; send it again")
        self.digest = digest.hex()

    def _trace(self, pieces: list[memoryview]) -> None:
        _trace(self._connection, "receive-data", sum(map(len, pieces)), self._file, self._copy)

    def drain(self) -> None:
        """Receive the rest and forget it, so that the connection can be used on."""
        with suppress(FileChanged, DigestMismatch):
            for _ in self:
                continue


def read_blocks(reader: Reader, buffer: bytearray) -> Iterator[memoryview]:
    """A file in blocks of up to 1 MiB, each good until the next; raises FileChanged if it shrinks or grows meanwhile."""
    view = memoryview(buffer)
    left = reader.size
    while left:
        count = reader.read_into(view[: min(left, len(view))])
        if not count:
            raise FileChanged(f"the file shrank while it was sent: {left:,} of {reader.size:,} bytes were gone")
        left -= count
        yield view[:count]
    if reader.read_into(view[:1]):
        raise FileChanged(f"the file grew beyond its {reader.size:,} bytes while it was sent")
    if reader.changed():
        raise FileChanged("the file was written to while it was sent")


def send_file(
    connection: Connection,
    reader: Reader,
    file: str,
    copy: str,
    *,
    expected: str = "",
    progress: Progress | None = None,
) -> str:
    """Send an open file and return its digest; aborts at the receiver when the file changes under our hands.

    With `expected` the file must still have that digest (bit rot on the sender's disk is not passed on). Errors: FileChanged,
    DigestMismatch (the receiver has forgotten the file, the connection can be used on); ConnectionLost, DeadlineExceeded.
    """
    sender = FileSender(connection, file, copy)
    hasher = blake3()
    done = 0
    try:
        for block in read_blocks(reader, bytearray(min(_BLOCK_BYTES, max(1, reader.size)))):
            hasher.update(block)
            sender.send(block)
            done += len(block)
            if progress is not None:
                progress(done, reader.size)
        if expected and hasher.hexdigest() != expected:
            raise DigestMismatch(f"{file} no longer has the contents it was stored with (bit rot?)")
    except (ConnectionLost, DeadlineExceeded):
        connection.close()
        raise
    except Exception as error:
        sender.abort(getattr(error, "message", str(error)) or type(error).__name__)
        raise
    except BaseException:  # Ctrl-C, perhaps in the middle of a packet
        connection.close()
        raise
    sender.end(hasher.digest())
    return hasher.hexdigest()


def _trace(connection: Connection, kind: str, count: int, file: str, copy: str) -> None:
    """Write down that packets of a file passed; with the first of them, after which message."""
    if connection.tracer.enabled:
        detail = None if connection.file == file else {"after": connection.at}
        connection.file = file
        connection.tracer.event(kind, peer=connection.peer.node, bytes=count, file=file, copy=copy, detail=detail)
