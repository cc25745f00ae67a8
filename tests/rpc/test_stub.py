"""The stub: remote methods as if they were local, and helped by the tools that a person at a prompt uses."""

from __future__ import annotations

import copy
import inspect
import pydoc
import re
from collections.abc import Callable
from typing import Any

import pytest

from rpclab.errors import ConnectionLost, MethodNotFound, UsageError, WrongArguments
from rpclab.rpc.connection import Connection
from rpclab.rpc.registry import Registry
from rpclab.rpc.stub import Stub


class Counting:
    """A caller that counts the calls that go through it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.calls: list[str] = []

    def call(self, method: str, *params: Any, named: dict[str, Any] | None = None) -> Any:
        self.calls.append(method)
        return self.connection.call(method, *params, named=named)


def subtract(minuend: int, subtrahend: int = 1) -> int:
    """Take one number from another.

    The second is one unless it is given.
    """
    return minuend - subtrahend


def join(*words: str, sep: str = ", (", end: dict[str, int] | None = None) -> str:
    return sep.join(words)


@pytest.fixture
def caller(registry: Registry, serve: Callable[..., Any], connect: Callable[..., Connection]) -> Counting:
    registry.register_method(subtract)
    registry.register_method(join)
    return Counting(connect(serve().address))


@pytest.fixture
def stub(caller: Counting) -> Stub:
    return Stub(caller, "the manager")


def test_a_remote_method_is_called_as_if_it_were_local(stub: Stub) -> None:
    assert stub.subtract(42, 23) == 19
    assert stub.subtract(42) == 41
    assert stub.subtract(minuend=42, subtrahend=23) == 19
    assert stub.subtract(subtrahend=23, minuend=42) == 19
    assert stub.echo({"a": [1]}) == {"a": [1]}


def test_positional_and_named_arguments_may_be_mixed(stub: Stub) -> None:
    assert stub.subtract(42, subtrahend=23) == 19


def only(first: int, *, second: int = 0, third: int = 0) -> list[int]:
    return [first, second, third]


def placed(first: int, second: int = 0, /, third: int = 0) -> list[int]:
    return [first, second, third]


@pytest.mark.parametrize(
    ("method", "args", "named", "said"),
    [
        (subtract, (1,), {"minuend": 2}, "subtract(minuend: int, subtrahend: int = 1) was given 'minuend' twice"),
        (subtract, (1, 2, 3), {"subtrahend": 2}, "takes at most 2 arguments by position, 3 were given"),
        (only, (1, 2), {"third": 3}, "takes at most 1 arguments by position, 2 were given"),
        (placed, (1,), {"third": 3}, "'first: int' has a position alone: give them all by position"),
        (join, ("a", "b"), {"sep": "+"}, "'*words: str' has a position alone: give them all by position"),
    ],
)
def test_arguments_by_position_and_by_name_that_do_not_go_together_are_refused(
    method: Any, args: Any, named: Any, said: str, stub: Stub, registry: Registry
) -> None:
    registry.register_method(only)
    registry.register_method(placed)
    with pytest.raises(UsageError, match=re.escape(said)):
        getattr(stub, method.__name__)(*args, **named)
    assert stub.only(1, third=3) == [1, 0, 3]


def test_wrong_arguments_and_unknown_methods_are_the_peers_errors(stub: Stub) -> None:
    with pytest.raises(
        WrongArguments, match=r"subtract\(minuend: int, subtrahend: int = 1\) .*missing.*\(said server1\)"
    ):
        stub.subtract()
    with pytest.raises(WrongArguments, match="unexpected keyword argument 'x'"):
        stub.subtract(1, x=2)
    with pytest.raises(MethodNotFound, match="there are: echo, join, subtract"):
        stub.nonsense()


def test_completion_offers_the_remote_methods_and_asks_once(stub: Stub, caller: Counting) -> None:
    assert dir(stub) == ["echo", "join", "subtract"]
    assert dir(stub) == ["echo", "join", "subtract"]
    assert caller.calls == ["rpc.describe"]


def test_help_shows_the_remote_signature_and_docstring(stub: Stub) -> None:
    text = pydoc.plain(pydoc.render_doc(stub.subtract))
    assert "subtract(minuend: int, subtrahend: int = 1)" in text
    assert "Take one number from another." in text
    assert "The second is one unless it is given." in text
    assert "__call__" not in text


def test_signatures_are_as_they_are_over_there(stub: Stub) -> None:
    assert str(inspect.signature(stub.subtract)) == "(minuend: int, subtrahend: int = 1)"
    assert str(inspect.signature(stub.join)) == "(*words: str, sep: str = ', (', end: dict[str, int] | None = None)"
    assert str(inspect.signature(stub.echo)) == "(value)"
    assert inspect.getdoc(stub.subtract) == inspect.getdoc(subtract)
    parameters = inspect.signature(stub.join).parameters
    assert [each.kind for each in parameters.values()] == [
        each.kind for each in inspect.signature(join).parameters.values()
    ]


def test_help_on_a_method_that_is_not_there_says_so(stub: Stub) -> None:
    assert "The peer has no such remote method." in pydoc.render_doc(stub.nonsense)


def test_help_and_completion_do_not_fail_without_the_peer(stub: Stub, caller: Counting) -> None:
    caller.connection.close()
    assert dir(stub) == []
    assert "could not be asked" in pydoc.render_doc(stub.subtract)
    assert str(inspect.signature(stub.subtract)) == "(*args, **kwargs)"
    with pytest.raises(ConnectionLost):
        stub.subtract(1)


@pytest.mark.parametrize(
    "name",
    [
        "_repr_html_",
        "_repr_mimebundle_",
        "_ipython_display_",
        "_ipython_canary_method_should_not_exist_",
        "__len__",
        "__wrapped__",
        "__array__",
    ],
)
def test_what_tools_ask_of_every_object_makes_no_network_call(name: str, stub: Stub, caller: Counting) -> None:
    assert not hasattr(stub, name)
    assert not hasattr(stub.subtract, name)
    assert caller.calls == []


def test_looking_at_a_stub_makes_no_network_call(stub: Stub, caller: Counting) -> None:
    assert repr(stub) == "<Stub of the manager>"
    assert repr(stub.subtract) == "<remote method subtract of the manager>"
    assert stub.subtract.__name__ == "subtract"
    assert stub.subtract is stub.subtract
    assert callable(stub.subtract)
    assert not callable(stub)
    assert copy.copy(stub) is not stub
    assert caller.calls == []


def test_ipython_shows_inspects_and_completes_a_stub(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)  # IPython warns of another environment that a person has activated
    ipython = pytest.importorskip("IPython.core.interactiveshell")
    from IPython.core.completer import provisionalcompleter

    shell = ipython.InteractiveShell(user_ns={"stub": stub})
    try:
        shown, _ = shell.display_formatter.format(stub)
        assert shown == {"text/plain": "<Stub of the manager>"}
        found = shell.object_inspect("stub.subtract", detail_level=1)
        assert (found["found"], found["definition"]) == (True, "stub.subtract(minuend: int, subtrahend: int = 1)")
        shell.Completer.use_jedi = False
        with provisionalcompleter():
            assert [found.text for found in shell.Completer.completions("stub.su", 7)] == [".subtract"]
    finally:
        shell.history_manager.end_session()


def test_nothing_can_be_stored_on_a_stub(stub: Stub) -> None:
    with pytest.raises(AttributeError, match="nothing can be stored as 'timeout'"):
        stub.timeout = 5
    with pytest.raises(AttributeError):
        stub._private()


@pytest.mark.parametrize(
    "said", ["", "(", "nonsense", "(a b)", "(1)", "(=)", "(a, a)", "(a=1, b)", "(*, *)", "(class)", "(a)" * 100]
)
def test_a_signature_that_is_none_does_not_break_the_call(said: str) -> None:
    class Odd:
        def call(self, method: str, *params: Any, named: dict[str, Any] | None = None) -> Any:
            return {"odd": [said, "odd"]} if method == "rpc.describe" else [params, named]

    stub = Stub(Odd())
    assert isinstance(inspect.signature(stub.odd), inspect.Signature)
    assert stub.odd(1) == [(1,), None]


def test_nothing_that_a_peer_says_is_evaluated() -> None:
    evil = "(a=__import__('os').abort(), b: print('x') = [].append(1))"

    class Evil:
        def call(self, method: str, *params: Any, named: dict[str, Any] | None = None) -> Any:
            return {"f": [evil, ""]}

    assert str(inspect.signature(Stub(Evil()).f)) == "(a=__import__('os').abort(), b: print('x') = [].append(1))"
