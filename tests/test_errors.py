"""Errors: each its own number on the wire, and the same class at the other end."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from rpclab import errors
from rpclab.errors import RemoteError, RpclabError, error_from_wire, error_to_wire


def everyone(root: type[RpclabError] = RpclabError) -> Iterator[type[RpclabError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:  # not the builtins' twins that other tests have made
            yield from everyone(child)


ALL = sorted(everyone(), key=lambda kind: kind.__name__)
TREE = (errors.__doc__ or "").split("`definite`")[0]
UNKNOWN_EFFECT = set(re.findall(r"(\w+) .*\(effect unknown\)", TREE)) | {
    "ProtocolError",
    "RemoteError",
}  # and the general ones


def test_every_error_has_its_own_code() -> None:
    codes = {kind.code: kind for kind in ALL}
    assert len(codes) == len(ALL) and all("code" in vars(kind) for kind in ALL)


def test_every_error_stands_in_the_drawn_tree_and_in_all() -> None:
    drawn = set(re.findall(r"\b[A-Z]\w+\b", TREE))
    names = {kind.__name__ for kind in ALL}
    assert names <= drawn and names <= set(errors.__all__)


@pytest.mark.parametrize("kind", ALL)
def test_an_error_crosses_the_wire_as_itself_with_the_nodes_name(kind: type[RpclabError]) -> None:
    code, text, data = error_to_wire(kind("what happened"))
    arrived = error_from_wire(code, text, data, "server2")
    assert isinstance(arrived, kind)
    if kind is not RemoteError:
        assert type(arrived) is kind and arrived.message == "what happened"
    assert arrived.node == "server2" and "(said server2)" in str(arrived)
    assert arrived.definite is kind.definite


def test_an_error_that_is_handed_on_keeps_the_node_where_it_arose() -> None:
    first = error_from_wire(*error_to_wire(errors.DiskFull("full")), "server2")
    second = error_from_wire(*error_to_wire(first), "server1")
    assert second.node == "server2" and second.message == "full"


@pytest.mark.parametrize("kind", ALL)
def test_only_what_may_have_happened_is_of_unknown_effect(kind: type[RpclabError]) -> None:
    assert {"ConnectionLost", "DeadlineExceeded"} <= UNKNOWN_EFFECT
    assert kind.definite is (kind.__name__ not in UNKNOWN_EFFECT)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("division by zero"), KeyError("a"), ValueError("bad"), TypeError()]
)
def test_a_builtin_exception_can_be_caught_as_itself(error: Exception) -> None:
    arrived = error_from_wire(*error_to_wire(error), "manager")
    assert isinstance(arrived, RemoteError) and isinstance(arrived, type(error))
    assert arrived.type_name == type(error).__name__ and arrived.node == "manager"


class Homemade(Exception):
    pass


def test_an_exception_of_somebodys_own_arrives_with_its_name_and_text() -> None:
    arrived = error_from_wire(*error_to_wire(Homemade("my words")), "manager")
    assert type(arrived) is RemoteError and arrived.message == "Homemade: my words"


@pytest.mark.parametrize(
    "name", ["SystemExit", "KeyboardInterrupt", "OSError", "eval", "__import__", "DiskFull", "", "x" * 99]
)
def test_a_peer_cannot_name_a_class_that_is_no_plain_error(name: str) -> None:
    arrived = error_from_wire(RemoteError.code, "text", {"type": name}, "evil")
    assert type(arrived) is RemoteError


@pytest.mark.parametrize(("code", "data"), [(12345, None), (-1, {}), (-32603, []), (0, {"type": 7}), (99999, "text")])
def test_an_unknown_code_or_odd_data_is_a_remote_error(code: int, data: object) -> None:
    assert isinstance(error_from_wire(code, "text", data, "manager"), RemoteError)


def test_the_reserved_codes_are_those_of_json_rpc() -> None:
    reserved = {kind.__name__: kind.code for kind in ALL if -32768 <= kind.code <= -32000}
    assert reserved == {
        "MessageError": -32600,
        "MethodNotFound": -32601,
        "WrongArguments": -32602,
        "RemoteError": -32603,
    }
    assert type(error_from_wire(-32700, "no JSON", None, "manager")) is errors.MessageError
