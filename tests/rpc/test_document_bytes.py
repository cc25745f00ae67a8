"""The document's wire under any bytes: a request, a reply or a file, or one of our errors; whatever is asked is answered."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz.memory import MemoryStream, MemoryWorld
from rpclab.config import Limits
from rpclab.errors import ConnectionLost, MessageError
from rpclab.rpc.channel import Channel
from rpclab.rpc.document import (
    EOF,
    DocumentConnection,
    DocumentRequest,
    converse,
    decode_request,
    encode_request,
    file_pieces,
)
from rpclab.rpc.registry import Registry
from rpclab.trace import Tracer

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
TORN = (
    st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.sampled_from(
        [
            b"[" * 60_000,
            b'{"a":' * 10_000,
            b"[" + b"9" * 5000 + b"]",
            b'["x", [' + b"9" * 5000 + b"], {}]",
            b'["x", [NaN], {}]',
            b'["x", ["\\ud800"], {}]',
            b'["\xff", [], {}]',
            b'["x", [1e999], {}]',
            b'["x", [], {}] ["x", [], {}]',
            b'["__init__", [], {}]',
            b'["sendFilename", [], "backup"]',
        ]
    )
)


def channel_of(data: bytes, piece: int = 65_536) -> tuple[Channel, MemoryStream, MemoryWorld]:
    stream = MemoryStream(data, piece)
    world = MemoryWorld(stream)
    return Channel(world, stream, Limits(), document=True), stream, world  # type: ignore[arg-type]


@given(TEXT, st.lists(JSON, max_size=4), st.dictionaries(TEXT, JSON, max_size=3) | TEXT)
def test_a_request_arrives_as_it_was_sent(name: str, args: list[Any], kwargs: dict[str, Any] | str) -> None:
    arrived = decode_request(encode_request(name, args, kwargs))
    named, mark = ({}, kwargs) if isinstance(kwargs, str) else (kwargs, "")
    assert arrived == DocumentRequest(name, args, named, mark)
    assert json.loads(encode_request(name, args, kwargs)) == [name, args, kwargs]


@given(TORN)
def test_whatever_comes_is_a_request_or_a_message_error(data: bytes) -> None:
    try:
        request = decode_request(data)
    except MessageError as error:
        assert len(str(error)) < 300 + len(data)
        return
    assert isinstance(request.name, str) and isinstance(request.args, list) and isinstance(request.kwargs, dict)
    assert msgspec.json.decode(data)[:2] == [request.name, request.args]


@given(st.lists(TORN.filter(bool), min_size=1, max_size=5))
def test_each_thing_that_is_asked_is_answered_with_json_and_the_conversation_goes_on(asked: list[bytes]) -> None:
    registry = Registry()
    registry.register_method(lambda *args, **named: [list(args), named], "echo")
    said: list[str] = []
    for data in [*asked, b'["echo", [1], {}]']:
        channel, stream, world = channel_of(data)
        converse(channel, registry, Tracer(world, "manager"), said.append)  # type: ignore[arg-type]
        answer = msgspec.json.decode(bytes(stream.sent))
    assert answer == [[1], {}]
    assert not any("Traceback" in line for line in said)


@given(TORN)
@example(b"[" * 60_000)
def test_whatever_is_answered_is_a_result_or_one_of_our_errors(data: bytes) -> None:
    stream = MemoryStream(data, 65_536)
    world = MemoryWorld(stream)
    connection = DocumentConnection(world, ("127.0.0.1", 1), Tracer(world, "client1"))  # type: ignore[arg-type]
    try:
        assert connection.call("echo", 1) == msgspec.json.decode(data)
    except (MessageError, ConnectionLost):
        assert stream.closed and connection.closed


@given(
    st.lists(st.sampled_from([b"E", b"O", b"F", b"EO", b"EOF", b"x", b"\0"]), max_size=12).map(b"".join),
    st.integers(1, 9),
)
@example(b"EOF", 1)
@example(b"EO", 1)
def test_a_file_ends_at_the_first_receive_that_ends_with_eof_and_only_there(contents: bytes, piece: int) -> None:
    """That is the document's fault, and it is kept exactly: where the pieces fall, decides."""
    sent = contents + EOF
    ends = [min(place, len(sent)) for place in range(piece, len(sent) + piece, piece)]
    end = next(place for place in ends if sent[:place].endswith(EOF))
    channel, stream, _ = channel_of(sent, piece)
    assert b"".join(file_pieces(channel)) == sent[: end - len(EOF)]
    assert stream.taken == end


@given(st.binary(max_size=40).filter(lambda data: EOF not in data), st.integers(1, 9))
def test_a_sender_that_ends_before_eof_is_a_lost_connection(contents: bytes, piece: int) -> None:
    channel, _, _ = channel_of(contents, piece)
    with pytest.raises(ConnectionLost, match="went away before EOF"):
        list(file_pieces(channel))
