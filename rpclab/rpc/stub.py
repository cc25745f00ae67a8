"""The stub: a remote procedure called as if it were local. `stub.getServer()` is a message there and its answer back.

A stub is an object of its own, with nothing but remote methods on it, so that a mistyped local name can never become a network
call. Completion (`dir(stub)`) and help (`help(stub.getServer)`, `stub.getServer?`) ask the peer, once, when they are wanted.
"""

from __future__ import annotations

import inspect
from typing import Any, Protocol

from ..errors import RpclabError, UsageError

__all__ = ["Caller", "RemoteMethod", "Stub"]


_ANY = "(*args, **kwargs)"  # of a method that nothing is known of


class Caller(Protocol):
    """What a stub calls through: a connection, or a pool of them."""

    def call(self, method: str, *params: Any, named: dict[str, Any] | None = None) -> Any: ...


class Stub:
    """Turns attribute access into remote calls through `caller`."""

    def __init__(self, caller: Caller, peer: str = "the peer") -> None:
        self.__dict__.update(_caller=caller, _peer=peer, _known=None)

    def __getattr__(self, name: str) -> RemoteMethod:
        if name.startswith("_"):
            raise AttributeError(f"{name!r} can be no remote method: their names do not begin with an underscore")
        method = self.__dict__[name] = RemoteMethod(self, name)
        return method

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a stub has only remote methods: nothing can be stored as {name!r} on it")

    def __dir__(self) -> list[str]:
        try:
            return sorted(_described(self))
        except RpclabError:
            return []  # completion in an editor is no place for errors

    def __repr__(self) -> str:
        return f"<Stub of {self.__dict__['_peer']}>"


class RemoteMethod:
    """One remote procedure: calling it sends a message and waits for the answer."""

    def __init__(self, stub: Stub, name: str) -> None:
        self._stub = stub
        self.__name__ = self.__qualname__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Errors: what the remote method raises, with the remote node's name; MethodNotFound, WrongArguments (no effect);
        ConnectionLost, DeadlineExceeded (effect unknown)."""
        caller: Caller = self._stub.__dict__["_caller"]
        if not kwargs:
            return caller.call(self.__name__, *args)
        named = self._by_name(args, kwargs) if args else kwargs
        return caller.call(self.__name__, named=named)

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """JSON-RPC 2.0 takes arguments by position or by name, not both: the peer tells the names of the first ones."""
        parameters = self.__signature__.parameters.values()
        names = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
        nameless = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.VAR_POSITIONAL)]
        what = f"{self.__name__}{self.__signature__}"
        if nameless and (nameless[0].kind is nameless[0].POSITIONAL_ONLY or len(args) > len(names)):
            raise UsageError(
                f"{what}: a message carries all arguments by position or all by name, and '{nameless[0]}' has a position "
                "alone: give them all by position"
            )
        if len(args) > len(names):
            raise UsageError(f"{what} takes at most {len(names)} arguments by position, {len(args)} were given")
        twice = [name for name in names[: len(args)] if name in kwargs]
        if twice:
            raise UsageError(f"{what} was given {twice[0]!r} twice, by position and by name")
        return dict(zip(names, args, strict=False)) | kwargs

    @property
    def __signature__(self) -> inspect.Signature:
        try:
            return _signature(self._description()[0])
        except ValueError:  # a peer of another kind, with names that Python cannot have
            return _signature(_ANY)

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self._description()[1]

    def _description(self) -> list[str]:
        try:
            return _described(self._stub).get(self.__name__, [_ANY, "The peer has no such remote method."])
        except RpclabError as error:
            return [_ANY, f"The peer could not be asked: {error}"]

    def __get__(self, instance: object, owner: type | None = None) -> RemoteMethod:
        return self  # `help` documents as a routine what has this method

    def __repr__(self) -> str:
        return f"<remote method {self.__name__} of {self._stub.__dict__['_peer']}>"


def _described(stub: Stub) -> dict[str, list[str]]:
    if stub.__dict__["_known"] is None:
        stub.__dict__["_known"] = stub.__dict__["_caller"].call("rpc.describe")
    known: dict[str, list[str]] = stub.__dict__["_known"]
    return known


class _AsSaid:
    """A default or a type as the peer wrote it: shown, never evaluated."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _signature(text: str) -> inspect.Signature:
    """A signature from its text."""
    parameters: list[inspect.Parameter] = []
    kind: inspect._ParameterKind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    for part in _split(text.strip()[1:-1], ","):
        if part == "/":
            parameters = [each.replace(kind=inspect.Parameter.POSITIONAL_ONLY) for each in parameters]
            continue
        stars = len(part) - len(part.lstrip("*"))
        if stars == 1:
            kind = inspect.Parameter.KEYWORD_ONLY
        if part != "*":
            only = (kind, inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)[min(stars, 2)]
            parameters.append(_parameter(part.lstrip("*"), only))
    try:
        return inspect.Signature(parameters)
    except ValueError:
        return inspect.Signature()


def _parameter(part: str, kind: inspect._ParameterKind) -> inspect.Parameter:
    declared, *default = _split(part, "=")
    name, *annotation = _split(declared, ":")
    return inspect.Parameter(
        name,
        kind,
        default=_AsSaid("=".join(default)) if default else inspect.Parameter.empty,
        annotation=_AsSaid(":".join(annotation)) if annotation else inspect.Parameter.empty,
    )


def _split(text: str, mark: str) -> list[str]:
    """The parts between the marks that stand in no bracket and no quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for index, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and text[index - 1] != "\\" else quote
        elif letter in "'\"":
            quote = letter
        elif letter == mark and not depth:
            parts.append(text[start:index].strip())
            start = index + 1
        else:
            depth += (letter in "([{") - (letter in ")]}")
    return [part for part in [*parts, text[start:].strip()] if part]
