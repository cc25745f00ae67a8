"""The document's own wire, byte for byte: bare JSON without length or end, a file as raw bytes and the three letters EOF.

It is spoken so that programs written to it can talk to ours, and so that students can compare. Its faults are part of it and
stay visible here (a file that holds EOF where a receive happens to end is cut there; an error is text like any other); none
is possible on our own wire. It cannot be authenticated: it is off unless asked for, and then on loopback only.

    request   the JSON text of [name, args, kwargs], read with one receive
    reply     the JSON text of the result, or of an exception's text
    file      ["sendFilename", [filename], {}] ("backup" stands for {} when a server sends), reply "Filename received.",
              the raw bytes, then EOF, reply "File received successfully!"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from ..config import PACKET_BYTES, Address, Limits, address_text, is_loopback
from ..errors import ConnectionLost, MessageError, RpclabError, UsageError, error_text
from ..trace import Tracer
from ..world.base import Reader, Stream, World
from .channel import Channel
from .files import Progress, read_blocks
from .handshake import Peer
from .listener import Say
from .messages import check_json
from .registry import Call, Registry

__all__ = [
    "BACKUP",
    "CLIENT",
    "EOF",
    "FILENAME_RECEIVED",
    "FILE_RECEIVED",
    "DocumentConnection",
    "DocumentRequest",
    "converse",
    "decode_request",
    "encode_request",
    "file_pieces",
]

EOF = b"EOF"
BACKUP = "backup"
CLIENT = "document"  # the folder of files whose sender has no name: this wire knows none
FILENAME_RECEIVED = "Filename received."
FILE_RECEIVED = "File received successfully!"


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """One call on the document's wire. `mark` is the text that stands where the named arguments would, "" if none."""

    name: str
    args: list[Any]
    kwargs: dict[str, Any]
    mark: str = ""


def encode_request(name: str, args: list[Any], kwargs: dict[str, Any] | str) -> bytes:
    check_json([args, kwargs])
    return msgspec.json.encode([name, args, kwargs])


def decode_request(data: bytes) -> DocumentRequest:
    """Errors: MessageError, when these bytes alone are no request."""
    try:
        name, args, kwargs = msgspec.json.decode(data, type=tuple[str, list[Any], dict[str, Any] | str])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"these {len(data):,} bytes are no request [name, args, kwargs]: {error}") from None
    return DocumentRequest(
        name, args, {} if isinstance(kwargs, str) else kwargs, kwargs if isinstance(kwargs, str) else ""
    )


# ---- answering


def converse(
    channel: Channel,
    registry: Registry,
    tracer: Tracer,
    say: Say,
    on_file: Callable[[Channel, DocumentRequest], None] | None = None,
    shown: bool = False,
) -> None:
    """Answer a program of the document's wire until it closes. `on_file` takes over at each `sendFilename`."""
    call = Call(Peer(address_text(channel.stream.peer), "client", channel.stream.peer, wire="document"))
    try:
        while data := channel.receive_raw(None):
            tracer.event("receive", peer=CLIENT, message="request", bytes=len(data), detail={"wire": "document"})
            try:
                request = decode_request(data)
                if shown:
                    say(f"{call.peer.node} (document wire): {request.name}({', '.join(map(repr, request.args))})")
                if request.name == "sendFilename" and on_file is not None:
                    on_file(channel, request)
                    continue
                reply = registry.invoke(call, request.name, request.args, request.kwargs)
                check_json(reply)
            except ConnectionLost:
                raise
            except Exception as error:  # on this wire a caller gets an exception's text, whatever it is
                kind, reply = type(error).__name__, error_text(error)
                tracer.event("failed", detail={"error": kind, "message": reply, "wire": "document"})
                say(f"{call.peer.node} (document wire): {kind}: {reply}")
            send_reply(channel, tracer, reply)
    finally:
        for function in reversed(call.at_end):
            function()


def send_reply(channel: Channel, tracer: Tracer, reply: object) -> None:
    payload = msgspec.json.encode(reply)
    tracer.event("send", peer=CLIENT, message="reply", bytes=len(payload), detail={"wire": "document"})
    channel.send((payload,), channel.now() + channel.limits.call_s)


def file_pieces(channel: Channel) -> Iterator[bytes]:
    """The raw bytes of a file as they come, up to where the bytes received so far end with EOF (that is the fault)."""
    held = b""
    while True:
        data = channel.receive_raw(channel.now() + channel.limits.transfer_s)
        if not data:
            raise ConnectionLost("the sender went away before EOF: nothing of the file is kept")
        held += data
        if held.endswith(EOF):
            if held != EOF:
                yield held[: -len(EOF)]
            return
        keep = len(EOF) - 1
        if len(held) > keep:
            yield held[:-keep]
            held = held[-keep:]


# ---- calling


class DocumentConnection:
    """A caller on the document's wire, with the document's habits: Nagle's algorithm on, the mark EOF a write of its own."""

    def __init__(self, world: World, address: Address, tracer: Tracer, limits: Limits | None = None) -> None:
        if not is_loopback(address):
            raise UsageError(
                f"the document's wire proves nobody's name: it is for loopback only, not for {address_text(address)}"
            )
        self.limits = limits or Limits()
        self._tracer = tracer
        stream: Stream = world.network.connect(address, world.clock.now() + self.limits.connect_s, nagle=True)
        self._channel = Channel(world, stream, self.limits, document=True)
        self.closed = False

    def call(self, name: str, *args: Any, named: dict[str, Any] | None = None) -> Any:
        """Call a remote method. An error arrives as text: on this wire it cannot be told from a result."""
        return self._exchange(encode_request(name, list(args), named or {}))

    def _exchange(self, data: bytes) -> Any:
        try:
            self._send(data)
            return self._reply()
        except BaseException:  # also Ctrl-C: an answer that comes later must not meet the next call
            self.close()
            raise

    def _send(self, data: bytes | memoryview) -> None:
        self._channel.send((data,), self._channel.now() + self.limits.transfer_s)
        self._tracer.event("send", peer=CLIENT, bytes=len(data), detail={"wire": "document"})

    def _reply(self) -> Any:
        data = self._channel.receive_raw(self._channel.now() + self.limits.transfer_s)
        if not data:
            raise ConnectionLost("the peer closed the connection before it answered")
        self._tracer.event("receive", peer=CLIENT, bytes=len(data), detail={"wire": "document"})
        try:
            return msgspec.json.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise MessageError(f"these {len(data):,} bytes are no JSON reply: {error}") from None

    def send_file(
        self, reader: Reader, filename: str, *, backup: bool = False, progress: Progress | None = None
    ) -> str:
        """Send an open file and return the peer's answer, FILE_RECEIVED if it likes it; what arrived, nobody can tell."""
        answer = self._exchange(encode_request("sendFilename", [filename], BACKUP if backup else {}))
        if answer != FILENAME_RECEIVED:
            raise RpclabError(f"the server did not take the name {filename!r}: {answer}")
        done = 0
        for block in read_blocks(reader, bytearray(PACKET_BYTES)):
            self._send(block)
            done += len(block)
            if progress is not None:
                progress(done, reader.size)
        self._send(EOF)
        return str(self._reply())

    def close(self) -> None:
        self.closed = True
        self._channel.close()

    def __enter__(self) -> DocumentConnection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
