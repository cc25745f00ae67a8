"""The table of remote methods: an explicit list of functions, never an attribute look-up by a name that came off the wire."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from types import MethodType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from ..errors import MethodNotFound, RpclabError, UsageError, WrongArguments
from .connection import Connection
from .handshake import Peer

__all__ = ["Call", "Method", "Registry", "Then"]

_ANY: tuple[Any, frozenset[type]] = (Any, frozenset())
_AS_THEY_COME = (str, int, float, bool, NoneType, list, dict)  # JSON's own


@dataclass(slots=True)
class Call:
    """What a remote method can know of its call: who called, by when, and over which connection."""

    peer: Peer
    connection: Connection | None = None
    at_end: list[Callable[[], object]] = field(default_factory=list)
    """Functions to run when the caller's connection ends."""

    @property
    def event(self) -> int:
        """The number of the event that received the request, by which others tell whose answering they belong to; 0: unknown."""
        return self.connection.at if self.connection is not None else 0


@dataclass(frozen=True, slots=True)
class Then:
    """A result after which the conversation goes on: the result is sent, then `go_on` has the connection for itself.

    With `asked_after` the peer's next request belongs to it, and a clean stop waits for that too.
    """

    result: Any
    go_on: Callable[[], None]
    asked_after: bool = False


class Method:
    """One remote method: its function, what it takes, and how that is checked."""

    def __init__(self, function: Callable[..., Any], name: str, with_call: bool, reads: bool = False) -> None:
        self.function, self.name, self.with_call, self.reads = function, name, with_call, reads
        plain, own = (function.__func__, 1) if isinstance(function, MethodType) else (function, 0)
        takes = _takes(plain, own + with_call)
        self.signature = takes.signature
        self._places, self._types = takes.places, takes.types
        self._checked, self._positional, self._named = takes.checked, takes.positional, takes.named

    @property
    def doc(self) -> str:
        return inspect.getdoc(self.function) or ""

    def __str__(self) -> str:
        return f"{self.name}{self.signature}"

    def run(self, call: Call, args: list[Any], named: dict[str, Any]) -> Any:
        """Check the arguments and call the function. Errors: WrongArguments, and whatever the function raises."""
        if (named or len(args) not in self._positional) and not self._fits(args, named):
            args, named = self._bind(args, named)
        if self._checked:
            args = self._convert(args)
            named = self._convert_named(named) if named else named
        return self.function(call, *args, **named) if self.with_call else self.function(*args, **named)

    def _fits(self, args: list[Any], named: dict[str, Any]) -> bool:
        """Whether arguments by name surely fit: `Signature.bind` costs more than all the rest of a call."""
        needed, known = self._named
        return bool(self._positional and named and not args and needed <= named.keys() <= known)

    def _bind(self, args: list[Any], named: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        try:
            bound = self.signature.bind(*args, **named)
        except TypeError as error:
            raise WrongArguments(f"{self} was called with wrong arguments: {error}") from None
        return list(bound.args), dict(bound.kwargs)

    def _convert(self, args: list[Any]) -> list[Any]:
        for place, (value, name) in enumerate(zip(args, self._places, strict=False)):
            args[place] = self._one(value, name)
        return args

    def _convert_named(self, named: dict[str, Any]) -> dict[str, Any]:
        return {name: self._one(value, name) for name, value in named.items()}

    def _one(self, value: Any, name: str) -> Any:
        kind, right = self._types.get(name, _ANY)
        if kind is Any or type(value) in right:
            return value
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise WrongArguments(f"{self}: {name}: {error}") from None


class Registry:
    """What the peers of a node may call.

    >>> registry = Registry()
    >>> @registry.register_method
    ... def double(x): return 2 * x
    >>> registry.names()
    ['double']
    """

    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}

    def register_method(
        self, function: Callable[..., Any], name: str | None = None, *, with_call: bool = False, reads: bool = False
    ) -> Callable[..., Any]:
        """Let peers call a function, under its own name or another; `with_call` gives it a `Call` as its first argument.

        A call whose answer was lost is asked again, and its first outcome told again. A function that only `reads` is run
        again instead, and nothing of it kept. Errors: UsageError for what is no function, or one that gives no values.
        """
        name = name or str(getattr(function, "__name__", ""))
        if not name.isidentifier() or name.startswith("_"):
            raise UsageError(
                f"{name!r} can be no remote method's name: a name that a caller can write after a dot is needed"
            )
        if (problem := _problem(function)) is not None:
            raise UsageError(f"{name} can be no remote method: it is {problem}")
        self._methods[name] = Method(function, name, with_call, reads)
        return function

    def register_instance(self, instance: object) -> None:
        """Let peers call an object's public methods, those that it has now. Errors: UsageError for one that is asynchronous."""
        for name in dir(type(instance)):
            found = getattr(type(instance), name)
            if not name.startswith("_") and callable(found) and not inspect.isclass(found):
                self.register_method(getattr(instance, name), name)

    def take_over(self, other: Registry, name: str) -> None:
        """Offer a method of another registry here too."""
        self._methods[name] = other._methods[name]

    def names(self) -> list[str]:
        return sorted(self._methods)

    def __contains__(self, name: object) -> bool:
        return name in self._methods

    def changes(self, name: str) -> bool:
        """Whether a call of this method may change something, such that it must not be done twice."""
        method = self._methods.get(name)
        return method is not None and not method.reads

    def invoke(
        self,
        call: Call,
        name: str,
        params: list[Any] | dict[str, Any] | UnsetType = UNSET,
        named: dict[str, Any] | None = None,
    ) -> Any:
        """Run a remote method, with arguments by position or by name, or `named` beside those by position.

        Errors: MethodNotFound, WrongArguments, and whatever it raises.
        """
        method = self._methods.get(name)
        if method is None:
            if name == "rpc.describe":
                return self.describe()
            raise MethodNotFound(f"there is no remote method {name[:100]!r} here; there are: {', '.join(self.names())}")
        if isinstance(params, dict):
            return method.run(call, [], params)
        return method.run(call, [] if isinstance(params, UnsetType) else params, named or {})

    def describe(self) -> dict[str, list[str]]:
        """Every method's signature and what its docstring says: what completion and help at a stub read."""
        return {name: [str(method.signature), method.doc] for name, method in sorted(self._methods.items())}


def _problem(function: object) -> str | None:
    """Why calling this gives no result that could be sent."""
    if inspect.isclass(function):
        return (
            "a class, and calling it makes an object, which no message carries: register a function that returns values"
        )
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "asynchronous, and nobody awaits it: each call has a thread of its own, so write it without async"
    if inspect.isgeneratorfunction(function):
        return "a generator function, and calling it runs nothing: return a list"
    return None if callable(function) else f"a {type(function).__name__}, which cannot be called"


@dataclass(frozen=True, slots=True)
class _Takes:
    """What a function takes, its first parameters left out: those that no caller gives."""

    signature: inspect.Signature
    places: list[str]
    types: dict[str, tuple[Any, frozenset[type]]]
    """What each has to be, and the types of those values that need no conversion to be that."""
    checked: bool
    positional: range
    """How many arguments may be given by position and nothing else be looked at; none if that has to be looked at."""
    named: tuple[frozenset[str], frozenset[str]]
    """Which have to be given by name and which may, where all are."""


@lru_cache(
    maxsize=512
)  # it takes longer than all the rest of a node's start, and a thousand servers have the same methods
def _takes(function: Callable[..., Any], left_out: int) -> _Takes:
    signature = _signature(function)
    parameters = list(signature.parameters.values())[left_out:]
    hints = _hints(function)
    places = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    types = {
        p.name: (hints[p.name], _right(hints[p.name]))
        for p in parameters
        if p.name in hints and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    }
    plain = all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
    needed = frozenset(p.name for p in parameters if p.default is p.empty)
    return _Takes(
        signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty),
        places,
        types,
        any(kind is not Any for kind, _ in types.values()),
        range(len(needed), len(parameters) + 1) if plain else range(0),
        (needed, frozenset(places)),
    )


def _right(kind: Any) -> frozenset[type]:
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return frozenset(each for each in kinds if each in _AS_THEY_COME)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """A function's signature, with its types as they are meant where that can be found out, else as they are written."""
    try:
        return inspect.signature(function, eval_str=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return inspect.signature(function)
    except ValueError:
        raise UsageError(
            f"Python cannot tell what arguments {function!r} takes: write a function of your own around it"
        ) from None


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The parameters' types as far as msgspec can check them: a student's unusual annotation is no reason to fail."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return {}
    return {name: kind for name, kind in hints.items() if _checkable(kind)}


def _checkable(kind: Any) -> bool:
    try:
        msgspec.json.Decoder(kind)
    except (TypeError, RpclabError):
        return False
    return True
