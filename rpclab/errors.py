"""Every error a person can meet, in one tree, with its number on the wire.

    RpclabError
    ├── UsageError               a wrong argument, option or setting
    │   ├── MethodNotFound       the peer has no such remote method
    │   ├── WrongArguments       the remote method takes other arguments
    │   ├── NotEncodable         a value that JSON can't carry (NaN, a lone surrogate, a set)
    │   ├── MessageTooLarge      a message over one packet
    │   ├── ConnectionBusy       two tasks used one connection at once
    │   └── NotAllowed           this peer may not do that
    ├── CommunicationError
    │   ├── ConnectFailed        nobody answers there
    │   ├── ConnectionLost       the peer went away                      (effect unknown)
    │   ├── DeadlineExceeded     no answer in time                       (effect unknown)
    │   └── TooManyConnections   the peer is at its limit
    ├── ProtocolError
    │   ├── PacketError          what came is no packet                  (effect unknown)
    │   ├── MessageError         what came is no JSON-RPC 2.0 message    (effect unknown)
    │   └── HandshakeError       the peer doesn't know the cluster's secret, or speaks another version
    ├── StorageError
    │   ├── NameRefused          a name that could leave the folder or not exist on every system
    │   ├── NameCollision        two names that some system takes for one
    │   ├── NoSuchFile           nothing is backed up under that name
    │   ├── FileChanged          the file changed while it was sent
    │   ├── DigestMismatch       what arrived, or lies there, isn't what was sent
    │   ├── DiskFull, QuotaExceeded
    │   ├── SyncFailed           the disk would not promise durability   (effect unknown)
    │   ├── DeleteIncomplete     a server could not be told of a delete, or failed at it (effect unknown)
    │   ├── UploadUnknown        a server that was started again knows nothing of an upload (effect unknown)
    │   └── FolderNotUsable      a data folder that can't be written, or that another node uses
    ├── PlacementError
    │   ├── NoServer             no server can take the file
    │   └── TooFewCopies         stored, but on fewer servers than wanted
    ├── ClusterError
    │   ├── StartFailed, PortInUse, ClusterRunning, NotRunning
    │   └── ReplayDiffers        a simulated run, made again, did not do the same
    ├── Cancelled                whoever asked for it no longer wants it, or is gone
    └── RemoteError              the remote method raised something of its own

`definite` says whether the effect is known: True means that what was asked for did not happen, False that it may have.
`node` is the node where the error arose, None for this one. An error crosses the wire as its `code` and text and arrives
as the same class; a builtin exception arrives as a RemoteError that is also that builtin (`except ZeroDivisionError` works).
"""

from __future__ import annotations

import builtins
from typing import Any, ClassVar

__all__ = [
    "Cancelled",
    "ClusterError",
    "ClusterRunning",
    "CommunicationError",
    "ConnectFailed",
    "ConnectionBusy",
    "ConnectionLost",
    "DeadlineExceeded",
    "DeleteIncomplete",
    "DigestMismatch",
    "DiskFull",
    "FileChanged",
    "FolderNotUsable",
    "HandshakeError",
    "MessageError",
    "MessageTooLarge",
    "MethodNotFound",
    "NameCollision",
    "NameRefused",
    "NoServer",
    "NoSuchFile",
    "NotAllowed",
    "NotEncodable",
    "NotRunning",
    "PacketError",
    "PlacementError",
    "PortInUse",
    "ProtocolError",
    "QuotaExceeded",
    "RemoteError",
    "ReplayDiffers",
    "RpclabError",
    "StartFailed",
    "StorageError",
    "SyncFailed",
    "TooFewCopies",
    "TooManyConnections",
    "UploadUnknown",
    "UsageError",
    "WrongArguments",
    "error_from_wire",
    "error_text",
    "error_to_wire",
]


class RpclabError(Exception):
    """The root: `except RpclabError` catches all that this package raises on purpose."""

    code: ClassVar[int] = 1
    definite: ClassVar[bool] = True

    def __init__(self, message: str, *, node: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.node = node

    def __str__(self) -> str:
        return f"{self.message} (said {self.node})" if self.node else self.message


class UsageError(RpclabError):
    code = 100


class MethodNotFound(UsageError):
    code = -32601


class WrongArguments(UsageError):
    code = -32602


class NotEncodable(UsageError):
    code = 101


class MessageTooLarge(UsageError):
    code = 102


class ConnectionBusy(UsageError):
    code = 103


class NotAllowed(UsageError):
    code = 104


class CommunicationError(RpclabError):
    code = 110


class ConnectFailed(CommunicationError):
    code = 111


class ConnectionLost(CommunicationError):
    code = 112
    definite = False


class DeadlineExceeded(CommunicationError):
    code = 113
    definite = False


class TooManyConnections(CommunicationError):
    code = 114


class ProtocolError(RpclabError):
    code = 120
    definite = False


class PacketError(ProtocolError):
    code = 121


class MessageError(ProtocolError):
    code = -32600


class HandshakeError(ProtocolError):
    code = 122
    definite = True


class StorageError(RpclabError):
    code = 130


class NameRefused(StorageError):
    code = 131


class NameCollision(StorageError):
    code = 132


class NoSuchFile(StorageError):
    code = 133


class FileChanged(StorageError):
    code = 134


class DigestMismatch(StorageError):
    code = 135


class DiskFull(StorageError):
    code = 136


class QuotaExceeded(StorageError):
    code = 137


class SyncFailed(StorageError):
    code = 138
    definite = False


class FolderNotUsable(StorageError):
    code = 139


class DeleteIncomplete(StorageError):
    code = 128
    definite = False


class UploadUnknown(StorageError):
    code = 129
    definite = False


class PlacementError(RpclabError):
    code = 140


class NoServer(PlacementError):
    code = 141


class TooFewCopies(PlacementError):
    """The file is stored and durable, on fewer servers than were wanted; `receipt` says on which."""

    code = 142
    receipt: Any = None


class ClusterError(RpclabError):
    code = 150


class StartFailed(ClusterError):
    code = 151


class PortInUse(ClusterError):
    code = 152


class ClusterRunning(ClusterError):
    code = 153


class NotRunning(ClusterError):
    code = 154


class ReplayDiffers(ClusterError):
    code = 155


class Cancelled(RpclabError):
    """Raise it in a `progress` callback to end a backup or a restore: what had arrived is forgotten everywhere. A client in a
    process of its own may hear it too late: then it is done, and returns what it always does."""

    code = 160


class RemoteError(RpclabError):
    """The remote method raised an exception that is none of ours; `type_name` is its class's name there."""

    code = -32603
    definite = False
    type_name: str = "Exception"


def _tree(root: type[RpclabError]) -> dict[int, type[RpclabError]]:
    table = {root.code: root}
    for child in root.__subclasses__():
        table.update(_tree(child))
    return table


_BY_CODE = _tree(RpclabError) | {-32700: MessageError}
_BUILTINS = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, type)
    and issubclass(value, Exception)
    and not issubclass(value, OSError | UnicodeError | Warning | ExceptionGroup)  # these take more than a text
}


def error_to_wire(error: BaseException) -> tuple[int, str, dict[str, Any]]:
    """The code, text and data that an error crosses the wire as (JSON-RPC 2.0's error object)."""
    if isinstance(error, RpclabError) and _is_ours(error):
        return error.code, error.message, {"type": type(error).__name__, "node": error.node} if error.node else {}
    name = getattr(error, "type_name", type(error).__name__)
    return RemoteError.code, error_text(error) or name, {"type": name}


def _is_ours(error: RpclabError) -> bool:
    """Whether it arrives as what it is: not one that somebody has derived, with a number or an __init__ of its own."""
    facts = vars(error)
    kind = _BY_CODE.get(error.code) if isinstance(error.code, int) else None
    known = kind is not None and isinstance(error, kind) and not isinstance(error, RemoteError)
    return known and isinstance(facts.get("message"), str) and isinstance(facts.get("node", ""), str | None)


def error_text(error: BaseException) -> str:
    """An exception's text, such that it can be sent and logged, whatever its class does to show it."""
    try:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    except Exception as problem:  # a student's own __str__
        text = f"(its text cannot be shown: __str__ raised {type(problem).__name__})"
    return text.encode("utf-8", "backslashreplace").decode()


def error_from_wire(code: int, message: str, data: object, node: str | None) -> RpclabError:
    """The error that the peer `node` reported, as its own class; an unknown code becomes a RemoteError."""
    facts = data if isinstance(data, dict) else {}
    where = facts.get("node") or node
    kind = _BY_CODE.get(code)
    if kind is None or issubclass(kind, RemoteError):
        return _remote(str(facts.get("type", "Exception")), message, where)
    return kind(message, node=where)


def _remote(type_name: str, message: str, node: str | None) -> RemoteError:
    """A RemoteError that is also the builtin it was over there; the set is fixed, so a peer can't name another class."""
    twin = _BUILTINS.get(type_name)
    kind: type[RemoteError] = RemoteError
    if twin is not None:
        kind = type(type_name, (RemoteError, twin), {"__module__": "rpclab.remote"})
    error = kind(message if twin or message == type_name else f"{type_name}: {message}", node=node)
    error.type_name = type_name
    return error
