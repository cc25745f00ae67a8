"""The message decoder and the check of arguments: what is no message can be answered; what is one, sent on, stays equal.

the payload of one packet
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, get_type_hints

import msgspec
from msgspec import UNSET

from rpclab.config import PACKET_HEADER_BYTES
from rpclab.errors import MessageTooLarge, RpclabError
from rpclab.manager.service import Manager
from rpclab.records import FileRecord
from rpclab.rpc.handshake import Peer
from rpclab.rpc.messages import BadMessage, Failure, Incoming, Request, Success, decode, encode
from rpclab.rpc.registry import Call, Registry
from rpclab.server.service import Server

__all__ = ["check"]

_GROWS = 8  # the most that a message grows when it is written again: 1e15 becomes 1000000000000000.0
_SMALL = 65_536 // _GROWS


def check(data: bytes) -> None:
    try:
        message = decode(data)
    except BadMessage as bad:
        answer = again(bad.reply(), len(data))
        assert answer.error is not UNSET and answer.reply_id == bad.id
        assert bad.message and len(bad.message) < 1000 + len(data)
        return
    sent = same(message)
    arrived = again(sent, len(data))
    assert arrived == message, (arrived, message)
    if message.method is not UNSET:
        try:
            _TABLE.invoke(Call(_PEER), message.method, message.params)
        except RpclabError as error:
            assert str(error)
    elif message.error is not UNSET:
        try:
            message.raise_error("peer")
        except RpclabError as error:
            assert isinstance(str(error), str)
        else:
            raise AssertionError("an error that is not raised")


def same(message: Incoming) -> Request | Success | Failure:
    """The message as its sender would write it."""
    if message.method is not UNSET:
        params = [] if message.params is UNSET else message.params
        sent: Any = Request(message.method, params, message.id, message.trace, message.deadline)
    elif message.error is not UNSET:
        sent = Failure(message.id, message.error, message.trace)  # type: ignore[arg-type]
    else:
        sent = Success(message.id, message.result, message.trace)  # type: ignore[arg-type]
    # What JSON-RPC leaves to the sender: params may be left out, and members that are not of its kind are passed over.
    if message.method is not UNSET:
        message.params = UNSET if message.params in ([], UNSET) else message.params
        message.result = message.error = UNSET
    else:
        message.params = message.deadline = UNSET
    return sent


def again(message: Request | Success | Failure, size: int) -> Incoming:
    """The message once it was sent and received again."""
    out = bytearray()
    try:
        encode(message, out)
    except MessageTooLarge:
        assert size > _SMALL
        raise
    return decode(bytes(out[PACKET_HEADER_BYTES:]))


# ---- a table of remote methods: those of the manager and the server, with nothing behind them, and some of a student's


def _checked(function: Callable[..., Any], place: int) -> Callable[..., Any]:
    """A function with the same arguments that only looks whether they are of the types that it was promised."""
    kinds = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function)

    @functools.wraps(function)
    def look(*args: Any, **named: Any) -> None:
        for name, value in list(parameters.bind(*args, **named).arguments.items())[place:]:
            if name in kinds:
                plain = msgspec.to_builtins(value)
                assert msgspec.convert(plain, kinds[name]) == value, (name, value)

    return look


def add(a: float, b: float = 1.0) -> None: ...


def tell(text: str, *more: Any, times: int = 1, **rest: Any) -> None: ...


def keep(file: FileRecord, /, where: list[tuple[str, int]] | None = None) -> None: ...


def _table() -> Registry:
    registry = Registry()
    for owner in (Manager, Server):
        for name, function in vars(owner).items():
            if inspect.isfunction(function) and not name.startswith("_"):
                with_call = "call" in inspect.signature(function).parameters
                bound = types.MethodType(_checked(function, 2 if with_call else 1), object())
                registry.register_method(bound, name, with_call=with_call)
    for function in (add, tell, keep):
        registry.register_method(_checked(function, 0))
    return registry


_PEER = Peer("peer", "client", ("127.0.0.1", 1))
_TABLE = _table()
