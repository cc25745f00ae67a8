"""Lab 1's checks of the student's part by itself."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

from ...errors import error_text
from ..lab import Broken, Mine
from ..trial import Trial
from .about import LAB

__all__ = ["_lookup", "arguments", "errors", "first_call", "names", "nothing_else", "stub", "underscores"]


def add(a: int, b: int = 10, *rest: int, scale: int = 1) -> int:
    return (a + b + sum(rest)) * scale


def _names(registry: Any) -> list[str]:
    found = registry.names()
    try:
        return sorted(found)
    except TypeError:
        raise Broken("names", f"names() gave back {found!r:.80}: the names are expected, as texts") from None


def _called(registry: Any, name: str, args: list[Any], kwargs: dict[str, Any], wanted: Any) -> None:
    shown = ", ".join([*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())])
    try:
        found = registry.call(name, args, kwargs)
    except TypeError as error:
        raise Broken("arguments", f"{name}({shown}): {error}") from error
    if found is None:
        raise Broken("result", f"{name}({shown}) gave back None")
    if found != wanted:
        fault = "arguments" if type(found) is type(wanted) else "wrapped"
        raise Broken(fault, f"{name}({shown}) gave back {found!r}, not {wanted!r}")


@LAB.check("a registered function can be called by its name, and its result comes back", points=1)
def first_call(mine: Mine, trial: Trial) -> None:
    registry = mine.Registry()
    registry.register(lambda: "hello", "greet")
    with _lookup("other-name", "register(function, 'greet') did not enter it as 'greet'"):
        _called(registry, "greet", [], {}, "hello")


@LAB.check("arguments arrive as they were written, by position and by name", points=2, after=("first-call",))
def arguments(mine: Mine, trial: Trial) -> None:
    registry, a, b = mine.Registry(), trial.random.randrange(100), trial.random.randrange(100)
    registry.register(add, "add")
    for args, kwargs, wanted in (
        ([a, b], {}, a + b),
        ([a], {}, a + 10),
        ([a], {"scale": 3}, (a + 10) * 3),
        ([], {"b": b, "a": a}, a + b),
        ([a, b, 5, 6], {"scale": 2}, (a + b + 11) * 2),
    ):
        _called(registry, "add", args, kwargs, wanted)
    registry.register(len, "length")
    _called(registry, "length", [[1, 2, 3]], {}, 3)


@LAB.check(
    "functions are registered by their own name or another, and can be listed",
    points=2,
    after=("first-call",),
)
def names(mine: Mine, trial: Trial) -> None:
    registry, other = mine.Registry(), mine.Registry()
    registry.register(add)
    with _lookup("other-name", "register(function) did not enter it under its own name, 'add'"):
        _called(registry, "add", [1, 2], {}, 3)
    registry.register(add, "plus")
    with _lookup("other-name", "register(function, 'plus') did not enter it as 'plus'"):
        _called(registry, "plus", [1, 2], {}, 3)

    def double(x: int) -> int:
        return 2 * x

    if registry.register(double) is not double:
        raise Broken("decorator", "register(double) did not give double back")
    if _names(registry) != ["add", "double", "plus"]:
        raise Broken("names", f"add, double and plus were registered; names() gave back {_names(registry)}")
    if _names(other):
        raise Broken("shared-table", f"a second registry, into which nothing was entered, has {_names(other)}")


@contextlib.contextmanager
def _lookup(fault: str, seen: str) -> Any:
    try:
        yield
    except LookupError as error:
        raise Broken(fault, f"{seen}: {type(error).__name__}: {error}") from error


@LAB.check(
    "the caller hears of errors: the function's as they are, an unknown name as LookupError",
    points=3,
    after=("names",),
)
def errors(mine: Mine, trial: Trial) -> None:
    registry = mine.Registry()

    def divide(a: int, b: int) -> float:
        return a / b

    registry.register(divide)
    try:
        found = registry.call("divide", [1, 0], {})
    except ZeroDivisionError:
        found = None
    except Exception as error:
        raise Broken("swallowed", f"a ZeroDivisionError came out as {type(error).__name__}: {error}") from error
    else:
        raise Broken("swallowed", f"divide(1, 0) gave back {found!r}, and raised nothing")
    for error_kind in (KeyError, AttributeError, TypeError):
        _from_within(registry, error_kind)
    try:
        found = registry.call("devide", [1, 1], {})
    except LookupError as error:
        said = error_text(error)
    except Exception as error:
        raise Broken("unknown-name", f"call('devide') raised {type(error).__name__}: {error}") from error
    else:
        raise Broken("unknown-name", f"call('devide') gave back {found!r}")
    if "devide" not in said or "divide" not in said:
        raise Broken("unhelpful", f"the error says {said!r}")


def _from_within(registry: Any, kind: type[Exception]) -> None:
    """An error of the function that could be taken for one of the look-up."""
    own = kind("of the function")

    def fails() -> None:
        raise own

    registry.register(fails)
    try:
        found = registry.call("fails", [], {})
    except Exception as error:
        if error is not own and type(error) is not kind:
            seen = f"fails() raised {own!r}, and call {type(error).__name__}: {error}"
            raise Broken("taken-for-unknown", seen) from error
    else:
        raise Broken("swallowed", f"fails() raised {own!r}; call gave back {found!r}")


class _Instrument:
    def maker(self) -> str:
        return "ours"


class _Thermometer(_Instrument):
    unit = "C"

    def __init__(self, degrees: int) -> None:
        self.degrees = degrees

    def read(self) -> int:
        return self.degrees

    def warmer(self, by: int = 1) -> int:
        return self.degrees + by

    def _calibrate(self) -> str:
        return "secret"


@LAB.check("peers can call what was registered, and nothing else", points=3, after=("arguments", "errors"))
def nothing_else(mine: Mine, trial: Trial) -> None:
    registry, degrees = mine.Registry(), trial.random.randrange(100)
    registry.register_instance(_Thermometer(degrees))
    try:
        found = [registry.call("read", [], {}), registry.call("warmer", [], {"by": 5})]
    except (LookupError, TypeError) as error:
        raise Broken("instance", f"{type(error).__name__}: {error}") from error
    if found != [degrees, degrees + 5]:
        raise Broken("instance", f"read() and warmer(by=5) of {degrees} degrees gave back {found}")
    with _lookup("inherited", "the thermometer has maker() from its base class"):
        _called(registry, "maker", [], {}, "ours")
    for name in ("call", "register", "names", "register_instance", "__init__", "__class__", "__dict__"):
        _refused(registry, name, "any-attribute")
    for name in ("_calibrate", "unit", "degrees"):
        _refused(registry, name, "private")
    if _names(registry) != ["maker", "read", "warmer"]:
        raise Broken("private", f"of a thermometer with maker, read and warmer, names() lists {_names(registry)}")


def _refused(registry: Any, name: str, fault: str) -> None:
    try:
        found = registry.call(name, [], {})
    except LookupError:
        return
    except Exception as error:
        raise Broken(
            fault, f"call({name!r}) raised {type(error).__name__}, as if it had been called: {error}"
        ) from error
    raise Broken(fault, f"call({name!r}) gave back {found!r:.80}")


class _Wire:
    """Remembers what a stub sends."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[Any], dict[str, Any]]] = []

    def __call__(self, name: str, args: Any, kwargs: Any) -> str:
        if not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
            raise Broken(
                "stub-arguments", f"send was given {args!r} and {kwargs!r}: a list and a dictionary are expected"
            )
        self.sent.append((name, list(args), dict(kwargs)))
        return f"answer {len(self.sent)}"


@LAB.check(
    "a stub turns each call of a name into one message, and gives its answer back", points=3, after=("first-call",)
)
def stub(mine: Mine, trial: Trial) -> None:
    wire = _Wire()
    own = mine.Stub(wire)
    function = own.anything
    if wire.sent:
        raise Broken("sends-too-early", "`stub.anything`, without brackets, has sent a message")
    try:
        answer = own.add(1, "two", scale=[3])
    except TypeError as error:
        raise Broken(
            "stub-arguments", f"stub.add(1, 'two', scale=[3]) raised {type(error).__name__}: {error}"
        ) from error
    if wire.sent != [("add", [1, "two"], {"scale": [3]})]:
        raise Broken("stub-arguments", f"stub.add(1, 'two', scale=[3]) sent {wire.sent}")
    if answer != "answer 1":
        raise Broken("stub-result", f"the peer answered 'answer 1', the stub gave back {answer!r}")
    earlier, later = own.first, own.second
    earlier()
    later()
    function()
    if [name for name, _, _ in wire.sent[1:]] != ["first", "second", "anything"]:
        raise Broken(
            "one-name", f"first, second and anything were called; sent was {[name for name, _, _ in wire.sent[1:]]}"
        )


@LAB.check("a stub sends no name that begins with an underscore", points=1, after=("stub",))
def underscores(mine: Mine, trial: Trial) -> None:
    wire = _Wire()
    own = mine.Stub(wire)
    for name in ("_private", "__len__", "_repr_html_", "__deepcopy__"):
        try:
            getattr(own, name)
        except AttributeError:
            continue
        raise Broken("sends-underscores", f"stub.{name} raised no AttributeError")
    with contextlib.suppress(AttributeError, TypeError):
        copy.copy(own)
    if wire.sent:
        raise Broken("sends-underscores", f"copying the stub sent {wire.sent}")
