"""The registry: an explicit list of remote methods, their arguments checked by their signatures."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from msgspec import UNSET

from rpclab.errors import MethodNotFound, UsageError, WrongArguments
from rpclab.records import FileRecord
from rpclab.rpc.handshake import Peer
from rpclab.rpc.registry import Call, Registry

CALL = Call(Peer("client1", "client", ("127.0.0.1", 1)))


class Calculator:
    """A student's class whose methods are to be remote."""

    scale = 3

    def add(self, a: int, b: int = 0) -> int:
        """Add two numbers."""
        return a + b

    def total(self, *numbers: int) -> int:
        return sum(numbers)

    def options(self, **named: Any) -> dict[str, Any]:
        return named

    @staticmethod
    def twice(value: int) -> int:
        return 2 * value

    @classmethod
    def name(cls) -> str:
        return cls.__name__

    @property
    def secret(self) -> str:
        raise AssertionError("a property is not read when an object is registered")

    def _private(self) -> None: ...


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.register_instance(Calculator())
    return registry


def test_an_instances_public_methods_are_registered_and_nothing_else(registry: Registry) -> None:
    assert registry.names() == ["add", "name", "options", "total", "twice"]
    assert "add" in registry
    assert "_private" not in registry
    assert "secret" not in registry


@pytest.mark.parametrize(
    ("name", "params", "result"),
    [
        ("add", [1, 2], 3),
        ("add", [1], 1),
        ("add", {"a": 1, "b": 5}, 6),
        ("add", {"b": 5, "a": 1}, 6),
        ("total", [1, 2, 3, 4], 10),
        ("total", [], 0),
        ("total", UNSET, 0),
        ("options", {"x": 1}, {"x": 1}),
        ("twice", [4], 8),
        ("name", UNSET, "Calculator"),
    ],
)
def test_a_method_is_called_with_its_arguments(name: str, params: Any, result: object, registry: Registry) -> None:
    assert registry.invoke(CALL, name, params) == result


def test_arguments_by_position_and_by_name_may_be_mixed(registry: Registry) -> None:
    assert registry.invoke(CALL, "add", [1], {"b": 5}) == 6
    with pytest.raises(WrongArguments, match="multiple values for argument 'a'"):
        registry.invoke(CALL, "add", [1], {"a": 5})


@pytest.mark.parametrize("params", [[], [1, 2, 3], {}, {"b": 1}, {"a": 1, "x": 2}, {"": 1, "a": 1}])
def test_arguments_that_do_not_fit_name_the_signature(params: Any, registry: Registry) -> None:
    with pytest.raises(WrongArguments, match=r"add\(a: int, b: int = 0\) was called with wrong arguments: "):
        registry.invoke(CALL, "add", params)


@pytest.mark.parametrize("params", [["1"], [1.5], [None], [[1]], [1, "2"], {"a": "1"}])
def test_arguments_of_a_wrong_type_name_the_signature_and_the_parameter(params: Any, registry: Registry) -> None:
    with pytest.raises(WrongArguments, match=r"add\(a: int, b: int = 0\): [ab]: Expected `int`, got"):
        registry.invoke(CALL, "add", params)


def test_a_parameter_that_goes_by_name_alone_is_checked_too() -> None:
    registry = Registry()

    def scaled(value: float, *, by: int = 1) -> float:
        return value * by

    registry.register_method(scaled)
    assert registry.invoke(CALL, "scaled", {"value": 2, "by": 3}) == 6
    with pytest.raises(WrongArguments, match=r"scaled\(value: float, \*, by: int = 1\): by: Expected `int`, got `str`"):
        registry.invoke(CALL, "scaled", {"value": 2, "by": "3"})
    with pytest.raises(WrongArguments, match="too many positional"):
        registry.invoke(CALL, "scaled", [2, 3])


def test_a_structure_arrives_as_its_type_or_is_refused_by_its_place() -> None:
    registry = Registry()

    def keep(files: list[FileRecord]) -> int:
        assert all(isinstance(file, FileRecord) for file in files)
        return len(files)

    registry.register_method(keep)
    file = {"client": "c", "name": "n", "size": 1, "digest": "", "version": 1}
    assert registry.invoke(CALL, "keep", [[file, file]]) == 2
    with pytest.raises(WrongArguments, match=r"files: Expected `int`, got `str` - at `\$\[1\].size`"):
        registry.invoke(CALL, "keep", [[file, file | {"size": "1"}]])


def test_a_method_that_wants_it_is_given_its_call() -> None:
    registry = Registry()
    registry.register_method(lambda call, word: f"{call.peer.node} says {word}", "say", with_call=True)
    assert registry.invoke(CALL, "say", ["hi"]) == "client1 says hi"
    assert registry.describe()["say"][0] == "(word)"
    with pytest.raises(WrongArguments, match=r"^say\(word\) was called"):
        registry.invoke(CALL, "say", [])


@pytest.mark.parametrize("name", ["nonsense", "", "__init__", "add.__class__", "_methods", "invoke", "x" * 10_000])
def test_what_is_not_in_the_list_is_not_there(name: str, registry: Registry) -> None:
    with pytest.raises(MethodNotFound, match="there are: add, name, options, total, twice") as caught:
        registry.invoke(CALL, name, [])
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("name", ["", "_hidden", "two words", "rpc.describe", "1st"])
def test_a_name_that_nobody_can_write_after_a_dot_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="can be no remote method's name"):
        Registry().register_method(lambda: None, name)


async def later() -> int:
    return 1


async def later_still() -> AsyncIterator[int]:
    yield 1


def one_by_one() -> Iterator[int]:
    yield 1


class Thing:
    pass


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (later, "later can be no remote method: it is asynchronous"),
        (later_still, "it is asynchronous"),
        (one_by_one, "a generator function, and calling it runs nothing: return a list"),
        (Thing, "Thing can be no remote method: it is a class"),
    ],
)
def test_what_gives_nothing_that_can_be_sent_is_refused_at_once(function: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Registry().register_method(function)
    with pytest.raises(UsageError, match="a str, which cannot be called"):
        Registry().register_method("echo", "echo")  # type: ignore[arg-type]


def test_a_function_without_a_name_needs_one() -> None:
    partial = functools.partial(sorted, reverse=True)
    with pytest.raises(UsageError):
        Registry().register_method(partial)
    registry = Registry()
    registry.register_method(partial, "down")
    assert registry.invoke(CALL, "down", [[1, 3, 2]]) == [3, 2, 1]


def test_a_function_whose_arguments_python_does_not_know_is_refused() -> None:
    with pytest.raises(
        UsageError, match="Python cannot tell what arguments <built-in function max> takes: write a function"
    ):
        Registry().register_method(max)


def test_registering_gives_the_function_back_so_that_it_can_decorate() -> None:
    registry = Registry()

    @registry.register_method
    def double(x: int) -> int:
        return 2 * x

    assert double(2) == registry.invoke(CALL, "double", [2]) == 4


def test_a_later_registration_takes_the_place_of_an_earlier_one(registry: Registry) -> None:
    registry.register_method(lambda: "new", "add")
    assert registry.invoke(CALL, "add") == "new"


def test_an_annotation_that_nobody_can_evaluate_is_no_reason_to_fail() -> None:
    registry = Registry()
    registry.register_method(lambda image: image, "plain")

    def odd(image: "NoSuchType", size: "1 +" = 1) -> Any:  # type: ignore # noqa
        return image

    registry.register_method(odd)
    assert registry.invoke(CALL, "odd", [5]) == 5
    assert registry.describe()["odd"][0].startswith("(image: 'NoSuchType'")


def test_every_method_is_described_by_its_signature_and_its_docstring(registry: Registry) -> None:
    described = registry.invoke(CALL, "rpc.describe")
    assert described["add"] == ["(a: int, b: int = 0)", "Add two numbers."]
    assert described["total"] == ["(*numbers: int)", ""]
    assert list(described) == registry.names()


def test_a_method_of_another_registry_can_be_offered_too(registry: Registry) -> None:
    other = Registry()
    other.take_over(registry, "add")
    assert other.names() == ["add"]
    assert other.invoke(CALL, "add", [1, 1]) == 2
