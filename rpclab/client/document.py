"""A client of the document's own wire, for comparison: it can send, and that is all that this wire can do."""

from __future__ import annotations

from ..config import Address, Limits
from ..errors import RpclabError, UsageError
from ..names import check_client
from ..rpc.document import FILE_RECEIVED, DocumentConnection
from ..rpc.files import Progress
from ..rpc.stub import Stub
from ..trace import Tracer
from ..world.base import World

__all__ = ["DocumentClient"]


class DocumentClient:
    """Section 5 of the description, on its own wire: `connect`, `is_connected`, `send_file`, `disconnect`.

    Nothing tells it what arrived, where it lies, or how many copies there are; no name proves who it is.
    """

    def __init__(
        self, world: World, name: str, manager: Address, *, tracer: Tracer | None = None, limits: Limits | None = None
    ) -> None:
        self.name = check_client(name)
        self._world, self._address = world, manager
        self._tracer = tracer or Tracer(world, name)
        self._limits = limits or Limits()
        self._connection: DocumentConnection | None = None
        self._lock = world.tasks.lock()  # guards the connection: the original shared it without
        self.manager = Stub(self, "the manager, on the document's wire")

    def call(self, method: str, *params: object, named: dict[str, object] | None = None) -> object:
        """Call a remote method of the manager; an error comes back as text."""
        with self._lock:
            if self._connection is None or self._connection.closed:
                self._connection = DocumentConnection(self._world, self._address, self._tracer, self._limits)
            return self._connection.call(method, *params, named=named)

    def connect(self) -> DocumentClient:
        """Connect to the manager, and keep the connection. Errors: CommunicationError."""
        self.call("string", "Connection test.")
        return self

    def is_connected(self) -> bool:
        """Whether the manager answers a test message now."""
        try:
            return self.call("string", "Connection test.") == "Connection test."
        except RpclabError:
            return False

    def send_file(self, path: str, filename: str, *, progress: Progress | None = None) -> bool:
        """Send the file `filename` of the folder `path`; True if the server says that it received it."""
        try:
            self.backup(f"{path}/{filename}", filename, progress=progress)
        except RpclabError:
            return False
        return True

    def backup(self, path: str, name: str | None = None, *, progress: Progress | None = None) -> str:
        """Send a file and return the server's words. Errors: RpclabError with whatever it said instead."""
        path = str(path)
        reader = self._world.disk.open(path)
        try:
            with DocumentConnection(self._world, self._server(), self._tracer, self._limits) as connection:
                answer = connection.send_file(
                    reader, name or path.replace("\\", "/").rpartition("/")[2], progress=progress
                )
        finally:
            reader.close()
        if answer != FILE_RECEIVED:
            raise RpclabError(f"the server answered {answer!r}")
        return answer

    def _server(self) -> Address:
        answer = self.call("getServer")
        if not (
            isinstance(answer, list) and len(answer) == 2 and isinstance(answer[0], str) and isinstance(answer[1], int)
        ):
            raise RpclabError(f"the manager gave no server's address but {answer!r}")
        return answer[0], answer[1]

    def restore(self, name: str, folder: str) -> None:
        """The document's wire has no way to get a file back; raises UsageError."""
        raise UsageError('the document\'s wire has no way to restore a file: use our own wire (wire="rpclab")')

    def disconnect(self) -> None:
        """Close the connection. May be called twice."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def __enter__(self) -> DocumentClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.disconnect()
