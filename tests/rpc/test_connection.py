"""Connections: calls and their answers, errors as their own class, deadlines, and one task at a time."""

from __future__ import annotations

import builtins
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from rpclab import errors
from rpclab.config import Limits
from rpclab.errors import (
    ConnectionBusy,
    ConnectionLost,
    DeadlineExceeded,
    MessageError,
    MessageTooLarge,
    MethodNotFound,
    NoServer,
    NotEncodable,
    PacketError,
    QuotaExceeded,
    RemoteError,
    WrongArguments,
)
from rpclab.rpc.connection import Connection
from rpclab.rpc.registry import Call, Registry
from rpclab.trace import Tracer

Serve = Callable[..., Any]
Connect = Callable[..., Connection]


class Gate:
    """A remote method that answers only when it is let."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def wait(self) -> str:
        self.entered.set()
        self.opened.wait(20)
        return "answered"


@pytest.fixture
def gate(registry: Registry, serve: Serve) -> Any:
    gate = Gate()  # opened before the services end, which wait for it
    registry.register_method(gate.wait, "wait")
    yield gate
    gate.opened.set()


@pytest.fixture
def raising(registry: Registry) -> Callable[[BaseException], None]:
    """Let the remote method `fail` raise this."""

    def register(error: BaseException) -> None:
        def fail() -> None:
            raise error

        registry.register_method(fail)

    return register


# ---- calls


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -5, 2**60, 1.5, "", "Übersicht-日本 😀", "\x00\n", [], {}, [[1, {"a": None}], "x"], "x" * 60_000],
)
def test_a_value_comes_back_as_it_went(value: object, serve: Serve, connect: Connect) -> None:
    assert connect(serve().address).call("echo", value) == value


def test_arguments_go_by_position_or_by_name(registry: Registry, serve: Serve, connect: Connect) -> None:
    registry.register_method(lambda minuend, subtrahend: minuend - subtrahend, "subtract")
    connection = connect(serve().address)
    assert connection.call("subtract", 42, 23) == 19
    assert connection.call("subtract", named={"subtrahend": 23, "minuend": 42}) == 19


def test_an_answer_is_converted_to_the_wanted_type_or_refused(serve: Serve, connect: Connect) -> None:
    connection = connect(serve().address)
    assert connection.call("echo", ["127.0.0.1", 5], returns=tuple[str, int]) == ("127.0.0.1", 5)
    with pytest.raises(MessageError, match=r"echo gave back something else than expected.*said server1"):
        connection.call("echo", "five", returns=int)
    assert connection.call("echo", 1) == 1


def test_a_hundred_calls_use_one_connection(registry: Registry, serve: Serve, connect: Connect) -> None:
    seen: set[int] = set()
    registry.register_method(lambda call, value: seen.add(id(call.connection)) or value, "count", with_call=True)
    connection = connect(serve().address)
    assert [connection.call("count", value) for value in range(100)] == list(range(100))
    assert len(seen) == 1


# ---- errors


def test_an_unknown_method_is_named_with_those_that_there_are(serve: Serve, connect: Connect) -> None:
    connection = connect(serve().address)
    with pytest.raises(MethodNotFound, match=r"no remote method 'ecko' here; there are: echo \(said server1\)"):
        connection.call("ecko")
    assert connection.call("echo", 1) == 1


@pytest.mark.parametrize(
    ("params", "named"), [((), None), ((1, 2, 3), None), ((), {"c": 1}), ((), {"a": 1, "b": 2, "c": 3})]
)
def test_wrong_arguments_name_the_methods_signature(
    params: Any, named: Any, registry: Registry, serve: Serve, connect: Connect
) -> None:
    def add(a: int, b: int = 0) -> int:
        return a + b

    registry.register_method(add)
    connection = connect(serve().address)
    with pytest.raises(WrongArguments, match=r"add\(a: int, b: int = 0\) was called with wrong arguments"):
        connection.call("add", *params, named=named)
    with pytest.raises(WrongArguments, match=r"add\(a: int, b: int = 0\): b: Expected `int`, got `str`"):
        connection.call("add", 1, "2")
    assert connection.call("add", 1, 2) == 3


@pytest.mark.parametrize(
    "kind", [NoServer, QuotaExceeded, NotEncodable, errors.NameRefused, errors.RpclabError, errors.TooFewCopies]
)
def test_an_error_of_ours_arrives_as_its_own_class_with_the_nodes_name(
    kind: type[errors.RpclabError], raising: Any, serve: Serve, connect: Connect
) -> None:
    raising(kind("no room"))
    with pytest.raises(kind) as caught:
        connect(serve(node="server7").address).call("fail")
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.node, str(caught.value)) == (
        "no room",
        "server7",
        "no room (said server7)",
    )
    assert caught.value.definite is kind.definite


def test_an_error_that_a_third_node_raised_keeps_that_nodes_name(raising: Any, serve: Serve, connect: Connect) -> None:
    raising(NoServer("no room", node="manager"))
    with pytest.raises(NoServer, match=r"no room \(said manager\)"):
        connect(serve().address).call("fail")


BUILTINS = [
    value
    for value in vars(builtins).values()
    if isinstance(value, type) and issubclass(value, Exception) and not issubclass(value, UnicodeError | ExceptionGroup)
]


def test_every_builtin_exception_arrives_and_most_as_themselves(
    registry: Registry, serve: Serve, connect: Connect
) -> None:
    def fail(name: str) -> None:
        raise getattr(builtins, name)("its text")

    registry.register_method(fail)
    connection = connect(serve().address)
    for kind in BUILTINS:
        with pytest.raises(RemoteError, match="its text") as caught:
            connection.call("fail", kind.__name__)
        assert caught.value.type_name == kind.__name__
        assert caught.value.node == "server1"
        assert isinstance(caught.value, kind) or issubclass(kind, OSError | Warning)


@pytest.mark.parametrize(
    "error", [ExceptionGroup("several", [ValueError(1)]), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")]
)
def test_a_builtin_exception_that_takes_more_than_a_text_arrives_too(
    error: Exception, raising: Any, serve: Serve, connect: Connect
) -> None:
    raising(error)
    with pytest.raises(RemoteError, match=type(error).__name__):
        connect(serve().address).call("fail")


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [("1 / 0", ZeroDivisionError, "division by zero"), ("{}['key']", KeyError, "key"), ("[][1]", IndexError, "list")],
)
def test_an_except_clause_for_a_builtin_catches_the_remote_one(
    code: str, kind: type[Exception], text: str, registry: Registry, serve: Serve, connect: Connect
) -> None:
    registry.register_method(lambda: eval(code), "run")
    connection = connect(serve().address)
    with pytest.raises(kind, match=rf"{text}.*\(said server1\)"):
        connection.call("run")
    assert connection.call("echo", 1) == 1


class StudentError(Exception):
    pass


class Unprintable(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]


def test_an_exception_of_an_unknown_class_arrives_with_its_class_name(
    raising: Any, serve: Serve, connect: Connect
) -> None:
    raising(StudentError("my own"))
    with pytest.raises(RemoteError, match=r"^StudentError: my own \(said server1\)$") as caught:
        connect(serve().address).call("fail")
    assert caught.value.type_name == "StudentError"


@pytest.mark.parametrize(
    "error", [Unprintable(), ValueError("\ud800"), ValueError(), ValueError("x" * 100_000), ValueError("\x00" * 60_000)]
)
@pytest.mark.parametrize("traced", [False, True])
def test_an_exception_whose_text_is_no_text_is_the_callers_to_see_too(
    error: Exception, traced: bool, raising: Any, world: Any, tmp_path: Any, serve: Serve, connect: Connect
) -> None:
    raising(error)
    tracer = Tracer(world, "server1", world.disk.open_log(str(tmp_path / "log")) if traced else None)
    service = serve(tracer=tracer)
    connection = connect(service.address)
    with pytest.raises(RemoteError) as caught:
        connection.call("fail")
    assert caught.value.type_name == type(error).__name__
    assert caught.value.message
    assert connection.call("echo", 1) == 1
    assert not [line for line in service.said if "please report" in line]
    tracer.close()


def test_the_line_that_raised_is_said_at_the_node_that_raised(raising: Any, serve: Serve, connect: Connect) -> None:
    raising(StudentError("my own"))
    service = serve()
    with pytest.raises(RemoteError):
        connect(service.address).call("fail")
    assert [
        line for line in service.said if "fail raised StudentError: my own at" in line and "test_connection.py:" in line
    ]


# ---- what cannot be sent


@pytest.mark.parametrize(
    "value",
    [float("nan"), "\ud800", {1, 2}, b"bytes", "x" * 65_536, 10**5000],
    ids=["nan", "surrogate", "set", "bytes", "long", "digits"],
)
def test_what_no_message_can_carry_is_refused_before_it_is_sent(value: object, serve: Serve, connect: Connect) -> None:
    connection = connect(serve().address)
    with pytest.raises((NotEncodable, MessageTooLarge)):
        connection.call("echo", value)
    assert not connection.closed
    assert connection.call("echo", 1) == 1


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        ("x" * 65_536, MessageTooLarge, "the result of give: a packet carries at most 65,536 bytes, .* ask for it in pages"),
        (float("inf"), NotEncodable, "the result of give: inf at"),
        ("\ud800", NotEncodable, "the result of give"),
        ({5}, NotEncodable, "the result of give: a set at"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("traced", [False, True])
def test_a_result_that_no_message_can_carry_is_a_clear_error_at_the_caller(
    value: object,
    kind: type[Exception],
    said: str,
    traced: bool,
    registry: Registry,
    world: Any,
    tmp_path: Any,
    serve: Serve,
    connect: Connect,
) -> None:
    registry.register_method(lambda: value, "give")
    tracer = Tracer(world, "server1", world.disk.open_log(str(tmp_path / "log")) if traced else None)
    connection = connect(serve(tracer=tracer).address)
    with pytest.raises(kind, match=said):
        connection.call("give")
    assert connection.call("echo", 1) == 1
    tracer.close()


# ---- deadlines and ends


def test_a_method_that_never_answers_is_given_up_about_on_time(gate: Gate, serve: Serve, connect: Connect) -> None:
    connection = connect(serve().address)
    began = time.perf_counter()
    with pytest.raises(DeadlineExceeded, match=r"wait at server1: .* before the deadline") as caught:
        connection.call("wait", deadline_s=0.2)
    assert 0.2 <= time.perf_counter() - began < 2.0
    assert not caught.value.definite
    assert connection.closed
    with pytest.raises(ConnectionLost):
        connection.call("echo", 1)


def test_the_usual_deadline_is_that_of_the_limits(gate: Gate, serve: Serve, connect: Connect) -> None:
    with pytest.raises(DeadlineExceeded):
        connect(serve().address, limits=Limits(call_s=0.1)).call("wait")


def test_a_short_deadline_does_not_outlive_its_call(gate: Gate, serve: Serve, connect: Connect) -> None:
    """The socket keeps its time-out: a long call after a short one must have its own."""
    connection = connect(serve().address)
    connection.call("echo", 1, deadline_s=0.05)
    threading.Timer(0.3, gate.opened.set).start()
    assert connection.call("wait", deadline_s=20) == "answered"


def test_an_answer_in_drops_ends_at_the_deadline(connect: Connect, answer_by_hand: Any, responder: Any) -> None:
    def drip(peer: Any) -> None:
        responder(peer)
        peer.receive()
        pause = threading.Event()
        for byte in b"M\x00\x00\xff" + b" " * 200:
            peer.send_bytes(bytes([byte]))
            pause.wait(0.02)

    began = time.perf_counter()
    with pytest.raises(DeadlineExceeded):
        connect(answer_by_hand(drip)).call("echo", 1, deadline_s=0.2)
    assert time.perf_counter() - began < 2.0


def test_a_peer_that_goes_away_before_it_answers_leaves_the_effect_unknown(
    connect: Connect, answer_by_hand: Any, responder: Any
) -> None:
    connection = connect(answer_by_hand(lambda peer: responder(peer).receive()))
    with pytest.raises(ConnectionLost, match=r"echo at server1: .*closed") as caught:
        connection.call("echo", 1)
    assert not caught.value.definite
    assert connection.closed


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"garbage!", PacketError),
        (b"D\x00\x00\x01x", PacketError),
        (b"M\xff\xff\xff", PacketError),
        (b"A\x00\x00\x04full", ConnectionLost),
        (b"M\x00\x00\x02[]", MessageError),
        (b'M\x00\x00\x27{"jsonrpc":"2.0","id":999,"result":"a"}', MessageError),
        (b'M\x00\x00\x2b{"jsonrpc":"2.0","id":1,"method":"question"}', MessageError),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_ends_the_connection_so_that_no_later_call_meets_it(
    answer: bytes, kind: type[errors.RpclabError], connect: Connect, answer_by_hand: Any, responder: Any
) -> None:
    def wrong(peer: Any) -> None:
        responder(peer)
        peer.receive()
        peer.send_bytes(answer)
        peer.rest()

    connection = connect(answer_by_hand(wrong))
    with pytest.raises(kind, match="echo at server1"):
        connection.call("echo", 1)
    assert connection.closed


def test_an_interrupted_call_ends_its_connection(serve: Serve, connect: Connect, registry: Registry) -> None:
    """Ctrl-C in a notebook: the answer that comes later must not become that of the next call."""
    registry.register_method(lambda call: call.connection.notify("tick", []), "tick", with_call=True)
    connection = connect(serve().address)

    def interrupt(method: str, params: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        connection.call("tick", notified=interrupt)
    assert connection.closed


def test_a_connection_closes_once_and_says_what_it_is(serve: Serve, connect: Connect) -> None:
    with connect(serve().address) as connection:
        assert repr(connection) == "<Connection of client1 to server server1>"
    connection.close()
    assert repr(connection) == "<Connection of client1 to server server1, closed>"


# ---- one task at a time


def test_two_tasks_on_one_connection_are_told_apart(gate: Gate, serve: Serve, connect: Connect) -> None:
    connection = connect(serve().address)
    answers: list[str] = []
    first = threading.Thread(target=lambda: answers.append(connection.call("wait")))
    first.start()
    assert gate.entered.wait(10)
    with pytest.raises(ConnectionBusy, match="take one from the pool for each task") as caught:
        connection.call("echo", 1)
    assert caught.value.definite
    gate.opened.set()
    first.join(10)
    assert answers == ["answered"]
    assert connection.call("echo", 2) == 2


def test_a_connection_that_was_taken_for_a_conversation_is_busy(serve: Serve, connect: Connect) -> None:
    connection = connect(serve().address)
    with connection.taken():
        assert connection.ask("echo", 1) == 1
        with pytest.raises(ConnectionBusy):
            connection.call("echo", 2)
    assert connection.call("echo", 3) == 3


# ---- notifications


def test_progress_comes_before_the_answer_in_its_order(registry: Registry, serve: Serve, connect: Connect) -> None:
    def work(call: Call, steps: int) -> str:
        assert call.connection is not None
        for step in range(steps):
            call.connection.notify("progress", [step + 1, steps])
        return "done"

    registry.register_method(work, with_call=True)
    heard: list[Any] = []
    connection = connect(serve().address)
    assert connection.call("work", 3, notified=lambda method, params: heard.append((method, params))) == "done"
    assert heard == [("progress", [1, 3]), ("progress", [2, 3]), ("progress", [3, 3])]
    assert connection.call("work", 2) == "done"  # who does not listen is not disturbed


def test_a_notification_to_the_node_is_carried_out_and_not_answered(
    registry: Registry, serve: Serve, connect: Connect
) -> None:
    heard = threading.Event()
    registry.register_method(lambda: heard.set(), "heartbeat")
    connection = connect(serve().address)
    connection.notify("heartbeat", [])
    assert heard.wait(10)
    connection.notify("nonsense", [])
    assert connection.call("echo", 1) == 1


def test_staying_ends_when_the_peer_goes(serve: Serve, connect: Connect) -> None:
    service = serve()
    connection = connect(service.address)
    connection.stay(0.01)
    service.stop()
    with pytest.raises(ConnectionLost):
        connection.stay(10)


# ---- events


def test_every_message_is_in_the_log_with_its_cause(
    world: Any, tmp_path: Any, serve: Serve, connect: Connect, eventually: Any
) -> None:
    import json

    log = tmp_path / "server1.jsonl"
    tracer = Tracer(world, "server1", world.disk.open_log(str(log)))
    connection = connect(serve(tracer=tracer).address)
    connection.tracer = Tracer(world, "client1", world.disk.open_log(str(tmp_path / "client1.jsonl")))
    connection.call("echo", "hi")
    with pytest.raises(MethodNotFound):
        connection.call("nonsense")
    for each in (tracer, connection.tracer):
        each.close()

    def events(node: str) -> list[Any]:
        lines = (tmp_path / f"{node}.jsonl").read_bytes().rstrip(b"\0").splitlines()
        return [event for event in map(json.loads, lines) if event["kind"] in ("send", "receive")]

    client, server = events("client1"), events("server1")
    assert [(event["kind"], event["message"]) for event in client] == [
        ("send", "request"),
        ("receive", "reply"),
        ("send", "request"),
        ("receive", "error"),
    ]
    assert [(event["kind"], event["message"]) for event in server] == [
        ("receive", "request"),
        ("send", "reply"),
        ("receive", "request"),
        ("send", "error"),
    ]
    assert server[0]["cause"] == ["client1", client[0]["number"]]
    assert client[1]["cause"] == ["server1", server[1]["number"]]
    assert client[0]["bytes"] == server[0]["bytes"]
    assert client[1]["bytes"] == server[1]["bytes"]
    assert server[0]["lamport"] > client[0]["lamport"]
