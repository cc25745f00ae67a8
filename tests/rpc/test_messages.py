"""Messages: JSON-RPC 2.0 as its specification and somebody else's library understand it; what is none is told why."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import msgspec
import pjrpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from rpclab.config import PACKET_BYTES
from rpclab.errors import MessageError, MessageTooLarge, MethodNotFound, NotEncodable, RemoteError, WrongArguments
from rpclab.rpc import messages
from rpclab.rpc.messages import BadMessage, Failure, Request, Success, check_json, decode, encode
from rpclab.rpc.packets import MESSAGE

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)
PARAMS = st.lists(VALUES, max_size=4) | st.dictionaries(TEXT, VALUES, max_size=4)
IDS = st.integers(-(2**53), 2**53) | TEXT
STAMPS = st.tuples(TEXT, st.integers(0, 2**53), st.integers(0, 2**53))


def payload(message: Request | Success | Failure) -> bytes:
    buffer = bytearray()
    encode(message, buffer)
    assert buffer[0] == MESSAGE
    assert int.from_bytes(buffer[1:4], "big") == len(buffer) - 4
    return bytes(buffer[4:])


def bad(text: str | bytes) -> BadMessage:
    with pytest.raises(BadMessage) as caught:
        decode(text if isinstance(text, bytes) else text.encode())
    return caught.value


def request(params: str, **members: str) -> str:
    others = "".join(f',"{name}":{value}' for name, value in members.items())
    return f'{{"jsonrpc":"2.0","id":7,"method":"m","params":{params}{others}}}'


# ---- there and back


@given(TEXT, PARAMS, IDS | st.just(UNSET), STAMPS | st.just(UNSET), st.integers(0, 10**6) | st.just(UNSET))
def test_a_request_arrives_as_it_was_sent(method: str, params: Any, id: Any, stamp: Any, deadline: Any) -> None:
    check_json(params)
    message = decode(payload(Request(method, params, id, stamp, deadline)))
    assert message.method == method
    assert message.params == (params if params != [] else UNSET)
    assert (message.id, message.trace, message.deadline) == (id, stamp, deadline)
    assert message.kind == ("notification" if id is UNSET else "request")


@given(IDS | st.none(), VALUES, STAMPS | st.just(UNSET))
def test_a_result_arrives_as_it_was_sent(id: Any, result: Any, stamp: Any) -> None:
    message = decode(payload(Success(id, result, stamp)))
    assert (message.id, message.result, message.trace, message.kind) == (id, result, stamp, "reply")


@given(IDS | st.none(), st.integers(-(2**31), 2**31), TEXT, st.dictionaries(TEXT, VALUES, max_size=3))
def test_an_error_arrives_as_it_was_sent(id: Any, code: int, text: str, data: dict[str, Any]) -> None:
    message = decode(payload(Failure(id, messages.ErrorObject(code, text, data or UNSET))))
    assert isinstance(message.error, messages.ErrorObject)
    assert (message.id, message.error.code, message.error.message, message.kind) == (id, code, text, "error")
    assert message.error.data == (data or UNSET)


@given(st.binary(max_size=200) | PARAMS.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_a_message_or_a_bad_message(data: bytes) -> None:
    try:
        decode(data)
    except BadMessage as error:
        assert error.wire_code in (-32700, -32600)
        assert payload(error.reply())  # it can always be answered


@given(
    st.dictionaries(
        st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "trace", "deadline"]), VALUES
    )
)
def test_an_object_with_members_of_any_type_is_a_message_or_can_be_answered(members: dict[str, Any]) -> None:
    try:
        decode(msgspec.json.encode(members | {"jsonrpc": "2.0"}))
    except BadMessage as error:
        assert error.keep
        assert payload(error.reply())


# ---- the specification's examples (https://www.jsonrpc.org/specification, section 7)


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ('{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}', [42, 23]),
        (
            '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
            {"subtrahend": 23, "minuend": 42},
        ),
    ],
)
def test_the_specifications_requests_are_understood(text: str, params: object) -> None:
    message = decode(text.encode())
    assert (message.method, message.params, message.kind) == ("subtract", params, "request")


@pytest.mark.parametrize(
    "text", ['{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', '{"jsonrpc": "2.0", "method": "foobar"}']
)
def test_the_specifications_notifications_are_understood(text: str) -> None:
    assert decode(text.encode()).kind == "notification"


def test_the_specifications_responses_are_understood() -> None:
    assert decode(b'{"jsonrpc": "2.0", "result": 19, "id": 1}').result == 19
    failed = decode(b'{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"}')
    assert failed.id == "1"
    with pytest.raises(MethodNotFound, match=r"Method not found \(said server1\)"):
        failed.raise_error("server1")


@pytest.mark.parametrize(
    ("text", "code", "keep"),
    [
        ('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', -32700, False),
        ('{"jsonrpc": "2.0", "method": 1, "params": "bar"}', -32600, True),
        (
            '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},{"jsonrpc": "2.0", "method"',
            -32700,
            False,
        ),
        ("[]", -32600, False),
        ("[1]", -32600, False),
        ("[1,2,3]", -32600, False),
        ('[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}]', -32600, False),
    ],
)
def test_the_specifications_wrong_messages_have_its_codes(text: str, code: int, keep: bool) -> None:
    error = bad(text)
    assert (error.wire_code, error.keep, error.id) == (code, keep, None)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MethodNotFound("x"), -32601),
        (WrongArguments("x"), -32602),
        (ValueError("x"), -32603),
        (MessageError("x"), -32600),
    ],
)
def test_errors_have_the_specifications_codes(error: Exception, code: int) -> None:
    assert messages.failure(1, error).error.code == code


# ---- somebody else's library


@given(TEXT, PARAMS, st.integers(1, 2**53), STAMPS)
def test_pjrpc_reads_our_requests(method: str, params: Any, id: int, stamp: Any) -> None:
    theirs = pjrpc.Request.from_json(json.loads(payload(Request(method, params, id, stamp, deadline=1000))))
    assert (theirs.method, theirs.id) == (method, id)
    assert theirs.params == params or (not params and not theirs.params)


@given(st.integers(1, 2**53), VALUES, STAMPS)
def test_pjrpc_reads_our_results(id: int, result: Any, stamp: Any) -> None:
    theirs = pjrpc.Response.from_json(json.loads(payload(Success(id, result, stamp))))
    assert (theirs.id, theirs.is_success, theirs.unwrap_result()) == (id, True, result)


@pytest.mark.parametrize(
    "error", [MethodNotFound("no such"), WrongArguments("f(a, b)"), ZeroDivisionError("division by zero")]
)
def test_pjrpc_reads_our_errors(error: Exception) -> None:
    failed = messages.failure(5, error)
    failed.trace = ("server1", 1, 2)
    theirs = pjrpc.Response.from_json(json.loads(payload(failed)))
    assert theirs.is_error
    assert (theirs.unwrap_error().code, theirs.unwrap_error().message) == (failed.error.code, str(error))


def test_pjrpc_reads_our_notifications() -> None:
    assert pjrpc.Request.from_json(json.loads(payload(Request("progress", [1, 2])))).is_notification


@given(TEXT, PARAMS, IDS.filter(lambda id: id is not None))
def test_we_read_pjrpcs_requests(method: str, params: Any, id: Any) -> None:
    message = decode(json.dumps(pjrpc.Request(method, params, id).to_json()).encode())
    assert (message.method, message.id, message.kind) == (method, id, "request")
    assert message.params == params or (not params and message.params is UNSET)


@given(VALUES, IDS)
def test_we_read_pjrpcs_results(result: Any, id: Any) -> None:
    message = decode(json.dumps(pjrpc.Response(id, result=result).to_json()).encode())
    assert (message.result, message.id, message.kind) == (result, id, "reply")


def test_we_read_pjrpcs_errors_and_notifications() -> None:
    def read(code: int, message: str, data: object) -> messages.Incoming:
        theirs = pjrpc.Response(1, error=pjrpc.common.JsonRpcError(code, message, data))
        return decode(json.dumps(theirs.to_json()).encode())

    with pytest.raises(MethodNotFound, match="Method not found"):
        read(-32601, "Method not found", {"method": "f"}).raise_error("server1")
    with pytest.raises(RemoteError, match="Server error"):
        read(-32000, "Server error", pjrpc.common.UNSET).raise_error("server1")
    assert decode(json.dumps(pjrpc.Request("tick").to_json()).encode()).kind == "notification"


# ---- what no message may hold


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_has_not_is_refused_by_its_name(number: str) -> None:
    error = bad(request(f"[1, {number}]"))
    assert (error.wire_code, error.keep, error.id) == (-32700, True, 7)
    assert str(error) == f"{number} is no JSON number (RFC 8259)"


def test_a_number_too_large_for_a_float_is_refused_not_made_infinite() -> None:
    error = bad(request("[1e999]"))
    assert error.keep
    assert "out of range" in str(error)


@pytest.mark.parametrize("text", [r"\ud800", r"\ud800abc", r"\udc00", r"x\uDFFFy", r"\ud800A", r"\udc00\ud800"])
@pytest.mark.parametrize("place", ['["{}"]', '{{"{}":1}}', '[[{{"a":"{}"}}]]'])
def test_a_lone_surrogate_is_refused_wherever_it_stands(text: str, place: str) -> None:
    error = bad(request(place.format(text)))
    assert (error.wire_code, error.keep, error.id) == (-32700, True, 7)
    assert "lone surrogate" in str(error)


def test_a_pair_of_surrogates_is_the_letter_that_it_means() -> None:
    assert decode(request(r'["\ud83d\ude00"]').encode()).params == ["😀"]


@pytest.mark.parametrize("data", [b"\xff", b"\xed\xa0\x80", b"\xc0\xaf"])
def test_bytes_that_are_no_utf_8_are_no_json(data: bytes) -> None:
    error = bad(request('["PLACE"]').encode().replace(b"PLACE", data))
    assert (error.wire_code, error.keep) == (-32700, False)


@pytest.mark.parametrize(("open", "close"), [("[", "]"), ('{"a":', "}")])
def test_what_is_nested_as_deep_as_allowed_arrives_and_one_deeper_is_refused_both_ways(open: str, close: str) -> None:
    inner = "[]" if open == "[" else '{"a":1}'
    deep = open * 63 + inner + close * 63
    assert decode(request(deep).encode()).params == json.loads(deep)
    check_json(json.loads(deep))
    deeper = open + deep + close
    assert "nested more than 64" in str(bad(request(deeper)))
    with pytest.raises(NotEncodable, match="nested more than 64"):
        check_json(json.loads(deeper))


@pytest.mark.parametrize("count", [500, 5_000, 30_000])
@pytest.mark.parametrize("open", ["[", '{"":'])
def test_nesting_beyond_all_measure_is_refused_and_breaks_nothing(count: int, open: str) -> None:
    close = "]" if open == "[" else "}"
    assert "nested more than" in str(bad(request(open * count + ("1" if open != "[" else "") + close * count)))


@pytest.mark.parametrize("member", ["result", "error"])
def test_nesting_is_refused_in_answers_too(member: str) -> None:
    deep = "[" * 70 + "]" * 70
    value = deep if member == "result" else f'{{"code":1,"message":"x","data":{deep}}}'
    assert "nested more than 64" in str(bad(f'{{"jsonrpc":"2.0","id":1,"{member}":{value}}}'))


def test_brackets_in_a_text_are_no_nesting() -> None:
    assert decode(request(f'["{"[" * 1000}"]').encode()).params == ["[" * 1000]


@pytest.mark.parametrize("text", ["", " ", "null", "true", "1", '"text"', "GET / HTTP/1.1", "{", '{"a"', "\x00" * 8])
def test_what_is_no_json_object_is_refused_and_not_kept(text: str) -> None:
    assert not bad(text).keep


def test_whole_numbers_arrive_exactly_however_large() -> None:
    large = [2**64, -(2**200), 10**4299]
    assert decode(request(json.dumps(large)).encode()).params == large


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_of_more_digits_than_python_reads_is_refused_and_the_connection_kept(sign: str) -> None:
    error = bad(request(f"[{sign}{'9' * 5000}]"))
    assert (error.keep, error.id) == (True, 7)
    assert "whole number of 5,00" in str(error)


def test_of_two_members_with_the_same_name_the_last_one_counts() -> None:
    """RFC 8259 leaves it open; it is what most readers do, json of Python and JavaScript among them."""
    assert decode(request('{"a":1,"a":2}').encode()).params == {"a": 2} == json.loads('{"a":1,"a":2}')
    assert decode(b'{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}').id == 2


@pytest.mark.parametrize(
    ("member", "value", "place"),
    [
        ("jsonrpc", '"1.0"', "$.jsonrpc"),
        ("jsonrpc", "2.0", "$.jsonrpc"),
        ("id", "1.5", "$.id"),
        ("id", "true", "$.id"),
        ("id", "[1]", "$.id"),
        ("id", str(2**53 + 1), "$.id"),
        ("id", f'"{"x" * 256}"', "$.id"),
        ("method", "1", "$.method"),
        ("method", "null", "$.method"),
        ("method", f'"{"x" * 256}"', "$.method"),
        ("params", '"x"', "$.params"),
        ("params", "null", "$.params"),
        ("trace", '["a", 1]', "$.trace"),
        ("trace", '["a", -1, 1]', "$.trace[1]"),
        ("trace", '["a", 1, 1.5]', "$.trace[2]"),
        ("deadline", "-1", "$.deadline"),
        ("deadline", '"soon"', "$.deadline"),
        ("error", "null", "$.error"),
        ("error", '{"code":"x","message":"y"}', "$.error.code"),
        ("error", '{"code":1}', "$.error"),
    ],
)
def test_a_member_of_a_wrong_type_is_refused_by_its_place(member: str, value: str, place: str) -> None:
    members = {"jsonrpc": '"2.0"', "id": "7", "method": '"m"'} | {member: value}
    error = bad("{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}")
    assert (error.wire_code, error.keep) == (-32600, True)
    assert error.id == (None if member == "id" else 7)
    assert place in str(error)
    assert payload(error.reply())


@pytest.mark.parametrize(
    "text",
    ['{"id":1,"method":"m"}', '{"jsonrpc":"2.0"}', '{"jsonrpc":"2.0","id":1}', '{"jsonrpc":"2.0","result":1}',
     '{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1,"message":"x"}}'],
)  # fmt: skip
def test_a_message_that_lacks_a_member_or_has_one_too_many_is_refused(text: str) -> None:
    error = bad(text)
    assert (error.wire_code, error.keep) == (-32600, True)


def test_members_that_the_standard_does_not_know_are_passed_over() -> None:
    assert decode(request("[]", auth='"x"', extra="{}").encode()).method == "m"


# ---- what no message can carry


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (math.nan, r"nan at \$\[0\] is no JSON number"),
        (-math.inf, "-inf"),
        ({1: 2}, r"a int as a key at \$\[0\]"),
        ({"a": [1, {2}]}, r"a set at \$\[0\]\.a\[1\]"),
        (b"bytes", "a bytes"),
        (1 + 2j, "a complex"),
        (object(), "a object"),
    ],
)
def test_a_value_that_json_has_not_is_refused_before_it_is_sent(value: object, said: str) -> None:
    with pytest.raises(NotEncodable, match=said):
        check_json([value])


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(NotEncodable, match="nested"):
        check_json(endless)


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, 10**5000], ids=["text", "key", "number"])
def test_what_only_the_encoder_sees_is_refused_too(value: object) -> None:
    with pytest.raises(NotEncodable, match="JSON cannot carry this"):
        payload(Request("m", [value], 1))


def test_a_message_over_one_packet_is_refused_with_the_way_out() -> None:
    overhead = len(payload(Request("m", [""], 1)))
    assert len(payload(Request("m", ["x" * (PACKET_BYTES - overhead)], 1))) == PACKET_BYTES
    with pytest.raises(MessageTooLarge, match="65,537: ask for it in pages"):
        payload(Request("m", ["x" * (PACKET_BYTES - overhead + 1)], 1))


def test_a_buffer_is_used_again_whatever_it_held() -> None:
    buffer = bytearray()
    for params in (["x" * 1000], ["y"], [["z"] * 50]):
        encode(Request("m", params, 1), buffer)
        assert decode(bytes(buffer[4:])).params == params


# ---- over a real connection


@pytest.fixture
def talk(serve: Callable[..., Any], by_hand: Callable[..., Any]) -> Any:
    return by_hand(serve().address).shake_hands()


@pytest.mark.parametrize(
    ("message", "code", "id"),
    [
        (request('["\\ud800"]'), -32700, 7),
        (request("[NaN]"), -32700, 7),
        (request("[" * 70 + "]" * 70), -32600, 7),
        (request("[" * 20_000 + "]" * 20_000), -32700, None),
        (request(f"[{'9' * 5000}]"), -32700, 7),
        ('{"jsonrpc":"2.0","id":99999999999999999999,"method":"echo"}', -32600, None),
        ('{"jsonrpc":"2.0","id":"\\ud800","method":"echo"}', -32700, None),
        ('{"jsonrpc":"2.0","id":1,"method":5}', -32600, 1),
        ('{"jsonrpc":"2.0","method":"echo","id":' + '"x"' * 1 + ',"params":"no"}', -32600, "x"),
        ('{"id":1}', -32600, 1),
    ],
)
def test_a_bad_message_that_is_an_object_is_answered_and_the_connection_kept(
    talk: Any, message: str, code: int, id: Any
) -> None:
    talk.send(message.encode())
    answer = talk.receive()
    assert (answer["error"]["code"], answer["id"], answer["jsonrpc"]) == (code, id, "2.0")
    assert answer["error"]["message"]
    assert talk.call("echo", ["still here"], 8)["result"] == "still here"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("[]", -32600),
        ('[{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}]', -32600),
        ("hello", -32700),
        ("", -32700),
        ("1", -32600),
        ('{"jsonrpc"', -32700),
    ],
)
def test_a_message_that_is_no_object_is_answered_and_the_connection_closed(talk: Any, message: str, code: int) -> None:
    talk.send(message.encode())
    assert talk.receive()["error"]["code"] == code
    assert talk.rest() == b""


def test_a_response_that_nobody_waits_for_ends_the_connection(talk: Any) -> None:
    talk.send({"jsonrpc": "2.0", "id": 1, "result": 5})
    assert talk.rest() == b""


def test_an_array_and_an_unknown_method_are_told_apart_by_pjrpc(talk: Any) -> None:
    talk.send(pjrpc.Request("nonsense", [1], 9).to_json())
    assert pjrpc.Response.from_json(talk.receive()).unwrap_error().code == -32601
    talk.send(pjrpc.Request("echo", {"value": 5}, 10).to_json())
    assert pjrpc.Response.from_json(talk.receive()).unwrap_result() == 5
    talk.send(pjrpc.Request("echo", {"wrong": 5}, 11).to_json())
    refused = pjrpc.Response.from_json(talk.receive()).unwrap_error()
    assert (refused.code, "echo(value)" in refused.message) == (-32602, True)


def test_a_notification_is_not_answered_even_when_it_fails(talk: Any) -> None:
    talk.send({"jsonrpc": "2.0", "method": "nonsense"})
    talk.send({"jsonrpc": "2.0", "method": "echo", "params": [1]})
    assert talk.call("echo", ["next"], "text-id") == {"jsonrpc": "2.0", "id": "text-id", "result": "next"}


def test_a_call_with_a_null_id_is_answered_with_a_null_id(talk: Any) -> None:
    assert talk.call("echo", [1], None) == {"jsonrpc": "2.0", "id": None, "result": 1}
