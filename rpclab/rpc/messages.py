"""Messages: JSON-RPC 2.0 requests, notifications and responses as typed values, bytes in, values out, no I/O.

Beside the standard's members a request carries `trace` (the stamp of the event that sent it: node, number, Lamport time),
`deadline` (milliseconds left) and, if it may come again, `once` (the same id each time: see once.py); a response carries
`trace`. The standard lets a receiver ignore what it doesn't know.
JSON (RFC 8259) has no NaN and no Infinity, and UTF-8 has no lone surrogates: both are refused, going out and coming in.
"""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from ..config import PACKET_BYTES, PACKET_HEADER_BYTES, Limits
from ..errors import MessageError, MessageTooLarge, NotEncodable, error_from_wire, error_to_wire
from ..trace import Stamp
from .packets import MESSAGE, write_header

__all__ = [
    "BadMessage",
    "ErrorObject",
    "Failure",
    "Incoming",
    "Request",
    "Success",
    "check_json",
    "decode",
    "encode",
    "failure",
    "result_bytes",
]

Id = int | str | None
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Name = Annotated[str, msgspec.Meta(max_length=255)]
_Once = Annotated[str, msgspec.Meta(min_length=16, max_length=64)]
_Id = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)] | _Name | None


class Request(Struct, tag_field="jsonrpc", tag="2.0", omit_defaults=True, gc=False):
    """A call; without `id` a notification, which nobody answers."""

    method: str
    params: list[Any] | dict[str, Any] = []
    id: Id | UnsetType = UNSET
    trace: Stamp | UnsetType = UNSET
    deadline: int | UnsetType = UNSET
    once: str | UnsetType = UNSET


class Success(Struct, tag_field="jsonrpc", tag="2.0", gc=False):
    id: Id
    result: Any
    trace: Stamp | UnsetType = UNSET


class ErrorObject(Struct, omit_defaults=True):
    code: int
    message: str
    data: Any = UNSET


class Failure(Struct, tag_field="jsonrpc", tag="2.0"):
    id: Id
    error: ErrorObject
    trace: Stamp | UnsetType = UNSET


class Incoming(Struct, gc=False):
    """Whatever came: a request has a `method`, a response a `result` or an `error`."""

    jsonrpc: Literal["2.0"]
    id: _Id | UnsetType = UNSET
    method: _Name | UnsetType = UNSET
    params: list[Any] | dict[str, Any] | UnsetType = UNSET
    result: Any = UNSET
    error: ErrorObject | UnsetType = UNSET
    trace: tuple[_Name, _Count, _Count] | UnsetType = UNSET
    deadline: _Count | UnsetType = UNSET
    once: _Once | UnsetType = UNSET

    @property
    def kind(self) -> str:
        if self.method is UNSET:
            return "reply" if self.error is UNSET else "error"
        return "notification" if self.id is UNSET else "request"

    @property
    def reply_id(self) -> Id:
        """What a response to this message names as its id."""
        return None if self.id is UNSET else self.id

    @property
    def call_id(self) -> int | str:
        return "" if self.id is UNSET or self.id is None else self.id

    def raise_error(self, node: str | None) -> None:
        if isinstance(self.error, ErrorObject):
            raise error_from_wire(self.error.code, self.error.message, self.error.data, node)


class BadMessage(MessageError):
    """What came is no JSON-RPC 2.0 message; `keep` says whether it was at least a JSON object, so that talk can go on."""

    def __init__(self, message: str, *, wire_code: int, id: Id = None, keep: bool = False) -> None:
        super().__init__(message)
        self.wire_code, self.id, self.keep = wire_code, id, keep

    def reply(self) -> Failure:
        return Failure(self.id, ErrorObject(self.wire_code, self.message))


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Incoming)
_PARSE, _INVALID = -32700, -32600
_NESTING = Limits().nesting
_PLAIN = frozenset((str, int, bool, type(None), UnsetType, Raw))
_NESTS = frozenset((list, dict, tuple))
_DIGITS = 4300  # Python's own limit (sys.int_info.default_max_str_digits): longer ones take time to read


def encode(message: Request | Success | Failure, buffer: bytearray) -> None:
    """Fill the buffer with one message packet, header included. Errors (nothing was sent): NotEncodable, MessageTooLarge."""
    try:
        _encoder.encode_into(message, buffer, PACKET_HEADER_BYTES)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotEncodable(f"JSON cannot carry this: {error}") from None
    write_header(buffer, MESSAGE)


def result_bytes(result: object) -> Raw:
    """A result as JSON, which no later change of the value reaches. Errors: NotEncodable, MessageTooLarge."""
    check_json(result)
    try:
        encoded = _encoder.encode(result)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotEncodable(f"JSON cannot carry this: {error}") from None
    if len(encoded) > PACKET_BYTES:
        raise MessageTooLarge(
            f"a packet carries at most {PACKET_BYTES:,} bytes, this is {len(encoded):,}: ask for it in pages"
        )
    return Raw(encoded)


def decode(payload: bytes) -> Incoming:
    """The message in a packet's payload; raises BadMessage."""
    try:
        message = _decoder.decode(payload)
        nests = message.params or message.error or type(message.result) not in _PLAIN
        if nests and payload.count(b"[") + payload.count(b"{") > _NESTING:
            for part in (message.params, message.result, message.error and message.error.data):
                check_json(part)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, NotEncodable) as error:
        raise _diagnosis(payload, str(error)) from None
    if message.method is UNSET and (message.id is UNSET or (message.result is UNSET) == (message.error is UNSET)):
        raise BadMessage(
            "a message needs a method (request), or an id and either a result or an error (response)",
            wire_code=_INVALID,
            id=message.id if isinstance(message.id, int | str) else None,
            keep=True,
        )
    return message


def failure(id: Id, error: BaseException) -> Failure:
    """The response that tells the caller of an error."""
    code, text, data = error_to_wire(error)
    text = text[:4000].encode("utf-8", "backslashreplace").decode()
    return Failure(id, ErrorObject(code, text, data or UNSET))


def check_json(value: object, path: str = "$", depth: int = 0) -> None:
    """Raise NotEncodable, naming the place, if JSON cannot carry the value as it is."""
    kind = type(value)
    if kind in _PLAIN or (kind not in _NESTS and isinstance(value, Struct)):
        return
    if depth >= _NESTING:
        raise NotEncodable(f"lists and objects nested more than {_NESTING} deep at {path[:80]}")
    if kind is float:
        if not math.isfinite(value):  # type: ignore[arg-type]
            raise NotEncodable(f"{value} at {path} is no JSON number")
    elif kind is list or kind is tuple:
        for index, item in enumerate(value):  # type: ignore[arg-type, var-annotated]
            if type(item) not in _PLAIN:
                check_json(item, f"{path}[{index}]", depth + 1)
    elif kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]
            if type(key) is not str:
                raise NotEncodable(f"a {type(key).__name__} as a key at {path}: JSON has only text as keys")
            check_json(item, f"{path}.{key}", depth + 1)
    else:
        raise NotEncodable(
            f"a {kind.__name__} at {path}: JSON has only text, numbers, true, false, null, lists and objects"
        )


def _diagnosis(payload: bytes, error: str) -> BadMessage:
    """Why a payload is no message, told as exactly as the standard library can."""

    def no_constant(name: str) -> Any:
        found.append(f"{name} is no JSON number (RFC 8259)")

    def whole_number(digits: str) -> int | None:
        if len(digits.lstrip("-")) <= _DIGITS:
            return int(digits)
        found.append(f"a whole number of {len(digits):,} digits; at most {_DIGITS:,} are understood")
        return None

    found: list[str] = []
    try:
        value = json.loads(payload.decode(), parse_constant=no_constant, parse_int=whole_number)
    except RecursionError:
        return BadMessage(
            f"lists and objects nested more than {_NESTING} deep", wire_code=_PARSE, keep=payload[:1] == b"{"
        )
    except ValueError as problem:
        return BadMessage(f"no JSON: {problem}", wire_code=_PARSE)
    if not isinstance(value, dict):
        return BadMessage(f"a message is a JSON object, this is a {type(value).__name__}", wire_code=_INVALID)
    id = _answerable(value.get("id"))
    if found:
        return BadMessage(found[0], wire_code=_PARSE, id=id, keep=True)
    if "surrogate" in error or "truncated" in error:  # json takes what msgspec did not: it was that
        return BadMessage("a lone surrogate in a text, which UTF-8 cannot hold", wire_code=_PARSE, id=id, keep=True)
    return BadMessage(f"no JSON-RPC 2.0 message: {error}", wire_code=_INVALID, id=id, keep=True)


def _answerable(id: object) -> Id:
    """The id of a message that was not understood, None if it is none that an answer could carry."""
    try:
        answerable: Id = msgspec.convert(id, _Id, strict=True)
        msgspec.json.encode(answerable)  # a text may hold lone surrogates
    except (msgspec.ValidationError, UnicodeEncodeError):
        return None
    return answerable
