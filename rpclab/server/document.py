"""A server on the document's own wire: what a program may call, and how a file that it sends is stored and copied."""

from __future__ import annotations

from collections.abc import Iterator

from blake3 import blake3

from ..config import is_loopback
from ..errors import NotAllowed, StorageError
from ..records import file_key
from ..rpc import document
from ..rpc.channel import Channel
from ..rpc.document import DocumentRequest
from ..rpc.listener import Say
from ..rpc.registry import Registry
from ..trace import Tracer
from ..world.base import World
from .manager_link import Link
from .replication import Replication
from .store import Incoming, Store
from .uploads import Uploads

__all__ = ["DocumentWire"]


class DocumentWire:
    """Converses with one program after the other; of the server's methods it offers the description's two."""

    def __init__(
        self,
        world: World,
        store: Store,
        link: Link,
        uploads: Uploads,
        replication: Replication,
        methods: Registry,
        tracer: Tracer,
        say: Say,
        show_messages: bool,
    ) -> None:
        self._world, self._store, self._link = world, store, link
        self._uploads, self._replication, self._methods = uploads, replication, methods
        self._tracer, self._say, self._show = tracer, say, show_messages

    def converse(self, channel: Channel) -> None:
        """Answer a program until it closes. Errors: NotAllowed, for one on another machine."""
        if not is_loopback(channel.stream.peer):
            raise NotAllowed("the document's wire is for loopback only")
        registry = Registry()
        for name in ("string", "sendPath"):
            registry.take_over(self._methods, name)
        document.converse(channel, registry, self._tracer, self._say, self._take_in, self._show)

    def _take_in(self, channel: Channel, request: DocumentRequest) -> None:
        """Store a file that a program sends, confirm it, then copy it on, in that order. This wire has two copies of a file,
        whatever the cluster has, and replaces what was there before."""
        name = request.args[0] if request.args and isinstance(request.args[0], str) else ""
        backup = request.mark == document.BACKUP
        incoming = self._store.begin(
            document.CLIENT,
            name,
            -1,
            self._link.next_version(),
            wanted=1 if backup else 2,  # a program's own copy has a version of its own: it is none of the original's
            saved=self._world.clock.wall(),
            keep=1,
        )
        try:
            document.send_reply(channel, self._tracer, document.FILENAME_RECEIVED)
            file = incoming.commit(_write_pieces(incoming, document.file_pieces(channel)))
        finally:
            incoming.discard()
        upload = self._world.nonce(8).hex()
        self._uploads.stored(file, "replica" if backup else "original", upload, incoming.dropped)
        document.send_reply(channel, self._tracer, document.FILE_RECEIVED)
        if not backup:
            for problem in self._replication.copy_after(file, upload, 1, [], keep=1).problems:
                self._say(f"a copy of {file_key(file.client, file.name)} failed: {problem}")


def _write_pieces(incoming: Incoming, pieces: Iterator[bytes]) -> str:
    """Write a file as it comes; returns the digest of what came."""
    hasher = blake3()
    try:
        for piece in pieces:
            hasher.update(piece)
            incoming.write([memoryview(piece)])
    except StorageError:
        for _ in pieces:  # the sender does not listen before EOF: its bytes must not be taken for requests
            continue
        raise
    return hasher.hexdigest()
